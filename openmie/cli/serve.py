"""`openmie serve`: extraction over HTTP."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import options
from openmie.errors import OpenMIEError

TOKEN = "OPENMIE_TOKEN"  # variable of the environment with a token


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]MODEL",
            help="base, a model folder or a hub id, with a name for requests or without; repeatable. Default: base.",
        ),
    ] = None,
    vlm: Annotated[
        str, typer.Option(help="Vision-language model: a hub id, a folder, or its name on --endpoint.")
    ] = "",
    endpoint: options.Endpoint = "",
    system: Annotated[str, typer.Option(help="Prompt of --vlm: schema or pfa.")] = "schema",
    vlm_option: options.VLMOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; by default this machine alone can connect.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with tokens, one a line. Default: the variable {TOKEN}, or one that is generated and printed."
        ),
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate in PEM: HTTPS instead of HTTP.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, where the certificate's file has none.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Requests per second of a token; 0: any number.")] = 100.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds from a post's acceptance to its answer.")] = 120.0,
    max_waiting: Annotated[int, typer.Option(min=1, help="Posts that may wait for a model; others get 429.")] = 256,
    max_body: Annotated[int, typer.Option(min=1, help="Mebibytes of a request.")] = 32,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of an image, in millions.")] = 32,
    batch_size: Annotated[int, typer.Option(min=1, help="Posts that a model reads together.")] = 32,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder that the page saves corrected posts to, for `train base`.")
    ] = None,
    parts: options.Parts = None,
    check: Annotated[
        bool, typer.Option("--check", help="Load the models, check settings and address, and end.")
    ] = False,
) -> None:
    """Serve extraction over HTTP: Documents as JSON, for any language, and a page to look at.

    Only this machine can connect unless --host says otherwise, and every request but those for health needs the token.
    Images are sent in the request; no address is ever fetched. Ctrl-C or SIGTERM stops: what was accepted is answered.

    Example: openmie serve

    Example: openmie serve --model base --model mine=runs/mine --port 8080 --token-file tokens.txt

    Example: openmie serve --annotations gold

    Example: openmie serve --vlm NAME --endpoint http://localhost:8001/v1

    Example: openmie serve --check
    """
    from openmie.serve import Settings, create_application, loading, server
    from openmie.serve.settings import MEBIBYTE

    tokens, generated = _tokens(token_file)
    tls = server.check_tls(tls_certificate, tls_key)
    request = _request(vlm, endpoint, system, vlm_option)
    settings = Settings(
        tokens=tokens,
        rate=rate,
        burst=max(round(2 * rate), 1),
        max_body=max_body * MEBIBYTE,
        max_held=4 * max_body * MEBIBYTE,
        max_pixels=max_pixels * 1_000_000,
        max_waiting=max_waiting,
        batch_size=batch_size,
        timeout=timeout,
        annotations=annotations,
    )
    with server.open_socket(host, port) as opened:
        options.load_parts(parts)
        models = loading.load_models(model or ([] if request else ["base"]), request)
        application = create_application(models, settings)
        loading.warm_up(list(models.values()))
        address = server.address_of(opened, bool(tls))
        if check:
            print(f"ready to serve {', '.join(models)} at {address}")
            return
        opened.listen(server.BACKLOG)  # who connects from now on is answered as soon as it runs
        _say(address, models, tokens[0] if generated else "", plain=host not in server.LOOPBACK and not tls)
        with suppress(KeyboardInterrupt):  # which uvicorn raises once more when all is answered
            server.run(application, opened, timeout, tls)


def _tokens(file: Path | None) -> tuple[tuple[str, ...], bool]:
    """Tokens, and whether one was generated."""
    from openmie.serve.tokens import check_tokens, generate_token

    if file is not None:
        lines = file.read_text(encoding="utf8").split("\n")
        return check_tokens([line.strip() for line in lines if line.strip()]), False
    if given := os.environ.get(TOKEN, "").strip():
        return check_tokens([given]), False
    return (generate_token(),), True


def _request(vlm: str, endpoint: str, system: str, settings: list[str] | None) -> Any:
    """What a vision-language model is asked, or None."""
    if not vlm:
        if endpoint or settings:
            raise OpenMIEError(
                f"--{'endpoint' if endpoint else 'vlm-option'} without --vlm",
                expected="the name of a vision-language model",
                remedy="name it with --vlm",
            )
        return None
    return options.extraction_request(system, [vlm], endpoint=endpoint, settings=settings)


def _say(address: str, models: Any, token: str, *, plain: bool) -> None:
    """Where the service is, and its token where it was generated; the page takes it from behind the `#`."""
    print(f"openmie serves {', '.join(models)} at {address}/" + (f"#token={token}" if token else ""))
    if token:
        print(f"token: {token}")
    if plain:
        print("openmie: other machines can connect, without TLS: put a proxy with TLS before it", file=sys.stderr)
    sys.stdout.flush()
