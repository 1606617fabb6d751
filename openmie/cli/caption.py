"""`openmie caption`: caption the images of a corpus with a vision-language model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmie.cli import console, options, progress
from openmie.errors import OpenMIEError

if TYPE_CHECKING:
    from openmie.vlm.captions import Captioning


def caption(
    context: typer.Context,
    corpus: options.Sources,
    model: options.VLM,
    out: options.SplitsFolder,
    restart: options.Restart = False,
    endpoint: options.Endpoints = None,
    prompt: options.CaptionPrompt = "camim",
    name: options.CaptionName = "",
    split: options.Splits = None,
    image_dir: options.ImageDir = None,
    from_: options.From = "",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
    cache: options.Cache = None,
    replace: options.ReplaceCaptions = False,
    max_tokens: options.CaptionTokens = 256,
    temperature: options.Temperature = 0.0,
    revision: options.Revision = "",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the GPU where there is one.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, ...; default: as fits the device.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images at once, of a model here; default 4.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at once, of a server; default 8.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds of one try, of a server; default 120.")] = None,
    retries: Annotated[int | None, typer.Option(help="Tries after the first, of a server; default 5.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Variable that holds the server's key; default OPENAI_API_KEY.")
    ] = None,
    image_format: Annotated[
        str | None, typer.Option(help="How a server is sent images: auto (the file's own bytes, or JPEG), jpeg or png.")
    ] = None,
    max_side: options.MaxSide = None,
    max_failures: Annotated[
        int, typer.Option(help="Requests that may fail one after the other before the job ends; 0: any number.")
    ] = 16,
    estimate: options.Estimate = False,
    price: options.Price = "",
) -> None:
    """Caption the main image of each document with a vision-language model, run here or behind a server.

    An image that several documents share is captioned once. Each document is written, a failed one with the reason;
    the exit code is 3 if there was any. Stopped by Ctrl-C, a full disk, a lost network or a kill, the same command
    goes on, and retries what failed. At the end the lengths of the captions and their costs are printed.
    `openmie caption-review` has a reader judge them.

    Example: openmie caption twitter:DIR --image-dir IMAGES --model Qwen/Qwen2.5-VL-7B-Instruct --out captioned

    Example: openmie caption jsonl:DIR --model MODEL --endpoint http://localhost:8000/v1 --prompt summary --out DIR
    """
    from openmie.cli import extract_output
    from openmie.cli.costs import JobCosts, print_estimate
    from openmie.cli.result_files import FORMATS
    from openmie.formats.image_folders import ImageFolders
    from openmie.inference import pipeline as extract
    from openmie.vlm import backends, captions
    from openmie.vlm.backends.answer_store import open_store
    from openmie.vlm.backends.response_cache import Cached

    here = {"--batch-size": batch_size, "--device": device, "--dtype": dtype}
    there = {"--concurrency": concurrency, "--timeout": timeout, "--retries": retries, "--api-key-env": api_key_env}
    _check_flags(here if endpoint else {**there, "--image-format": image_format}, endpoint)
    columns, costs = options.post_columns(text_column, image_column, id_column), JobCosts(options.prices(price))
    sources, data = extract.open_sources(corpus, split, image_dir, columns, from_)
    asking = backends.connect(
        model, endpoint or "", max_tokens=max_tokens, temperature=temperature, revision=revision, device=device,
        dtype=dtype, batch_size=batch_size, concurrency=concurrency, timeout=timeout, retries=retries,
        key_env=api_key_env, image_format=image_format,
    )  # fmt: skip
    backend = Cached(asking, open_store(cache), max_failures)
    side = captions.MAX_SIDE if max_side is None else max_side
    asked = captions.Captioning(prompt=captions.PROMPTS.get(prompt, prompt), name=name, replace=replace, max_side=side)
    if estimate:
        return print_estimate(_estimate(sources, backend, asked), costs.price)
    report, passed, name = captions.CaptionReport(), progress.PostCounts(), name or backend.name
    with costs.summary_in(out):
        rows = extract_output.write_folder(
            lambda rows: extract_output.each_split(
                rows, sources, lambda some: captions.caption(some, costs.of(backend), asked, report)
            ),
            str(out), FORMATS["jsonl"], _settings(context.params, model, name, asked),
            lambda found, left: progress.watched(
                found, "captioning", passed, lambda: left(progress.count_sources(corpus, sources, data)),
                more=costs.line,
            ),
            unit=1, restart=restart, splits=sources, again=lambda document: captions.has_failed(document, name),
        )  # fmt: skip
    folders, texts = ImageFolders(out), []
    for document in extract_output.written_documents(rows):
        folders.add(document)
        texts.extend([document.captions[name]] if document.captions.get(name) else [])
    _print_report(report, texts, costs.price)
    written = folders.corpus(f"jsonl:{out if data else out / f'{next(iter(sources))}.jsonl'}")
    counts = f"{rows.totals.posts} documents, {rows.totals.failed} failed: {written}"
    lost = extract_output.tell(rows, passed, f"{len(texts)} captions {name!r} in {counts}")
    skipped = bool(data) and console.say_skipped(data, shown=passed.records)
    if lost or skipped:
        raise typer.Exit(options.PARTIAL)


def _check_flags(others: dict[str, Any], endpoint: list[str] | None) -> None:
    """OpenMIEError: a setting of a server for a model that runs here, or the other way round."""
    if wrong := [flag for flag, value in others.items() if value is not None]:
        raise OpenMIEError(
            f"{wrong[0]} {'with' if endpoint else 'without'} --endpoint",
            expected=f"settings of a model {'behind a server' if endpoint else 'that runs here'}",
            remedy=f"leave {wrong[0]} out",
        )


def _settings(given: dict[str, Any], model: str, name: str, asked: Captioning) -> dict[str, Any]:
    """What the captions of a folder depend on, see `settings_of`."""
    from openmie.cli.extract_settings import settings_of

    names = ("split", "image_dir", "from_", "text_column", "image_column", "id_column", "replace", "max_tokens",
             "temperature", "revision", "dtype")  # fmt: skip
    about = {"source": given["corpus"], "prompt": asked.prompt, "name": name, **{n: given[n] for n in names}}
    return settings_of(about, [model], ".jsonl", None) | {"--max-side": asked.max_side}


def _estimate(sources: Any, backend: Any, asked: Any) -> Any:
    """What captioning the sources would ask for."""
    from openmie.vlm import captions
    from openmie.vlm.estimate import Estimate, Unasked

    found = Estimate(backend)
    for documents in sources.values():
        found.posts += sum(1 for _ in captions.caption(documents, Unasked(backend, found.add), asked))
    return found


def _print_report(report: Any, texts: list[str], prices: tuple[float, float] | None) -> None:
    """Lengths as in M-MRE's table 1, and the costs of what was asked in this run."""
    from openmie.vlm import captions

    if texts:
        found = captions.length_statistics(texts)
        columns = ["max", "min", "median", "mean"]
        console.table(["captions", *columns], [[unit, *(n[c] for c in columns)] for unit, n in found.items()])
    columns = ["responses", "number", "prompt tokens", "answer tokens", "seconds", *(["price"] if prices else [])]
    rows = [[label, use.answers, use.prompt_tokens, use.tokens, use.seconds,
             *([f"{use.price(*prices):.4f}"] if prices else [])]
            for label, use in (("requested now", report.sent), ("known before", report.stored))]  # fmt: skip
    console.table(columns, rows)
    if report.num_existing:
        print(f"{report.num_existing} documents had a caption of this name and keep it; --replace captions them again, "
              "--name gives the new ones another name", file=sys.stderr)  # fmt: skip
