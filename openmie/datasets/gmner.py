"""GMNER: tweets as in `twitter`, with LabelImg boxes tied to the mentions whose surface text they are named after.

An object of a tweet's annotation file gives one region for every mention that its name fits (two mentions of one name
share a box). The name is compared as it is, then without blanks, then in normal form without regard to case. An object
that fits no mention is kept as a region with `of=""`, and a record in `Document.errors` says its name. Image sizes come
from the annotation files, so nothing is decoded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Mention, Region
from openmie.datasets.audit.checks import Finding
from openmie.datasets.reading.attachments import AttachmentOptions
from openmie.datasets.reading.split_files import describe_folder, find_path, one_file_per_split, split_files
from openmie.datasets.reading.token_columns import label_column
from openmie.datasets.twitter import read_tweets
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.archives import SUFFIXES
from openmie.formats.labelimg import Annotation, AnnotationFiles


def load_gmner(
    path: Path,
    *,
    captions: str | tuple[str, ...] = (),
    images: str | Path = "",
    boxes: str | Path = "",
    column: str | int = "",
) -> Corpus:
    """Load a folder with `txt/{train,dev,test}.txt` and the annotation files.

    Args:
        path: the folder, or one file.
        captions: a file, or the generator of `captions/NAME_{train,val,test}.txt`; several separated by commas.
        images: the folder with the image files.
        boxes: the folder or archive of the annotation files; "": `xml` or `xml.tar.gz`, see `find_annotations`.
        column: of the labels, as in `load_twitter`.

    Raises:
        CorpusError: files that are not there, or an unknown column.
    """
    files = one_file_per_split(split_files(path, (".txt",), within=("txt",)))
    options = AttachmentOptions.find(path, tuple(files), captions=captions, images=images)
    where, at = find_annotations(path, boxes), label_column(column)
    return Corpus(f"gmner:{path}", {s: partial(grounded_tweets, f, options, s, where, at) for s, f in files.items()})


def find_annotations(path: Path, named: str | Path = "") -> Path:
    """The folder or archive of the annotation files: the one that is named, or the one beside the texts."""
    names = [str(named)] if named else ["xml", *("xml" + suffix for suffix in SUFFIXES), "../xml", "../xml.tar.gz"]
    found = (
        [p for name in names if (p := find_path(name, path)) is not None]
        if named
        else [p for name in names if (p := (path.parent if path.is_file() else path) / name).exists()]
    )
    if not found:
        root = path.parent if path.is_file() else path
        raise CorpusError(
            f"no boxes in {root}, which holds {describe_folder(root)}",
            expected="a folder xml, or xml.tar.gz",
            remedy="name the folder or archive with boxes=, or read the text alone as twitter:PATH",
        )
    return found[0]


def unused_annotation_files(path: Path, options: Mapping[str, Any], images: frozenset[str]) -> Iterator[Finding]:
    """The annotation files whose image no document has; for `doctor`."""
    files = AnnotationFiles(find_annotations(path, options.get("boxes", "")))
    if unused := sorted(files.images() - images):
        yield Finding("annotation files of no document", "", len(unused), tuple(unused[:5]))


def grounded_tweets(
    path: Path, options: AttachmentOptions, split: str, boxes: Path, column: int = -1
) -> Iterator[Item]:
    """The tweets of one file with their regions."""
    annotations = AnnotationFiles(boxes)
    for item in read_tweets(path, options, split, column):
        if isinstance(item, Document) and (found := annotations.get(item.source["imgid"])) is not None:
            yield from found.errors
            item = _with_regions(item, found)
        yield item


def _with_regions(document: Document, found: Annotation) -> Document:
    regions: list[Region] = []
    errors: list[ErrorRecord] = list(found.errors)
    image = document.images[0]
    for name, box in found.objects:
        shown = matching_mentions(name, document.mentions)
        regions += [Region(image=image.id, box=box, label=m.label, of=m.id) for m in shown]
        if not shown:
            regions.append(Region(image=image.id, box=box))
            errors.append(
                ErrorRecord(
                    where=f"document {document.id}, box {box}",
                    found=f"name {name!r}",
                    expected="the text of a mention",
                    remedy="correct the name; the box was kept",
                )
            )
    sized = image.model_copy(update={"width": found.width or None, "height": found.height or None})
    source = {**document.source, "corpus": "gmner", "boxes": len(found.objects), "filename": found.filename}
    return document.replace(images=(sized,), regions=tuple(regions), source=source, errors=(*document.errors, *errors))


def matching_mentions(name: str, mentions: tuple[Mention, ...]) -> list[Mention]:
    """The mentions that a name fits, by the strictest comparison that fits any."""
    for form in _FORMS:
        if found := [m for m in mentions if form(m.text) == form(name)]:
            return found
    return []


def _joined(text: str) -> str:
    return "".join(text.split())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", _joined(text)).casefold()


_FORMS: tuple[Callable[[str], str], ...] = (str, _joined, _folded)
