"""Captions for a reader to judge: out as a CSV file that a spreadsheet opens, back in as judgements.

A path that ends in .json is a file of Label Studio's instead (`review_tasks.py`).

CapAcc of CAMIM's table 2 is the share of captions that a reader calls right, CapLen their mean length in words. A
picture that several documents share is one row, judged once: over the pictures of MNRE's test set so counted, the
lengths of the six published caption files are the paper's, cut to whole numbers.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan, sqrt
from pathlib import Path

from openmie.annotation import caption_review_labelstudio as review_tasks
from openmie.annotation.caption_review_labelstudio import Judgement
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.formats import csv_table as table
from openmie.formats import output
from openmie.formats.text_lines import read_lines, shorten

COLUMNS = ("document", "image", "text", "generator", "caption", "correct", "corrected", "note")
NEEDED = ("document", "generator", "caption", "correct")  # the others may have been deleted in the spreadsheet
YES = frozenset({"yes", "y", "true", "t", "1", "1.0", "x", "right", "correct", "ok", "✓", "✔"})
NO = frozenset({"no", "n", "false", "f", "0", "0.0", "wrong", "incorrect"})
LONGEST = 32_000  # code points of a post that are shown: a spreadsheet's cell holds 32,767 characters
_Z = 1.959963984540054  # of a two-sided 95% interval of the normal distribution
_NAMED = 5  # of the documents that an error is about


@dataclass(frozen=True)
class Accuracy:
    """How many captions are right, and how long they are."""

    judged: int
    right: int
    open: int = 0  # not judged
    length: float = nan  # mean words of all captions, judged or not; what blanks divide is a word

    @property
    def share(self) -> float:
        """CapAcc, 0 to 1; NaN where nothing is judged."""
        return self.right / self.judged if self.judged else nan

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of Wilson (1927): all shares p with |share - p| <= z sqrt(p (1 - p) / judged)."""
        n, p, zz = self.judged, self.share, _Z * _Z
        if not n:
            return 0.0, 1.0
        middle, half = (p + zz / (2 * n)) / (1 + zz / n), _Z * sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
        return min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half))


def captions(documents: Iterable[Document], generators: str | Collection[str] = ()) -> Iterator[tuple[Judgement, str]]:
    """Each caption once, not judged yet, with the text of the first document that has it, in document order.

    Empty captions are left out. No generators: all that a document has.
    """
    wanted = (generators,) if isinstance(generators, str) else tuple(dict.fromkeys(generators))
    seen: set[tuple[str, str, str]] = set()
    for document in documents:
        for generator in wanted or document.captions:
            caption, image = document.captions.get(generator, ""), _picture(document)
            key = (image or document.id, generator, caption)
            if caption.strip() and key not in seen:
                seen.add(key)
                yield (
                    Judgement(document=document.id, generator=generator, caption=caption, image=image),
                    document.text,
                )


def _picture(document: Document) -> str:
    """Path or id of the main image; "" where its id says no more than that it is one."""
    main = document.main_image
    return "" if main is None else main.path or (main.id if main.id != main.kind else "")


def write(
    documents: Iterable[Document],
    path: str | os.PathLike[str],
    generator: str | Collection[str] = (),
    sample: int = 0,
    seed: int = 0,
) -> int:
    """Write the captions of a generator, of several or of all (none named) for review, and say how many it were.

    UTF-8 with a byte-order mark, by which Excel knows it, all cells quoted. A cell that a spreadsheet would run as a
    formula gets an apostrophe in front, which `read` takes off. `sample` captions of each generator, 0 for all: which,
    `seed` and the picture decide, so that generators are compared on the same pictures. "-" is standard output.
    `CorpusError` where a generator has no caption at all.
    """
    if sample < 0:
        raise CorpusError(
            f"sample={sample}",
            expected="a number of captions; 0: all",
            where="captions for review",
            remedy="leave it out to review all",
        )
    wanted = (generator,) if isinstance(generator, str) else tuple(generator)
    others: set[str] = set()
    rows = list(captions(_noting(documents, others), wanted))
    lacking = [name for name in wanted if name not in {j.generator for j, _ in rows}]
    if lacking or not rows:
        raise no_caption(lacking[0] if lacking else "at all", others)
    kept = _sampled([j for j, _ in rows], sample, seed)
    rows = [(j, text) for j, text in rows if j in kept]
    if review_tasks.named(path):
        review_tasks.write(rows, path)
        return len(rows)
    with output.open_output(path) as file:
        file.write(b"\xef\xbb\xbf" + table.csv_line(COLUMNS))
        for j, text in rows:
            shown = text if len(text) <= LONGEST else text[:LONGEST] + " ..."
            cells = (j.document, j.image, shown, j.generator, j.caption, "", "", "")
            file.write(table.csv_line([_guarded(cell) for cell in cells]))
    return len(rows)


def no_caption(name: str, there: Collection[str]) -> CorpusError:
    """The error for a generator that no document has a caption of."""
    return CorpusError(
        f"no caption {name!r}" if there else "no captions",
        where="captions for review",
        expected=f"one of {sorted(there)}" if there else "documents with captions",
        remedy="name another, or load the corpus with captions, as in mnre:DIR?captions=NAME",
    )


def _noting(documents: Iterable[Document], names: set[str]) -> Iterator[Document]:
    for document in documents:
        names.update(document.captions)
        yield document


def _sampled(rows: list[Judgement], sample: int, seed: int) -> set[Judgement]:
    def rank(j: Judgement) -> bytes:
        return hashlib.sha256(output.encode_utf8(f"{seed} {j.image or j.document}", f"document {j.document}")).digest()

    of: dict[str, list[Judgement]] = {}
    for j in rows:
        of.setdefault(j.generator, []).append(j)
    return {j for part in of.values() for j in (sorted(part, key=rank)[:sample] if sample else part)}


def _formula(cell: str) -> bool:
    bare = cell.lstrip("'")
    return table.escape_formula(bare) != bare


def _guarded(cell: str) -> str:
    return "'" + cell if _formula(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _formula(cell) else cell


def read(path: str | os.PathLike[str]) -> list[Judgement]:
    """The judgements of a file that `write` wrote and a reader filled in; of Label Studio its JSON export.

    A verdict in the column `correct` is one of `YES` or of `NO`, in any case and width, with blanks around it; an x
    ticks the caption as correct; an empty cell is not judged, and anything else a `CorpusError` with row (as a
    spreadsheet counts, the header being row 1) and value. Columns may be in any order, and others be there; cells may
    be divided by commas, semicolons or tabs, as the header shows. Rows that are empty altogether are left out. A
    caption that is judged twice is an error, as is a file that is no UTF-8.
    """
    if review_tasks.named(path):
        return _once(review_tasks.read(path), f"{path}, tasks")
    rows = _rows(Path(path))
    header = [cell.strip().casefold() for cell in next(rows, (0, []))[1]]
    if wrong := [c for c in NEEDED if header.count(c) != 1] or [c for c in COLUMNS if header.count(c) > 1]:
        raise CorpusError(
            f"{header.count(wrong[0])} columns {wrong[0]!r} in {shorten(','.join(header))}",
            expected="a header with " + ", ".join(NEEDED),
            where=f"{path}, row 1",
            remedy="read the file that `openmie captions --out` wrote, saved as CSV with its header",
        )
    return _once(
        (
            (number, _judgement(header, cells, f"{path}, row {number}"))
            for number, cells in rows
            if any(cell.strip() for cell in cells)
        ),
        f"{path}, rows",
    )


def _once(rows: Iterable[tuple[int, Judgement]], where: str) -> list[Judgement]:
    """The judgements; an error, with the numbers of both, for a caption that is judged twice."""
    found: dict[tuple[str, str], tuple[int, Judgement]] = {}
    for number, made in rows:
        if (before := found.setdefault(_key(made), (number, made)))[0] != number:
            raise _twice(made, f"{where} {before[0]} and {number}")
    return [made for _, made in found.values()]


def _key(judgement: Judgement) -> tuple[str, str]:
    return judgement.document, judgement.generator


def _twice(judgement: Judgement, where: str) -> CorpusError:
    return CorpusError(
        f"two rows for document {judgement.document!r}, generator {judgement.generator!r}",
        expected="one row a caption",
        where=where,
        remedy="remove one of them",
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Row numbers and cells. Line breaks within cells are kept as they stand."""
    for line in read_lines(path):
        if line.error:
            raise CorpusError.of(line.error)
    text = path.read_bytes().decode("utf-8-sig")
    first = text.split("\n", 1)[0]
    mark = max(",;\t", key=first.count)
    number = 0
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True), 1):
            yield number, cells
    except csv.Error as error:
        raise CorpusError(
            f"broken CSV: {error}",
            expected="rows of cells, quoted where they hold a quote or a break",
            where=f"{path}, after row {number}",
            remedy="save it as CSV again",
        ) from None


def _judgement(header: list[str], cells: list[str], where: str) -> Judgement:
    if any(cell.strip() for cell in cells[len(header) :]):
        raise CorpusError(
            f"{len(cells)} cells",
            expected=f"{len(header)} as in the header",
            where=where,
            remedy="quote the cells that hold a comma, or save the file as CSV from a spreadsheet",
        )
    row = {name: _unguarded(cell) for name, cell in zip(header, cells)}
    if missing := [name for name in ("document", "generator", "caption") if not row.get(name, "").strip()]:
        raise CorpusError(
            f"no {missing[0]}",
            expected="document, generator and caption in each row",
            where=where,
            remedy="restore the cell, or remove the row",
        )
    better = row.get("corrected", "")
    return Judgement(
        document=row["document"],
        generator=row["generator"],
        caption=row["caption"],
        correct=_verdict(row.get("correct", ""), where),
        corrected=better if better.strip() else "",
        image=row.get("image", ""),
        note=row.get("note", ""),
    )


def _verdict(cell: str, where: str) -> bool | None:
    spelt = unicodedata.normalize("NFKC", cell).strip().casefold()
    if not spelt:
        return None
    if spelt not in YES | NO:
        raise CorpusError(
            f"correct={shorten(cell)}",
            where=where,
            remedy="write yes or no, or leave the cell empty",
            expected="yes, y, true, 1, x or no, n, false, 0; empty: not judged",
        )
    return spelt in YES


def accuracy(judgements: Iterable[Judgement]) -> Accuracy:
    """CapAcc and CapLen. Of generators that are to be told apart, give the judgements of one."""
    rows = list(judgements)
    said = [j.correct for j in rows if j.correct is not None]
    length = sum(len(j.caption.split()) for j in rows) / len(rows) if rows else nan
    return Accuracy(len(said), sum(said), len(rows) - len(said), length)


def apply(
    documents: Iterable[Document], judgements: Iterable[Judgement], name: str = "", fill: bool = False
) -> Iterator[Document]:
    """The documents, all of them, with each corrected caption as a caption of "<generator> (corrected)", or `name`.

    The caption that was judged stays. Documents of the same picture with the same caption get the better one too.
    `fill`: where nothing was corrected, the caption of the generator stands under the new name as well, so that every
    document with the one has the other. `CorpusError`, before any document: a caption judged twice, one name for
    several generators; at a document: other words than were judged, the new name already taken; at the end: judged
    documents that are not there.
    """
    rows: dict[tuple[str, str], Judgement] = {}
    for j in judgements:
        if _key(j) in rows:
            raise _twice(j, "judgements")
        rows[_key(j)] = j
    names = {generator: new_name(generator, name) for _, generator in rows}
    if len(set(names.values())) < len(names):
        raise CorpusError(
            f"one name {name!r} for {sorted(names)}",
            expected="one generator",
            where="judgements",
            remedy="leave the name out, or take one generator at a time",
        )
    return _applied(documents, rows, names, fill)


def new_name(generator: str, name: str = "") -> str:
    """The generator of corrected captions."""
    return name or f"{generator} (corrected)"


def _applied(
    documents: Iterable[Document], rows: dict[tuple[str, str], Judgement], names: Mapping[str, str], fill: bool
) -> Iterator[Document]:
    better = {(j.image, j.generator, _plain(j.caption)): j.corrected for j in rows.values() if j.image}
    missing = dict.fromkeys(rows)
    for document in documents:
        made: dict[str, str] = {}
        for generator, new in names.items():
            caption, j = document.captions.get(generator, ""), rows.get((document.id, generator))
            missing.pop((document.id, generator), None)
            if j is not None and _plain(caption) != _plain(j.caption):
                raise _other_words(document, j, caption)
            key = (_picture(document), generator, _plain(caption))
            if text := (j.corrected if j is not None else better.get(key, "")) or (caption if fill else ""):
                made[new] = text
        yield named(document, made)
    if missing:
        ids = sorted({document for document, _ in missing})
        raise CorpusError(
            f"{len(ids)} judged documents that are not there: {', '.join(ids[:_NAMED])}"
            + (", ..." if len(ids) > _NAMED else ""),
            where="judgements",
            expected="the documents that the captions were written from",
            remedy="read them back with the corpus and the split that they come from",
        )


def _plain(text: str) -> str:
    """Spreadsheets change line breaks and blanks; words must be the same."""
    return " ".join(text.split())


def _other_words(document: Document, judgement: Judgement, caption: str) -> CorpusError:
    now = f"where the document has {shorten(caption)}" if caption else "which the document has not"
    return CorpusError(
        f"the caption {shorten(judgement.caption)} of {judgement.generator!r}, {now}",
        expected="the words that were judged",
        where=f"document {document.id}",
        remedy="write a better caption into the column corrected; load the corpus with its captions",
    )


def named(document: Document, captions: Mapping[str, str]) -> Document:
    """The document with more captions; `CorpusError` where another caption has the name."""
    for name, text in captions.items():
        if document.captions.get(name, text) != text:
            raise CorpusError(
                f"another caption {name!r}",
                expected="a name that no caption has",
                where=f"document {document.id}",
                remedy="choose another name",
            )
    return document.replace(captions={**document.captions, **captions}) if captions else document
