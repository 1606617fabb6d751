"""`openmie batch`: the requests of an extraction or of captions as batch files, answered at half the price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError

app = typer.Typer(no_args_is_help=True, help="Batch files of a vision-language model: requests out, answers in.")
RequestsFolder = Annotated[Path, typer.Option(help="Folder to write: files of at most 50,000 requests.")]
VENDOR = "https://api.openai.com/v1"  # stands for whoever will answer; nothing is sent


@app.command("write")
def write(
    source: options.Sources,
    model: options.VLM,
    out: RequestsFolder,
    system: options.System = "schema",
    task: options.Tasks = "",
    label: options.Label = None,
    relation: options.RelationLabel = None,
    labels: options.LabelsFile = None,
    image_dir: options.ImageDir = None,
    from_: options.From = "",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
    cache: options.Cache = None,
    max_side: options.MaxSide = None,
    vlm_option: options.VLMOption = None,
) -> None:
    """Write the requests of `openmie extract --system` as batch files, but those whose answers are known.

    Send the files to the vendor, read its answers with `openmie batch read`, then run `openmie extract` with the same
    options: it finds all answers, and asks for none.

    Example: openmie batch write posts.jsonl --model gpt-4o-mini --label PER="a person" --out batches
    """
    from openmie.inference import pipeline

    request = options.extraction_request(
        system, [model], endpoint=VENDOR, tasks=task, label=label, relation=relation, labels=labels, cache=cache,
        settings=vlm_option, max_side=max_side,
    )  # fmt: skip
    backend, columns = request.backend(), options.post_columns(text_column, image_column, id_column)
    posts = pipeline.read_posts(source, image_dir, columns, from_ or None)
    _write_requests(backend, out, lambda unasked: request.predict(posts, request.schema(), unasked))


@app.command("write-captions")
def write_captions(
    source: options.Sources,
    model: options.VLM,
    out: RequestsFolder,
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
    max_side: options.MaxSide = None,
) -> None:
    """Write the requests of `openmie caption --endpoint` as batch files, but those whose answers are known.

    When `openmie batch read` has read the vendor's answers, `openmie caption` with the same options asks for none.

    Example: openmie batch write-captions twitter:DIR --image-dir IMAGES --model gpt-4o-mini --out batches
    """
    from itertools import chain

    from openmie.inference import pipeline
    from openmie.vlm import backends, captions
    from openmie.vlm.backends.answer_store import open_store
    from openmie.vlm.backends.response_cache import Cached

    columns = options.post_columns(text_column, image_column, id_column)
    sources, _ = pipeline.open_sources(source, split, image_dir, columns, from_)
    asked = backends.connect(model, VENDOR, max_tokens=max_tokens, temperature=temperature, revision=revision)
    side = captions.MAX_SIDE if max_side is None else max_side
    how = captions.Captioning(prompt=captions.PROMPTS.get(prompt, prompt), name=name, replace=replace, max_side=side)
    documents = chain.from_iterable(sources.values())
    backend = Cached(asked, open_store(cache))
    _write_requests(backend, out, lambda unasked: captions.caption(documents, unasked, how))


def _write_requests(backend: Any, out: Path, predict: Callable[[Any], Iterable[Any]]) -> None:
    """Write what is asked of a backend that answers nothing, and say how much it is."""
    from openmie.formats import output
    from openmie.vlm.batch_files import BatchFiles
    from openmie.vlm.estimate import Unasked

    if backend.store is None:
        raise OpenMIEError("no store of answers", expected="a file of answers", remedy="leave --cache none out")
    failed: Counter[str] = Counter()
    with output.new_folder(out) as folder:
        files = BatchFiles(folder, backend.backend, backend.store)
        for document in predict(Unasked(backend, files.add)):
            failed.update(str(e) for e in document.errors if not e.note and "not asked" not in e.found)
        files.close()
        names = ", ".join(path.name for path in files.files)
    console.say_line(f"{files.written:,} requests in {out} ({names or 'no file'}), {files.known:,} answers known")
    console.say_failed(list(failed))
    if failed:
        raise typer.Exit(options.PARTIAL)


@app.command("read")
def read(
    answers: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of answers, and of errors.")],
    cache: options.Cache = None,
) -> None:
    """Put the answers of batch files where `openmie extract` finds them. The exit code is 3 if some line is none.

    Example: openmie batch read answers.jsonl errors.jsonl
    """
    from openmie.vlm.backends.answer_store import open_store
    from openmie.vlm.batch_files import read_answers

    store = open_store(cache)
    if store is None:
        raise OpenMIEError("no store of answers", expected="a file of answers", remedy="leave --cache none out")
    lines: list[Any] = [line for path in answers for line in read_answers(path, store)]
    lost: list[ErrorRecord] = [line for line in lines if line is not None]
    console.say_line(f"{len(lines) - len(lost):,} answers read, {len(lost):,} without answer")
    if console.say_records(lost):
        raise typer.Exit(options.PARTIAL)
