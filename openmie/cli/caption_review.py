"""`openmie caption-review`: how many captions are right, judged by a reader or, on Diorama, by the truth."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import CorpusError

COLUMNS = ("captions", "CapAcc %", "95% interval", "CapLen")


def caption_review(
    corpus: Annotated[str, typer.Argument(help="FORMAT:PATH, with captions, such as mnre:DIR?captions=NAME.")],
    generator: Annotated[
        list[str] | None, typer.Option(help="Generator of the captions; repeatable. Default: all of the corpus.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the corpus.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(
            help="A file to write for review, .csv or (Label Studio) .json; with --read, a folder for the corpus with "
            "better captions."
        ),
    ] = None,
    sample: Annotated[int, typer.Option(help="Captions of each generator in the review; 0: all.")] = 0,
    seed: options.Seed = 0,
    read: Annotated[
        Path | None, typer.Option(help="The review: a CSV with `correct` yes, no or empty, or Label Studio's JSON.")
    ] = None,
    image_dir: options.ImageDir = None,
    name: Annotated[str, typer.Option(help='Generator of the better captions; default: "GENERATOR (corrected)".')] = "",
) -> None:
    """Count how many captions are right (CapAcc) and how long they are (CapLen, in words), each image once.

    Captions of Diorama are judged by what was drawn; those of other corpora by a reader, in a CSV file.

    Example: openmie caption-review diorama:test=200

    Example: openmie caption-review mnre:DIR?captions=minicpm --out review.csv --sample 200

    Example: openmie caption-review mnre:DIR?captions=minicpm --read review.csv --out corrected

    Example: openmie caption-review jsonl:DIR --generator summary --out review.json
    """
    from openmie.annotation import caption_review as review

    wrong = [
        flag for flag, given in (("--sample", sample and (read or not out)), ("--name", name and not read)) if given
    ]
    if wrong:
        raise CorpusError(
            f"{wrong[0]} without the option that it belongs to",
            expected="--sample with --out FILE, --name with --read",
            remedy=f"leave {wrong[0]} out",
        )
    data = options.load_corpus(corpus, image_dir)
    if read:
        found = [j for j in review.read(read) if not generator or j.generator in generator]
        _judged(review, data, split, found, name, out)
    elif out:
        number = review.write(data.split(split), out, generator or (), sample, seed)
        print(f"{number} captions for {_review(out)}", file=sys.stderr)
    else:
        _counted(review, data.split(split), generator or [])
    if console.say_skipped(data):
        raise typer.Exit(options.PARTIAL)


def _review(out: Path) -> str:
    """What is to be done with a file that was written for review."""
    if out.suffix.lower() == ".json":
        return (
            f"{out}: import it into a Label Studio project with the labelling configuration of "
            f"{out.with_suffix('.xml')}; read the JSON export back with --read EXPORT.json"
        )
    file = "FILE" if str(out) == "-" else out
    return (
        f"{file}: write yes or no into the column correct and a better caption, if you like, into corrected; then "
        f"read it back with --read {file}"
    )


def _judged(review: Any, data: Any, split: str, found: list[Any], name: str, out: Path | None) -> None:
    """Print what a reader said; write the corpus with the reader's captions if asked to."""
    from openmie.formats import output
    from openmie.formats.image_folders import ImageFolders
    from openmie.formats.registry import write

    if not found:
        raise CorpusError(
            "no judgements",
            expected="rows of the generators asked for",
            where="--read",
            remedy="fill in rows of the file; --generator, if given, must name a generator of it",
        )
    whole = review.apply(data.split(split), found, name, fill=True)
    if out:
        names = {j.generator: review.new_name(j.generator, name) for j in found}
        folders = ImageFolders(out)
        with output.new_folder(out) as folder:
            for other in data.sources:
                documents = whole if other == split else _filled(review, data.split(other), names)
                console.say(write(folders.passed(documents), folder / f"{other}.jsonl"))
        spec = folders.corpus(f"jsonl:{out}")
        print(f"the corpus with {', '.join(sorted(names.values()))}: {spec}", file=sys.stderr)
    else:
        for _ in whole:  # each judgement is of a document and caption that are there
            pass
    rows = []
    for generator in sorted({j.generator for j in found}):
        a = review.accuracy(j for j in found if j.generator == generator)
        rows.append([*_row(generator, a), a.judged, a.unjudged])
    console.table([*COLUMNS, "judged", "not judged"], rows)


def _filled(review: Any, documents: Iterable[Any], names: Mapping[str, str]) -> Iterator[Any]:
    """Documents of which no caption was judged, with the captions under the new names too."""
    for document in documents:
        yield review.named(
            document, {new: document.captions[old] for old, new in names.items() if document.captions.get(old)}
        )


def _counted(review: Any, documents: Iterable[Any], source: list[str]) -> None:
    """Print CapLen, and CapAcc with what is left out where the truth is known."""
    tally = _Tally()
    found = list(review.captions(tally.counted(documents), source))
    names = source or sorted(tally.captions)
    if lacking := [n for n in names if not tally.captions[n]] or ([] if names else ["at all"]):
        raise review.no_caption(lacking[0], tally.captions)
    rows = []
    for generator in names:
        own = [replace(j, correct=tally.right(j)) for j, _ in found if j.generator == generator]
        a, silent = review.accuracy(own), [tally.verdicts.get((j.document, generator)) for j in own]
        left = sum(not v.complete for v in silent if v)
        rows.append(
            [
                *_row(generator, a),
                100 * left / a.judged if a.judged else "",
                len(own),
                tally.documents - tally.captions[generator],
            ]
        )
    known = bool(tally.verdicts)
    columns = [*COLUMNS, "leave out %", "number", "documents without"]
    keep = [i for i in range(len(columns)) if known or i not in (1, 2, 4)]
    console.table([columns[i] for i in keep], [[row[i] for i in keep] for row in rows])
    if not known:
        print(
            "whether they are right, a reader has to say: --out review.csv writes them down, --read review.csv "
            "counts what was said",
            file=sys.stderr,
        )


class _Tally:
    """Counts while documents pass: how many have a caption, and the verdicts on those of Diorama."""

    def __init__(self) -> None:
        self.documents = 0
        self.captions: Counter[str] = Counter()
        self.verdicts: dict[tuple[str, str], Any] = {}

    def counted(self, documents: Iterable[Any]) -> Iterator[Any]:
        from openmie.diorama import check_caption

        for document in documents:
            self.documents += 1
            there = [generator for generator, text in document.captions.items() if text.strip()]
            self.captions.update(there)
            for generator in there if document.source.get("corpus") == "diorama" else ():
                with suppress(CorpusError):  # in other words than Diorama's: not judged
                    self.verdicts[document.id, generator] = check_caption(document, generator)
            yield document

    def right(self, judgement: Any) -> bool | None:
        found = self.verdicts.get((judgement.document, judgement.generator))
        return None if found is None else found.correct


def _row(generator: str, accuracy: Any) -> list[Any]:
    """The cells of `COLUMNS`."""
    low, high = (100 * x for x in accuracy.interval)
    share = [100 * accuracy.share, f"{low:.1f} to {high:.1f}"] if accuracy.judged else ["", ""]
    return [generator, *share, accuracy.length]
