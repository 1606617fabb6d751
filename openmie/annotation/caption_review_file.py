"""Captions for review as a CSV file that a spreadsheet opens, written for a reader and read back as judgements.

A path that ends in .json is a file of Label Studio instead (`caption_review_labelstudio.py`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from openmie.annotation import caption_review_labelstudio as labelstudio_tasks
from openmie.annotation.caption_review_labelstudio import CaptionJudgement
from openmie.data.document import Document
from openmie.errors import CorpusError
from openmie.formats import csv_table as table
from openmie.formats import output
from openmie.formats.text_lines import read_lines, shorten

COLUMNS = ("document", "image", "text", "generator", "caption", "correct", "corrected", "note")
NEEDED = ("document", "generator", "caption", "correct")  # the others may have been deleted in the spreadsheet
YES = frozenset({"yes", "y", "true", "t", "1", "1.0", "x", "right", "correct", "ok", "✓", "✔"})
NO = frozenset({"no", "n", "false", "f", "0", "0.0", "wrong", "incorrect"})
MAX_TEXT = 32_000  # code points of a post that are written: a spreadsheet's cell holds 32,767 characters


def captions(
    documents: Iterable[Document], generators: str | Collection[str] = ()
) -> Iterator[tuple[CaptionJudgement, str]]:
    """Each caption once, unjudged, with the text of the first document that has it, in document order.

    Empty captions are skipped. Without generators: all captions of a document.
    """
    wanted = (generators,) if isinstance(generators, str) else tuple(dict.fromkeys(generators))
    seen: set[tuple[str, str, str]] = set()
    for document in documents:
        for generator in wanted or document.captions:
            caption, image = document.captions.get(generator, ""), image_name(document)
            key = (image or document.id, generator, caption)
            if caption.strip() and key not in seen:
                seen.add(key)
                yield (
                    CaptionJudgement(document=document.id, generator=generator, caption=caption, image=image),
                    document.text,
                )


def image_name(document: Document) -> str:
    """Path or id of the main image; "" where the id is only its kind."""
    main = document.main_image
    return "" if main is None else main.path or (main.id if main.id != main.kind else "")


def write(
    documents: Iterable[Document],
    path: str | os.PathLike[str],
    generator: str | Collection[str] = (),
    sample: int = 0,
    seed: int = 0,
) -> int:
    """Write captions for review.

    The CSV is UTF-8 with a byte-order mark, all cells quoted. A cell that a spreadsheet would run as a formula gets an
    apostrophe in front, which `read` removes.

    Args:
        documents: Documents with captions.
        path: A .csv file, or .json for Label Studio; "-" is standard output.
        generator: Name or names of caption generators; none: all.
        sample: Number of captions of each generator, 0: all. Generators are sampled on the same images.
        seed: Seed of the sample.

    Returns:
        The number of captions written.

    Raises:
        CorpusError: For a generator without any caption, and a negative sample.
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
    rows = list(captions(_record_generators(documents, others), wanted))
    lacking = [name for name in wanted if name not in {j.generator for j, _ in rows}]
    if lacking or not rows:
        raise no_caption(lacking[0] if lacking else "at all", others)
    kept = _sampled([j for j, _ in rows], sample, seed)
    rows = [(j, text) for j, text in rows if j in kept]
    if labelstudio_tasks.named(path):
        labelstudio_tasks.write(rows, path)
        return len(rows)
    with output.open_output(path) as file:
        file.write(b"\xef\xbb\xbf" + table.csv_line(COLUMNS))
        for j, text in rows:
            shown = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " ..."
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


def _record_generators(documents: Iterable[Document], names: set[str]) -> Iterator[Document]:
    for document in documents:
        names.update(document.captions)
        yield document


def _sampled(rows: list[CaptionJudgement], sample: int, seed: int) -> set[CaptionJudgement]:
    def rank(j: CaptionJudgement) -> bytes:
        return hashlib.sha256(output.encode_utf8(f"{seed} {j.image or j.document}", f"document {j.document}")).digest()

    of: dict[str, list[CaptionJudgement]] = {}
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


def read(path: str | os.PathLike[str]) -> list[CaptionJudgement]:
    """Read the judgements of a file that `write` wrote and a reader filled in, or Label Studio's JSON export of it.

    The column `correct` holds one of `YES` or `NO`, case-insensitive; x means correct; an empty cell is unjudged.
    Columns may be in any order, with others between them; the delimiter is a comma, semicolon or tab. Empty rows are
    skipped.

    Args:
        path: A .csv file, or .json of Label Studio.

    Raises:
        CorpusError: With row (1 is the header) and value: another value of `correct`, a missing column, a caption
            judged twice, broken CSV, a file that is not UTF-8.
    """
    if labelstudio_tasks.named(path):
        return _each_once(labelstudio_tasks.read(path), f"{path}, tasks")
    rows = _rows(Path(path))
    header = [cell.strip().casefold() for cell in next(rows, (0, []))[1]]
    if wrong := [c for c in NEEDED if header.count(c) != 1] or [c for c in COLUMNS if header.count(c) > 1]:
        raise CorpusError(
            f"{header.count(wrong[0])} columns {wrong[0]!r} in {shorten(','.join(header))}",
            expected="a header with " + ", ".join(NEEDED),
            where=f"{path}, row 1",
            remedy="read the file that `openmie caption-review --out` wrote, saved as CSV with its header",
        )
    return _each_once(
        (
            (number, _judgement(header, cells, f"{path}, row {number}"))
            for number, cells in rows
            if any(cell.strip() for cell in cells)
        ),
        f"{path}, rows",
    )


def _each_once(rows: Iterable[tuple[int, CaptionJudgement]], where: str) -> list[CaptionJudgement]:
    """The judgements. Raises `CorpusError`, with both row numbers, for a caption judged twice."""
    found: dict[tuple[str, str], tuple[int, CaptionJudgement]] = {}
    for number, made in rows:
        if (before := found.setdefault(made.key, (number, made)))[0] != number:
            raise judged_twice(made, f"{where} {before[0]} and {number}")
    return [made for _, made in found.values()]


def judged_twice(judgement: CaptionJudgement, where: str) -> CorpusError:
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


def _judgement(header: list[str], cells: list[str], where: str) -> CaptionJudgement:
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
    return CaptionJudgement(
        document=row["document"],
        generator=row["generator"],
        caption=row["caption"],
        correct=_parse_correct(row.get("correct", ""), where),
        corrected=better if better.strip() else "",
        image=row.get("image", ""),
        note=row.get("note", ""),
    )


def _parse_correct(cell: str, where: str) -> bool | None:
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
