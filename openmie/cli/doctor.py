"""`openmie doctor`: check a copy of a corpus; `openmie doctor boxes`: how a vision-language model writes its boxes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.cli.groups import WithDefault

app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    help="Check a copy of a corpus (`openmie doctor CORPUS`), or the boxes of a model (`openmie doctor boxes`).",
)


@app.command("corpus")
def corpus(
    corpus: options.Sources,
    examples: Annotated[int, typer.Option(help="Examples shown of each finding.")] = 3,
    image_dir: options.ImageDir = None,
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
) -> None:
    """Check a copy of a corpus: its counts beside the published ones, and its anomalies. The word may be left out.

    The exit code is 3 if anything of it cannot be read.

    Example: openmie doctor mnre:DIR

    Example: openmie doctor posts.csv more.jsonl --text-column tweet
    """
    from openmie.datasets.audit.doctor import examine

    given: Any = options.reader_options(image_dir, text_column, image_column, id_column)
    report = examine(corpus, **given)
    for line in report.lines(examples):
        print(line)
    if report.lost:
        raise typer.Exit(options.PARTIAL)


@app.command("boxes")
def boxes(
    model: options.VLM = "",
    endpoint: options.Endpoint = "",
    vlm_option: options.VLMOption = None,
) -> None:
    """Find out in which coordinates a vision-language model writes its boxes.

    The model is shown figures of known place. The exit code is 3 if what openmie takes for the model does not fit.

    Example: openmie doctor boxes --model Qwen/Qwen2.5-VL-7B-Instruct --endpoint http://localhost:8000/v1
    """
    from openmie.vlm.boxes.coordinates import BoxFormat
    from openmie.vlm.boxes.probe import probe_boxes
    from openmie.vlm.prompting.request import ExtractionRequest

    request = ExtractionRequest(system="schema", model=model, endpoint=endpoint, settings=vlm_option or ())
    how = request.options()
    report = probe_boxes(request.backend(), family=how.family, max_pixels=how.max_pixels)
    order = sorted(report.scores.items(), key=lambda x: -x[1][0])
    rows = [[name, mean, 100 * share, BoxFormat.of(name, "").description] for name, (mean, share) in order]
    console.table(["family", "mean IoU", "% above 0.5", "how it writes boxes"], rows)
    for record in report.records[:10]:
        print(record, file=sys.stderr)
    print(report.advice())
    if report.family not in report.fitting:
        raise typer.Exit(options.PARTIAL)
