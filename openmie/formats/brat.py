"""brat standoff: a folder with `NAME.txt` and `NAME.ann` for each document; T lines are mentions, R lines relations.

Offsets are code points of the text file, line ends included; those of tools that count UTF-16 units, or CRLF as one,
are recognised by the names that stand beside them. A mention over a line end is in fragments, `9 12;13 17`, as brat
writes it. Labels and ids are percent-encoded where brat has no place for a character; an empty label is written `_`.
Mentions are renamed T1, T2, ...
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from openmie.data.document import Document, Mention, Relation
from openmie.data.images import resolve_inside
from openmie.errors import CorpusError, DocumentError, ErrorRecord, ImageError
from openmie.formats import output
from openmie.formats.span_edges import trim_note, trim_span
from openmie.text.offset_readings import Reading, offset_readings

CANNOT_HOLD = (
    "words",
    "images",
    "chains",
    "regions",
    "records",
    "phrases",
    "captions",
    "summary",
    "times",
    "lang",
    "source",
    "errors",
    "mentions.status",
    "mentions.score",
    "relations.score",
    "mentions.attributes",
)

_MARK = "\ufeff"  # what some editors put in front of a UTF-8 file
_SPAN = re.compile(r"(\S+) ([0-9]{1,15} [0-9]{1,15}(?:;[0-9]{1,15} [0-9]{1,15})*)")
_LINK = re.compile(r"(\S+) Arg1:(\S+) Arg2:(\S+)")
_KINDS = {
    "*": "an equivalence",
    "E": "an event",
    "A": "an attribute",
    "M": "an attribute",
    "N": "a normalisation",
    "#": "a note",
}


def write(documents: Iterable[Document], path: str | os.PathLike[str]) -> output.Written:
    """A new folder with two files a document; the report lists what a document had and brat has not."""
    report, taken = output.WriteReport(CANNOT_HOLD), set()
    with output.new_folder(path) as folder:
        for document in documents:
            report.count(document)
            name = output.safe_name(document.id)
            if name.casefold() in taken:
                report.reject(
                    document, f"the file name {name} again", "ids that differ in more than case", "rename the document"
                )
                continue
            taken.add(name.casefold())
            if unquote(name) != document.id:
                report.note(document, "an id that is empty or too long", "1 to 180 bytes", f"written as {name}")
            where = f"document {document.id}"
            (folder / f"{name}.txt").write_bytes(output.encode_utf8(document.text, where))
            (folder / f"{name}.ann").write_bytes(output.encode_utf8("".join(_lines(document, report)), where))
    return report.result()


def _lines(document: Document, report: output.WriteReport) -> Iterator[str]:
    names: dict[str, str] = {}
    for m in document.mentions:
        if m.status == "unlocated":
            report.drop(
                "mentions",
                document,
                f"mention {m.id!r}, which is not in the text",
                "a span of the text",
                "use jsonl to keep it",
            )
            continue
        names[m.id] = f"T{len(names) + 1}"
        yield f"{names[m.id]}\t{escape_label(m.label)} {_fragments(m)}\t{_flat(m.text)}\n"
    count = 0
    for r in document.relations:
        if r.head in names and r.tail in names:
            count += 1
            yield f"R{count}\t{escape_label(r.label)} Arg1:{names[r.head]} Arg2:{names[r.tail]}\n"
        else:
            report.drop(
                "relations",
                document,
                f"relation {r.label!r} of {r.head!r} and {r.tail!r}",
                "two mentions of the text",
                "use jsonl to keep relations of chains",
            )


def _fragments(mention: Mention) -> str:
    """Offsets of a mention, one pair a line: a span of brat holds no line end."""
    parts = [m.span() for m in re.finditer(r"[^\r\n]+", mention.text)]
    if not parts or parts[0][0] > 0 or parts[-1][1] < len(mention.text):
        return f"{mention.start} {mention.end}"
    return ";".join(f"{mention.start + a} {mention.start + b}" for a, b in parts)


def _flat(text: str) -> str:
    return re.sub(r"[\t\n\r]", " ", text)


def escape_label(label: str) -> str:
    """A label as brat's files hold it."""
    return re.sub(r"[\s%]|^_$", lambda m: quote(m.group(), safe="") if m.group() != "_" else "%5F", label) or "_"


def _unescape_label(text: str) -> str:
    return "" if text == "_" else unquote(text)


def read(path: str | os.PathLike[str]) -> Iterator[Document | ErrorRecord]:
    """A document per text file, in the order of names; what brat holds and a Document does not is in its `errors`."""
    root = Path(path)
    if root.is_file():
        root, files = root.parent, [root.with_suffix(".txt")]
    elif root.is_dir():
        files = sorted({f.with_suffix(".txt") for f in root.rglob("*.ann")} | set(root.rglob("*.txt")))
    else:
        raise CorpusError(
            "no such folder", expected="a folder with .txt and .ann files", where=str(path), remedy="check the path"
        )
    for file in files:
        try:
            yield _document(file, root)
        except (OSError, UnicodeDecodeError, DocumentError, ImageError) as error:
            found = error.record.found if isinstance(error, DocumentError | ImageError) else str(error)
            yield ErrorRecord(
                where=str(file),
                found=found,
                remedy="restore the pair of files",
                expected="a UTF-8 text file beside its .ann, both in the folder",
            )


def _document(file: Path, root: Path) -> Document:
    name = file.relative_to(root)
    text = resolve_inside(str(name), root).read_bytes().decode("utf-8")
    document = Document(id=unquote(name.with_suffix("").as_posix()), text=text)
    notes = file.with_suffix(".ann")
    if not notes.exists():
        return document
    raw = resolve_inside(str(notes.relative_to(root)), root).read_bytes().decode("utf-8").removeprefix(_MARK)
    lines = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = [(n, line.split("\t")) for n, line in enumerate(lines, 1) if line.strip()]
    rows.sort(key=lambda row: row[1][0][:1] == "R")  # an R line may stand before its T lines
    texts = [text, text[1:]] if text.startswith(_MARK) else [text]  # offsets may count the mark, or not
    ways = ((document.replace(text=t), reading) for t in texts for reading in offset_readings(t))
    return min((_annotated(d, rows, str(notes), reading) for d, reading in ways), key=lambda d: _lost(d.errors))


def _lost(errors: Iterable[ErrorRecord]) -> int:
    return sum(not error.note for error in errors)


def _annotated(document: Document, rows: list[tuple[int, list[str]]], notes: str, reading: Reading) -> Document:
    mentions: dict[str, Mention] = {}
    relations: list[Relation] = []
    errors: list[ErrorRecord] = []
    trimmed = 0
    for number, cells in rows:
        item = _item(cells, document.text, mentions, f"{notes}:{number}", reading)
        if isinstance(item, Mention):
            start, end = trim_span(document.text, item.start, item.end)
            trimmed += (start, end) != (item.start, item.end)
            mentions[item.id] = item.model_copy(update={"start": start, "end": end})
        elif isinstance(item, Relation):
            relations.append(item)
        else:
            errors.append(item)
    errors += trim_note(trimmed, notes)
    return document.replace(mentions=tuple(mentions.values()), relations=tuple(relations), errors=tuple(errors))


def _item(
    cells: list[str], text: str, mentions: dict[str, Mention], where: str, reading: Reading
) -> Mention | Relation | ErrorRecord:
    kind = cells[0][:1]
    if kind == "T" and cells[0] in mentions:
        return ErrorRecord(
            where=where, found=f"the id {cells[0]} again", expected="one id each", remedy="renumber the annotations"
        )
    if kind == "T":
        return _mention(cells, text, where, reading)
    if kind == "R":
        return _relation(cells, mentions, where)
    return ErrorRecord(
        where=where, found=_KINDS.get(kind, "an unknown line"), expected="T and R lines", remedy="openmie leaves it out"
    )


def _mention(cells: list[str], text: str, where: str, reading: Reading) -> Mention | ErrorRecord:
    span = _SPAN.fullmatch(cells[1]) if len(cells) > 1 else None
    if span is None:
        expected = "Tn TAB LABEL START END TAB TEXT"
        return ErrorRecord(where=where, found="a malformed line", expected=expected, remedy="mend it")
    read = [reading(int(n)) for n in re.split("[ ;]", span[2])]
    edges = [at for at in read if at is not None]
    start, end = (edges[0], edges[-1]) if edges == read else (0, 0)
    gaps = [text[a:b] for a, b in zip(edges[1:-1:2], edges[2:-1:2])] if edges == read else []
    if any(gap.strip() for gap in gaps):
        return ErrorRecord(
            where=where,
            found="a discontinuous span",
            expected="fragments with nothing but white space between them",
            remedy="openmie leaves it out",
        )
    surface = text[start:end]
    stated = "\t".join(cells[2:])
    if not start < end <= len(text) or (stated and stated.split() != _flat(surface).split()):
        return ErrorRecord(
            where=where,
            found=f"{stated[:80]!r} at {span[2]}, where the text has {surface[:80]!r}",
            expected="offsets in code points of the .txt file",
            remedy="check that the two files belong together, line ends included",
        )
    return Mention(id=cells[0], start=start, end=end, label=_unescape_label(span[1]))


def _relation(cells: list[str], mentions: dict[str, Mention], where: str) -> Relation | ErrorRecord:
    link = _LINK.fullmatch(cells[1].strip()) if len(cells) > 1 else None
    if link is None or link[2] not in mentions or link[3] not in mentions:
        return ErrorRecord(
            where=where,
            found=repr("\t".join(cells)[:120]),
            remedy="openmie leaves it out",
            expected="Rn TAB LABEL Arg1:Tn Arg2:Tn, between two mentions that could be read",
        )
    return Relation(head=link[2], tail=link[3], label=_unescape_label(link[1]))
