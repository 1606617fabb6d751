"""`openmie mmre`: make M-MRE of a grounded corpus: patches, summaries, splits, and files for fine-tuning scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options, progress
from openmie.errors import CorpusError


def mmre(
    corpus: Annotated[str, typer.Argument(help="FORMAT:PATH, with boxes tied to names, such as gmner:DIR.")],
    summary: Annotated[
        str, typer.Option(help="Generator of the captions that become summaries; default: the only one there is.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Folder to write: a file of JSON lines a split.")] = None,
    review: Annotated[
        Path | None, typer.Option(help="Write the summaries for review: .csv, or (Label Studio) .json.")
    ] = None,
    read: Annotated[Path | None, typer.Option(help="Take the summaries that a reader of that file corrected.")] = None,
    llava: Annotated[
        Path | None, typer.Option(help="Folder to write for fine-tuning scripts: LLaVA's JSON and pictures.")
    ] = None,
    format: Annotated[str, typer.Option(help="With --llava: llava, or messages (OpenAI's roles).")] = "llava",
    task: Annotated[str, typer.Option(help="With --llava: joint, summary or ner.")] = "joint",
    plain: Annotated[bool, typer.Option(help="With --llava: without the Prompt Format Adapter.")] = False,
    image_dir: options.ImageDir = None,
    seed: Annotated[int, typer.Option(help="Which documents are test; -1: the corpus's own splits.")] = 0,
    dev: Annotated[float, typer.Option(help="Share of train that is put aside as dev.")] = 0.1,
) -> None:
    """Make M-MRE of a grounded corpus: its documents with boxes, a patch a box, a summary each, drawn 7:3.

    Without --out it says how many documents there are and how long the summaries are, beside the paper's table 1.
    `openmie caption` has the images summarised; `openmie train pfa --corpus CORPUS --option summary=NAME` trains on
    the same data.

    Example: openmie mmre gmner:DIR?captions=FILE --summary mplug-owl --review review.csv

    Example: openmie mmre gmner:DIR?captions=FILE --summary mplug-owl --read review.csv --out mmre

    Example: openmie mmre diorama:train=50,dev=10,test=10 --llava exported
    """
    from openmie.annotation import caption_review as reviews
    from openmie.datasets import mmre as dataset
    from openmie.formats import output
    from openmie.formats.image_folders import ImageFolders
    from openmie.formats.registry import write

    data = options.load_corpus(corpus, image_dir)
    made = dataset.build_mmre(data, summary=summary, seed=max(seed, 0), dev=dev, split=seed >= 0)
    read_so_far = progress.PostCounts()
    splits = {name: list(progress.watched(made.split(name), f"reading {name}", read_so_far)) for name in made.sources}
    if review:
        number = reviews.write(chain.from_iterable(splits.values()), review, summary or ())
        print(f"{number} summaries in {review}; take them back with --read", file=sys.stderr)
    if read:
        splits = _corrected(reviews, splits, read, summary)
    _print_sizes(splits, made.name)
    if out:
        folders = ImageFolders(out)
        with output.new_folder(out) as folder:
            for name, documents in splits.items():
                console.say(write(folders.passed(documents), folder / f"{name}.jsonl"))
        print(f"the corpus: {folders.corpus(f'jsonl:{out}')}", file=sys.stderr)
    refused = _export(splits, made.labels.mentions, llava, format, task, plain) if llava else 0
    if console.say_skipped(data, made) or refused:
        raise typer.Exit(options.PARTIAL)


def _corrected(reviews: Any, splits: dict[str, list[Any]], file: Path, summary: str) -> dict[str, list[Any]]:
    """The documents with the summaries that a reader corrected; the others keep theirs."""
    found = [j for j in reviews.read(file) if not summary or j.generator == summary]
    names = {j.generator for j in found}
    if len(names) != 1:
        raise CorpusError(
            f"judgements of {sorted(names)}",
            expected="those of one generator",
            where=str(file),
            remedy="name it with --summary",
        )
    new = reviews.new_name(names.pop())
    whole: Iterator[Any] = reviews.apply(chain.from_iterable(splits.values()), found, "", fill=True)
    better = {d.id: d.replace(summary=d.captions.get(new, "") or d.summary) for d in whole}
    return {name: [better[d.id] for d in documents] for name, documents in splits.items()}


def _print_sizes(splits: dict[str, list[Any]], name: str) -> None:
    """Sizes, and the lengths of the summaries."""
    from openmie.papers.pfa import REPORTED
    from openmie.vlm import captions

    lacking = sum(not d.summary for documents in splits.values() for d in documents)
    sizes = ", ".join(f"{len(documents)} {split}" for split, documents in splits.items())
    print(f"{name}: {sizes}" + (f"; {lacking} without a summary" if lacking else ""))
    texts = [d.summary for documents in splits.values() for d in documents if d.summary]
    columns = ("max", "min", "median", "mean")
    ours = captions.length_statistics(texts) if texts else {}
    rows = [[unit, *(n[c] for c in columns)] for unit, n in ours.items()]
    rows += [[f"{unit}, table 1", *(n[c] for c in columns)] for unit, n in REPORTED["table 1"].items()]
    console.table(["summaries", *columns], rows)


def _export(
    splits: dict[str, list[Any]], labels: Sequence[str], folder: Path, format: str, task: str, plain: bool
) -> int:
    """Write the files for fine-tuning scripts; how many documents gave no example."""
    from openmie.papers.pfa import TASKS
    from openmie.vlm.sft.dataset import PromptSpec, build_sft_dataset, export

    if task not in TASKS:
        raise CorpusError.unknown("--task", task, TASKS)
    lost = 0
    for name, documents in splits.items():
        lessons, refused = build_sft_dataset(documents, PromptSpec(labels=labels, tasks=TASKS[task], plain=plain))
        if lessons:
            print(f"{len(lessons)} lessons: {export(lessons, folder, name, format)}", file=sys.stderr)
        for record in refused[:3]:
            print(f"no lesson ({len(refused)} of {len(documents)}): {record}", file=sys.stderr)
        lost += len(refused)
    return lost
