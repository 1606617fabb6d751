"""MNRE: one Python dict literal per line, one document per row, with the `None` rows as relations like any other.

Version 1 writes `none` in small letters, and image ids as numbers: they are read as `None`, and as text.

A row has `token`, `h` and `t` (`name`, and `pos` as half-open token offsets), `img_id` and `relation`. The two mentions
have the ids "h" and "t" and no label of their own: the types stand in the relation's name (`/per/org/member_of`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Mention, Relation, Word
from openmie.datasets.reading.attachments import AttachmentOptions, Attachments
from openmie.datasets.reading.image_companions import CompanionOptions, Companions
from openmie.datasets.reading.python_literal_rows import parse_literal
from openmie.datasets.reading.split_files import one_file_per_split, split_files
from openmie.datasets.twitter import word_spans
from openmie.errors import ErrorRecord
from openmie.formats.text_lines import catch_invalid_document, line_error, read_lines, shorten

# What holds from A to B holds from B to A by the meaning of the word, so an annotator could have named either first.
# `alternate_names` is one of them: two names of one thing. `parent`, `charges`, `subsidiary`, `contain`, `part_of` and
# all relations between things of different types have a direction. `None` says nothing of the pair, either way.
SYMMETRIC = frozenset(
    {
        "/per/per/couple",
        "/per/per/peer",
        "/per/per/siblings",
        "/per/per/neighbor",
        "/per/per/alumi",
        "/per/per/alternate_names",
        "/org/org/alternate_names",
    }
)
NO_RELATION = "None"  # also what `none` of version 1 becomes, so that it is one label everywhere
EXPECTED = "a dict with token, h and t (name, pos), img_id and relation"


ASIDE = ("_weight_", "phrase", "grounding", "_dict", "rel2id")  # in the names of files that lie beside the rows


def load_mnre(
    path: Path,
    *,
    captions: str | tuple[str, ...] = (),
    images: str | Path = "",
    weights: str | bool | Path = "",
    objects: str | bool | Path = "",
    generated: str | bool | Path = "",
    generated_objects: str | bool | Path = "",
    phrases: str | bool | Path = "",
) -> Corpus:
    """Load a folder with `mnre_train.txt`, `mnre_val.txt` (`mnre_val .txt`) and `mnre_test.txt`, or `ours_*.txt`.

    What HVPNeT and TMR publish is attached in their layouts, see `openmie.datasets.reading.image_companions`; True
    takes their own names.

    Args:
        path: the folder, or one file.
        captions: a file, or the generator of `captions/NAME_{train,val,test}.txt`; several separated by commas.
        images: the folder with the image files.
        weights: True, or a folder: reads the image-text relevance of `{split}_weight_*.txt` into `Image.relevance`, of
            generated images that of `dif_{split}_weight_*.txt`.
        objects: folder of object crops, `img_vg`.
        generated: folder of the images generated from the texts, `diffusion_pic`.
        generated_objects: True, or the folder with `mre_dif_{split}_dict.pth`, boxes in these.
        phrases: True, or the folder with `phrase_text_{split}.json`, what the objects were searched by.

    Raises:
        CorpusError: files that are not there.
    """
    found = split_files(path, (".txt", ".json", ".jsonl"), within=("txt", "mnre_txt"))
    rows = {s: [f for f in some if not any(mark in f.name for mark in ASIDE)] or some for s, some in found.items()}
    files = one_file_per_split(rows)
    options = AttachmentOptions.find(path, tuple(files), captions=captions, images=images, weights=weights)
    more = CompanionOptions.find(
        path,
        tuple(files),
        objects=objects,
        generated=generated,
        generated_objects=generated_objects,
        phrases=phrases,
        weights=weights,
    )
    opened = {s: partial(read_rows, f, options, s, more) for s, f in files.items()}
    return Corpus(f"mnre:{path}", opened, symmetric=SYMMETRIC)


def read_rows(
    path: Path, options: AttachmentOptions, split: str, more: CompanionOptions | None = None
) -> Iterator[Item]:
    """One document per line, or a record for a line that is no row."""
    media, companions, count = Attachments(options, split), Companions(more or CompanionOptions(), split), -1
    for line in read_lines(path):
        if line.error:
            yield line.error
        if not line.text.strip():
            continue
        row, count = parse_literal(line.text.strip()), count + 1
        if isinstance(row, dict):
            items = _document(path, line.number, row, media, split, (line.error,) if line.error else ())
            items = (_accompanied(d, companions, count) if isinstance(d, Document) else d for d in items)
            yield from catch_invalid_document(items, path, line.number)
        else:
            yield line_error(
                path, line.number, shorten(line.text), EXPECTED, "mend or remove the line; it was left out"
            )
    yield from media.records()
    yield from companions.records()


def _accompanied(document: Document, companions: Companions, row: int) -> Document:
    """The document with the object images, the generated image and the phrases of its row."""
    if document.main_image is None:
        return document
    images, phrases = companions.of(row, document.main_image)
    return document.replace(images=(*document.images, *images), phrases=phrases) if images or phrases else document


def _document(
    path: Path, number: int, row: dict[str, Any], media: Attachments, split: str, errors: tuple[ErrorRecord, ...]
) -> Iterator[Item]:
    token, image, label = row.get("token"), row.get("img_id"), row.get("relation")
    image = str(image) if type(image) is int else image
    label = NO_RELATION if isinstance(label, str) and label.lower() == NO_RELATION.lower() else label
    if not _is_row(token, image, label):
        yield line_error(path, number, shorten(row), EXPECTED, "mend or remove the line; it was left out")
        return
    assert isinstance(token, list) and isinstance(image, str) and isinstance(label, str)
    spans = word_spans(token)
    ends = []
    for key in ("h", "t"):
        mention = _mention(key, row.get(key), token, spans)
        if isinstance(mention, str):
            yield line_error(
                path,
                number,
                mention,
                f"{key}.pos as [start, end) in {len(token)} tokens, over {key}.name",
                "correct the offsets; the row was left out",
            )
            return
        ends.append(mention)
    yield Document(
        id=f"{split}-{number}",
        text=" ".join(token),
        words=spans,
        images=(media.image(image),) if image else (),
        mentions=tuple(ends),
        relations=(Relation(head="h", tail="t", label=label),),
        captions=media.captions(image),
        source={"corpus": "mnre", "file": path.name, "line": number, "img_id": image},
        lang="en",
        errors=errors,
    )


def _is_row(token: object, image: object, label: object) -> bool:
    return (
        isinstance(token, list)
        and bool(token)
        and all(isinstance(t, str) for t in token)
        and isinstance(image, str)
        and isinstance(label, str)
        and bool(label)
    )


def _mention(key: str, given: object, token: list[str], spans: tuple[Word, ...]) -> Mention | str:
    """The mention, or what is wrong with it. A name that differs from its tokens in more than blanks is wrong."""
    name, pos = (given.get("name"), given.get("pos")) if isinstance(given, dict) else (None, None)
    if not (isinstance(pos, list | tuple) and len(pos) == 2 and all(type(p) is int for p in pos)):
        return f"{key}={shorten(given)}"
    start, end = pos
    if not 0 <= start < end <= len(token):
        return f"{key}.pos={list(pos)}"
    if isinstance(name, str) and "".join(name.split()) != "".join("".join(token[start:end]).split()):
        return f"{key}.name={shorten(name)} where the tokens say {shorten(' '.join(token[start:end]))}"
    return Mention(id=key, start=spans[start].start, end=spans[end - 1].end)
