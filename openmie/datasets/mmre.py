"""M-MRE: posts with names, the patches that show them, and a summary of the image, made from a grounded corpus.

Gan et al.: M-MRE: Extending the Mutual Reinforcement Effect to Multimodal Information Extraction (2025), section 3.1.
Neither data nor code are public; this is the way from GMNER that the text tells:

    documents   the tweets with at least one box that is tied to a name (5,612 in GMNER 2.0; the paper has 5,533)
    patches     one for each box, and candidate objects that lie elsewhere as distractors where the corpus has them
    summary     the caption of one generator, reviewed by people or not
    splits      all tweets together, drawn by a seed: 7 parts train, 3 parts test

Departures: a share of train is dev, for a training must not choose by its test split (`dev=0`: the paper's two parts);
patches stand from left to right, so that a letter says nothing about the order of names in the text, of which the
paper says nothing. On Diorama the splits and patches are its own and the summary is that of `diorama.posts.summaries`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache, partial

from openmie.data.box_iou import box_iou
from openmie.data.corpus import Corpus, Item
from openmie.data.document import Document, Image
from openmie.diorama.posts.summaries import with_image_summary
from openmie.errors import CorpusError, ErrorRecord

TRAIN = 0.7  # share of all documents
PUBLISHED = {"documents": 5533, "train": 3873, "test": 1660}  # section 4; the parts follow from 7:3


def build_mmre(source: Corpus, *, summary: str = "", seed: int = 0, dev: float = 0.1, split: bool = True) -> Corpus:
    """The M-MRE of a grounded corpus.

    `summary` names the generator of the captions that become summaries; "" takes a document's own summary, or its only
    caption. `seed` draws the splits and `dev` is the share of train that is put aside; with `split=False`, and always
    on Diorama, the corpus's own splits are kept. Errors: a share that leaves no train, captions that nobody wrote.
    """
    if not 0 <= dev < 1:
        raise CorpusError(f"dev={dev}", expected="a share from 0, below 1", where="mmre.corpus", remedy="0.1 is usual")
    if source.generated:
        if summary:
            raise CorpusError(
                f"unknown generator of captions {summary!r}",
                expected=f"none: {source.name} writes the summaries itself",
                where="--summary",
                remedy="leave it out",
            )
        own = {s: partial(_posts, source, s) for s in source.sources}
        return Corpus(source.name, own, source.symmetric, source.declared)
    if not split:
        sources = {s: partial(_groundable_documents, source, s, summary) for s in source.sources}
        return Corpus(f"mmre of {source.name}", sources, source.symmetric, source.declared)
    assignment = cache(partial(draw_splits, source, seed, dev))
    parts = ("train", *(("dev",) if dev else ()), "test")
    return Corpus(
        f"mmre of {source.name}",
        {s: partial(_drawn_split, source, s, summary, assignment) for s in parts},
        source.symmetric,
        source.declared,
    )


def draw_splits(source: Corpus, seed: int, dev: float) -> dict[str, str]:
    """Document id -> train, dev or test, of all groundable documents of a corpus.

    The first 7 tenths by sha256 of seed and id are train, and of these the last `dev` dev. Errors: an id twice.
    """
    ids = [d.id for s in source.sources for d in source.split(s) if groundable(d)]
    if len(set(ids)) < len(ids):
        raise CorpusError(
            "a document id in two splits",
            expected="one id a document",
            where=source.name,
            remedy="keep the corpus's own splits (split=False)",
        )
    ranked = sorted(ids, key=lambda id: hashlib.sha256(f"{seed} {id}".encode("utf8", "surrogatepass")).digest())
    train = int(TRAIN * len(ranked))
    num_train = train - int(dev * train)
    return {id: "train" if i < num_train else "dev" if i < train else "test" for i, id in enumerate(ranked)}


def groundable(document: Document) -> bool:
    """Whether at least one box is tied to a name."""
    return any(r.of for r in document.regions) and document.main_image is not None


def _posts(source: Corpus, name: str) -> Iterator[Item]:
    for document in source.split(name):
        if document.text and document.main_image is not None:
            yield with_image_summary(document)


def _groundable_documents(source: Corpus, name: str, summary: str) -> Iterator[Item]:
    return _some_with(summary, name, (d for d in source.split(name) if groundable(d)))


def _drawn_split(source: Corpus, name: str, summary: str, assignment: object) -> Iterator[Item]:
    where: dict[str, str] = assignment()  # type: ignore[operator]
    every = (document for split in source.sources for document in source.split(split))
    return _some_with(summary, name, (d for d in every if where.get(d.id) == name))


def _some_with(summary: str, split: str, documents: Iterable[Document]) -> Iterator[Item]:
    """The documents with patches and summary. CorpusError where none of them has a caption of the generator."""
    number, found, there = 0, 0, set[str]()
    for document in documents:
        there |= {generator for generator, text in document.captions.items() if text.strip()}
        made = with_patches_and_summary(document, summary)
        number, found = number + 1, found + bool(made.summary)
        yield made
    if summary and number and not found:
        raise CorpusError.unknown("generator of captions", summary, sorted(there), where=f"split {split}, --summary")


def with_patches_and_summary(document: Document, summary: str = "") -> Document:
    """The document with one patch for each box of its main image, left to right, and its summary.

    Boxes that are equal are one patch. An object or patch that the corpus brings is a distractor where it overlaps no
    box by half. A document without the caption keeps an empty summary and a record says so.
    """
    main = document.main_image
    if main is None:
        raise CorpusError(
            "no main image",
            expected="a document with an image",
            where=f"document {document.id}",
            remedy="take the documents that openmie.datasets.mmre.groundable lets pass",
        )
    boxes = {r.box for r in document.regions if r.image == main.id}
    for image in document.images:
        if (
            image.kind in ("object", "patch")
            and image.parent in ("", main.id)
            and image.box is not None
            and all(box_iou(image.box, box) < 0.5 for box in boxes)
        ):
            boxes.add(image.box)
    patches = tuple(Image(kind="patch", id=f"patch{i}", parent=main.id, box=box) for i, box in enumerate(sorted(boxes)))
    text, errors = _summary(document, summary)
    return document.replace(images=(main, *patches), phrases=(), summary=text, errors=(*document.errors, *errors))


def _summary(document: Document, name: str) -> tuple[str, tuple[ErrorRecord, ...]]:
    """The caption of the generator, or the only text that there is."""
    there = {k: v for k, v in document.captions.items() if v.strip()}
    if not name and (document.summary or len(there) == 1):
        return document.summary or next(iter(there.values())), ()
    if name in there:
        return there[name], ()
    return "", (
        ErrorRecord(
            where=f"document {document.id}, summary",
            found=f"no caption {name!r}" if name else f"captions {sorted(there)}",
            expected=f"one of {sorted(there)}" if there else "a caption",
            remedy="name its generator; openmie caption writes captions",
        ),
    )
