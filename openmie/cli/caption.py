"""The command that captions the images of a corpus with a large vision-language model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.cli.training import PARTIAL, app
from openmie.errors import OpenMIEError


@app.command()
def caption(
    corpus: Annotated[
        str, typer.Argument(help="FORMAT:PATH, or a file as `openmie extract` and `convert` read it; - is stdin.")
    ],
    model: Annotated[str, typer.Option(help="Vision-language model: a hub id, a folder, or the server's name for it.")],
    out: Annotated[Path, typer.Option(help="Folder to write: one file of JSON lines a split.")],
    endpoint: Annotated[
        str, typer.Option(help="Server with OpenAI's protocol, such as http://localhost:8000/v1; default: run it here.")
    ] = "",
    prompt: Annotated[str, typer.Option(help="camim (that paper's), summary (ours), or the text of one.")] = "camim",
    name: Annotated[str, typer.Option(help="Generator of the captions; default: the model's name.")] = "",
    split: Annotated[list[str] | None, typer.Option(help="A split; repeatable. Default: all of the corpus.")] = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images that the corpus names.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="File that keeps all answers, shared by jobs; default: one in the folder.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Ask again where a document has a caption of this name.")] = False,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of a caption.")] = 256,
    temperature: Annotated[float, typer.Option(help="0: the likeliest caption.")] = 0.0,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag of a hub id.")] = "",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the GPU where there is one.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, ...; default: as fits the device.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images at once, of a model here; default 4.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at once, of a server; default 8.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds of one try, of a server; default 120.")] = None,
    retries: Annotated[int | None, typer.Option(help="Tries after the first, of a server; default 5.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Variable that holds the server's key; default OPENAI_API_KEY.")
    ] = None,
    pictures: Annotated[str | None, typer.Option(help="How a server is sent images: png (default) or jpeg.")] = None,
    price: Annotated[str, typer.Option(help="Price of a million tokens of prompts and of answers: 0.15,0.6")] = "",
) -> None:
    """Add a caption of the main image to each document, by a model on this machine or behind a server.

    A picture that several documents share is asked for once. Nothing is lost: each document is written, with what
    could not be done in its errors; the exit code is 3 if there was any. Stopped, it goes on where it was when started
    again with the same --out, and asks again for what failed. Then it says how long the captions are and what they
    cost. `openmie captions` has them reviewed.

    Example: openmie caption twitter:DIR --images IMAGES --model Qwen/Qwen2.5-VL-7B-Instruct --out captioned

    Example: openmie caption jsonl:DIR --model MODEL --endpoint http://localhost:8000/v1 --prompt summary --out told
    """
    from openmie import __version__
    from openmie.formats import output
    from openmie.inference import pipeline as extract
    from openmie.vlm import backends, captions

    prices = _prices(price)
    only = {"--batch": batch, "--device": device, "--dtype": dtype} if endpoint else {
        "--concurrency": concurrency, "--timeout": timeout, "--retries": retries, "--key-env": key_env,
        "--pictures": pictures}  # fmt: skip
    if wrong := [flag for flag, value in only.items() if value is not None]:
        raise OpenMIEError(
            f"{wrong[0]} {'with' if endpoint else 'without'} --endpoint",
            where="openmie caption",
            expected="settings of the model that is meant",
            remedy="leave it out",
        )
    backend = backends.connect(
        model, endpoint, max_tokens=max_tokens, temperature=temperature, revision=revision, device=device, dtype=dtype,
        batch_size=batch, concurrency=concurrency, timeout=timeout, retries=retries, key_env=key_env,
        image_format=pictures,
    )  # fmt: skip
    asked = captions.Captioning(prompt=captions.PROMPTS.get(prompt, prompt), name=name, replace=replace)
    sources, data = extract.sources(corpus, split, images)
    settings = {"corpus": corpus, "images": images, "model": model, "revision": revision, "max_tokens": max_tokens,
                "temperature": temperature, "openmie": __version__}  # fmt: skip
    report, tally, failed, texts = captions.CaptionReport(), output.WriteReport(), [], []  # type: ignore[var-annotated]
    documents = captions.caption_to_folder(sources, out, backend, asked, settings, report, tally, cache)
    for document in console.noted(console.passing(documents, "documents captioned"), failed):
        texts.extend([text] if (text := document.captions.get(name or backend.name)) else [])
    _told(report, texts, prices)
    there = out if data else out / f"{next(iter(sources))}.jsonl"
    print(f"{len(texts)} captions {name or backend.name!r} in {tally.documents} documents: jsonl:{there}",
          file=sys.stderr)  # fmt: skip
    console.say(tally.written())
    if data:
        console.say_skipped(data)
    console.say_failed(failed)
    if failed or tally.lost or (data and data.skipped):
        raise typer.Exit(PARTIAL)


def _prices(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        prompt, answer = (float(part) for part in text.split(","))
        if not (0 <= prompt < float("inf") and 0 <= answer < float("inf")):
            raise ValueError
    except ValueError:
        raise OpenMIEError(
            f"--price {text}",
            expected="two prices of a million tokens, such as 0.15,0.6",
            remedy="give that of prompts, a comma, and that of answers",
        ) from None
    return prompt, answer


def _told(report: Any, texts: list[str], prices: tuple[float, float] | None) -> None:
    """Lengths as in M-MRE's table 1, and the costs of what was asked in this run."""
    from openmie.vlm import captions

    if texts:
        found = captions.length_statistics(texts)
        columns = ["max", "min", "median", "mean"]
        console.table(["captions", *columns], [[unit, *(n[c] for c in columns)] for unit, n in found.items()])
    columns = ["answers", "number", "prompt tokens", "answer tokens", "seconds", *(["price"] if prices else [])]
    rows = [[label, use.answers, use.prompt_tokens, use.tokens, use.seconds,
             *([f"{use.price(*prices):.4f}"] if prices else [])]
            for label, use in (("asked now", report.generated), ("from the cache", report.cached))]  # fmt: skip
    console.table(columns, rows)
    if report.kept:
        print(f"{report.kept} documents had a caption of this name and keep it; --replace asks again, --name tells "
              "the new ones apart", file=sys.stderr)  # fmt: skip
