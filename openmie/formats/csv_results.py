"""A table that `openmie.formats.csv_table` wrote, read back: each post with what was found in it.

What the table has no place for is gone (`csv_table.CANNOT_HOLD`); the images of a post are known by their paths, and
are called as the boxes in them say. Columns of a user's own come back as texts.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import DocumentError, ErrorRecord
from openmie.formats import image_paths as paths
from openmie.formats.csv_table import COLUMNS, MORE, escape_formula

MAX_CELL = 1 << 27  # characters
Row = Mapping[str, str]


def is_result_table(header: str) -> bool:
    """Whether a header line is one of results, with or without columns of a user's own."""
    return tuple(next(csv.reader([header]), []))[: len(COLUMNS)] == COLUMNS


def read_results(
    path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None
) -> Iterator[Document | ErrorRecord]:
    """The documents of a table of results, or a record of one whose rows cannot be.

    Args:
        path: file.
        images: further folder that image paths may lie in.
    """
    csv.field_size_limit(MAX_CELL)
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, strict=True)
        names, group, broken = next(rows), list[Row](), list[ErrorRecord]()
        try:
            for cells in rows:
                row = dict(zip(names, map(unescape_formula, cells)))
                if row.get("kind") == "post" and group:
                    yield _document(group, names, path, images)
                    group = []
                group.append(row)
        except csv.Error as error:
            broken.append(
                ErrorRecord(
                    where=f"{path}:{rows.line_num}",
                    found=f"no CSV: {error}",
                    expected="the table as it was written",
                    remedy="write it again; what follows was not read",
                )
            )
        if group:
            yield _document(group, names, path, images)
        yield from broken


def unescape_formula(cell: str) -> str:
    """The inverse of `escape_formula`, but for a text that had an apostrophe before a formula itself."""
    return cell[1:] if cell.startswith("'") and escape_formula(cell[1:]) == cell else cell


def _document(
    rows: Sequence[Row], names: Sequence[str], path: str | os.PathLike[str], images: Any
) -> Document | ErrorRecord:
    post, where = rows[0], f"{path}, document {rows[0].get('document', '')}"
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.get("kind", ""), []).append(row)
    try:
        mentions = [_mention(row) for row in kinds.get("mention", ())]
        spoken = {m.id: post["text"][m.start : m.end] or m.text for m in mentions}
        regions = [_region(row, spoken) for row in kinds.get("region", ())]
        document = Document(
            id=post["document"],
            text=post["text"],
            images=_images(post["image"], regions),
            mentions=tuple(mentions),
            chains=tuple(
                Chain(id=r["id"], mentions=tuple(r["tail"].split()), label=r["label"], score=_score(r))
                for r in kinds.get("chain", ())
            ),
            relations=tuple(
                Relation(head=r["head"], tail=r["tail"], label=r["label"], score=_score(r))
                for r in kinds.get("relation", ())
            ),
            regions=tuple(regions),
            summary=next((r["text"] for r in kinds.get("summary", ())), ""),
            source=_columns(post, names),
            errors=tuple(
                ErrorRecord(found=r["text"], note=r["kind"] == "note") for r in rows if r["kind"] in ("error", "note")
            ),
        )
    except DocumentError as error:
        return error.record.model_copy(update={"where": f"{where}, {error.record.where}".rstrip(", ")})
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        return ErrorRecord(
            where=where,
            found=f"rows that are no results ({type(error).__name__}: {str(error)[:100]})",
            expected="the table as it was written",
            remedy="write it again, as JSON lines if it is to be read back",
        )
    return paths.resolve_paths(document, paths.parent_folder(path), images)


def _score(row: Row) -> float | None:
    return float(row["score"]) if row["score"] else None


def _mention(row: Row) -> Mention:
    status: Any = row["status"] or "located"
    text = row["text"] if status == "unlocated" else ""
    start, end = int(row["start"]), int(row["end"])
    return Mention(id=row["id"], start=start, end=end, label=row["label"], text=text, status=status, score=_score(row))


def _region(row: Row, spoken: Mapping[str, str]) -> Region:
    left, top, right, bottom = map(float, row["box"].split())
    words = "" if row["head"] and row["text"] == spoken.get(row["head"], row["text"]) else row["text"]
    box = left, top, right, bottom
    return Region(image=row["image"], box=box, label=row["label"], of=row["head"], text=words, score=_score(row))


def _images(cell: str, regions: Sequence[Region]) -> tuple[Image, ...]:
    """Images of the paths of a cell; their names are those of boxes, in order, and else the usual ones."""
    listed = [path for path in cell.split(" | ") if path]
    usual = ["main", *(f"image{n}" for n in range(2, len(listed) + 1))]
    drawn = list(dict.fromkeys(r.image for r in regions))
    strange = iter([name for name in drawn if name not in usual[: len(listed)]])
    names = [name if name in drawn else next(strange, name) for name in usual]
    return tuple(Image(path=path, id=name) for path, name in zip(listed, names))


def _columns(post: Row, names: Sequence[str]) -> dict[str, Any]:
    """The columns of a user's own."""
    found: dict[str, Any] = {}
    for title in names[len(COLUMNS) :]:
        name, value = unescape_formula(title), post.get(title, "")
        if name == MORE:
            found |= json.loads(value) if value else {}
        elif value:
            found[name.removeprefix("source.") if name.removeprefix("source.") in (*COLUMNS, MORE) else name] = value
    return found
