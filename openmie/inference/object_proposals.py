"""Candidate objects of people's own images: a zero-shot detector, asked for the noun phrases of the text.

What papers call a visual grounding toolkit. A candidate is an `Image` of kind `object` whose `parent` and `box` (xyxy
pixels of the upright original, to 1/100) say where it is; its detector score is the relevance named `detector`, and the
`Phrase` of its id holds the words that it was found by. Queries come from words and parts of speech alone: no mention,
region or other annotation is read.

`propose_objects` is the search, over any documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from openmie.data import images as pictures
from openmie.data.box_iou_matrix import box_iou_matrix
from openmie.data.document import Document, Image, Phrase
from openmie.data.small_pictures import MinSize
from openmie.errors import ErrorRecord, ImageError, RecipeError
from openmie.inference.detector import Detections, Detector
from openmie.text.noun_phrases import noun_phrases

SCORE = "detector"  # name of the relevance that holds a candidate's score
SEARCHED = ("main", "generated")  # kinds of images
SEARCHED_SIZE = MinSize(longer=1536)  # that a detector is given at least of a large picture


@dataclass(frozen=True, kw_only=True)
class ProposalOptions:
    """Which queries a detector is given, and which of its boxes are kept.

    Args:
        max_objects: maximum number of candidates per document, over all its main images.
        score_threshold: minimum score of a box; None: the detector's own, 0.1 or 0.25.
        iou_threshold: of two boxes with a higher IoU only the better one is kept, whatever their phrases.
        max_queries: maximum number of phrases per document, in text order; the record says how many were left out.
        fallback_query: the query where a text has no noun phrase.
        replace: search again where a document has candidates already.
    """

    max_objects: int = 3
    score_threshold: float | None = None
    iou_threshold: float = 0.5
    max_queries: int = 30
    fallback_query: str = "an object"
    replace: bool = False

    def __post_init__(self) -> None:
        counts = {"max_objects": self.max_objects, "max_queries": self.max_queries}
        rates = {"iou_threshold": self.iou_threshold, "score_threshold": self.score_threshold}
        wrong = [f"{name}={value}" for name, value in counts.items() if value < 1]
        wrong += [f"{name}={value}" for name, value in rates.items() if value is not None and not 0 <= value <= 1]
        if wrong or not self.fallback_query.strip():
            raise RecipeError(
                wrong[0] if wrong else "an empty query",
                expected="at least 1 for max_objects and max_queries, 0 to 1 for the thresholds",
                remedy="correct it, or leave it out",
            )


@dataclass
class _SearchedImage:
    """One image to be searched: pixels, (width, height), queries and the phrase of each."""

    image: Image
    pixels: Any
    size: tuple[int, int]
    queries: list[str]
    phrases: list[str]
    found: Detections | None = None


@dataclass
class _DocumentSearch:
    """A document with its images to be searched, and what went wrong."""

    document: Document
    rows: list[_SearchedImage] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)

    def note(self, what: str, found: str, expected: str, remedy: str) -> None:
        where = f"document {self.document.id}, {what}"
        self.errors.append(ErrorRecord(where=where, found=found, expected=expected, remedy=remedy))


def propose_objects(
    documents: Iterable[Document], detector: Detector, search: ProposalOptions | None = None, batch: int = 8
) -> Iterator[Document]:
    """Each document in order, with its candidates behind its images, the best first.

    Main images are searched, and so are those generated from the text, each kind with its own number of candidates.
    One without such an image, or with candidates already (unless `search.replace`), comes out as it was. What could not
    be done is in `errors`: an image that cannot be read, phrases that the detector has no room for. `batch` images are
    searched at once; the result does not depend on it.
    """
    search = search or ProposalOptions()
    if batch < 1:
        raise RecipeError(f"batch={batch}", expected="at least 1", remedy="8 is usual")
    stream = iter(documents)
    while part := list(islice(stream, batch)):
        works = [_work(document, detector, search) for document in part]
        rows = [row for work in works for row in work.rows]
        for at in range(0, len(rows), batch):
            some = rows[at : at + batch]
            inputs = [r.pixels for r in some], [r.size for r in some], [r.queries for r in some]
            for row, found in zip(some, detector.detect(*inputs), strict=True):
                row.found, row.pixels = found, None
        for work in works:
            yield _filled(work, detector, search)


def _work(document: Document, detector: Detector, search: ProposalOptions) -> _DocumentSearch:
    work = _DocumentSearch(document)
    mains = [image for image in document.images if image.kind in SEARCHED]
    if not search.replace:
        searched = {_kind_of_parent(document, image) for image in document.images if image.kind == "object"}
        mains = [image for image in mains if image.kind not in searched]
    if not mains:
        return work
    queries, names = _queries(work, detector, search)
    for image in mains:
        try:
            picture, size = pictures.load_small(image, SEARCHED_SIZE)
            work.rows.append(_SearchedImage(image, detector.prepare(picture), size, queries, names))
        except ImageError as error:
            where = f"document {document.id}, {error.record.where or 'image ' + image.id}"
            work.errors.append(error.record.model_copy(update={"where": where}))
    return work


def _kind_of_parent(document: Document, image: Image) -> str:
    """The kind of the image that an object was cut from: main, unless it names another."""
    parent = document.image(image.parent) if image.parent else None
    return parent.kind if parent is not None else "main"


def _queries(work: _DocumentSearch, detector: Detector, search: ProposalOptions) -> tuple[list[str], list[str]]:
    """The queries, and the phrase that each stands for."""
    whole = [phrase.text for phrase in noun_phrases(work.document)]
    names = whole[: search.max_queries]
    if beyond := whole[search.max_queries :]:
        work.note(
            "phrases", f"{len(whole)} noun phrases", f"at most {search.max_queries}",
            f"{len(beyond)} were not searched for, from {beyond[0]!r} on: raise the number of queries",
        )  # fmt: skip
    fitted = detector.make_queries(names)
    for name, query in zip(names, fitted):
        if not query.complete:
            does = f"only {query.text!r} was searched for" if query.text else "it was not searched for"
            work.note("phrases", f"{name!r}", "a phrase that fits the detector's window", does)
    kept = [(query.text, name) for name, query in zip(names, fitted) if query.text]
    kept = kept or [
        (detector.make_queries([search.fallback_query])[0].text or search.fallback_query, search.fallback_query)
    ]
    return [query for query, _ in kept], [name for _, name in kept]


def select_boxes(
    found: Detections, size: tuple[int, int], most: int, threshold: float, overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the boxes that are taken, best first, and all boxes clipped to the picture (N, 4).

    Greedy non-maximum suppression over all queries: by falling score (of equals the first), a box is taken unless its
    intersection over union with one taken before is above `overlap`. Not looked at are scores that are not above
    `threshold`, boxes that are less than a pixel wide or high inside the picture, and numbers that are not finite.
    """
    boxes = np.clip(found.boxes, 0, [*size, *size])
    with np.errstate(invalid="ignore"):
        usable = (boxes[:, 2:] - boxes[:, :2] >= 1).all(1) & np.isfinite(found.boxes).all(1)
        usable &= np.isfinite(found.scores) & (found.scores > threshold)
    order = np.flatnonzero(usable)
    order = order[np.argsort(-found.scores[order], kind="stable")]
    taken: list[int] = []
    while len(order) and len(taken) < most:
        best, order = order[0], order[1:]
        taken.append(best)
        order = order[box_iou_matrix(boxes[best, None], boxes[order])[0] <= overlap]
    return np.array(taken, dtype=np.int64), boxes


def _filled(work: _DocumentSearch, detector: Detector, search: ProposalOptions) -> Document:
    """The document with its candidates; earlier ones of the same images give way only where these could be read."""
    document, rows = work.document, work.rows
    if not rows:
        return document.replace(errors=(*document.errors, *work.errors)) if work.errors else document
    threshold = detector.threshold if search.score_threshold is None else search.score_threshold
    best: list[tuple[float, list[float], _SearchedImage, int]] = []
    for row in rows:
        assert row.found is not None
        taken, boxes = select_boxes(row.found, row.size, search.max_objects, threshold, search.iou_threshold)
        scores, queries = row.found.scores.tolist(), row.found.queries.tolist()
        best += [(scores[i], boxes[i].round(2).tolist(), row, queries[i]) for i in taken.tolist()]
    best.sort(key=lambda x: -x[0])
    best = [one for kind in SEARCHED for one in [x for x in best if x[2].image.kind == kind][: search.max_objects]]
    first = document.main_image
    default = {""} if first is not None and any(row.image.id == first.id for row in rows) else set()
    read = default | {row.image.id for row in rows}
    gone = {image.id for image in document.images if image.kind == "object" and image.parent in read}
    names = _names({image.id for image in document.images})
    made, words = [], []
    for (score, (x1, y1, x2, y2), row, query), name in zip(best, names):
        relevance = ((SCORE, round(score, 6)),)
        made.append(Image(kind="object", id=name, parent=row.image.id, box=(x1, y1, x2, y2), relevance=relevance))
        words.append(Phrase(text=row.phrases[query], image=name))
    filled = document.replace(
        images=(*(image for image in document.images if image.id not in gone), *made),
        phrases=(*(phrase for phrase in document.phrases if phrase.image not in gone), *words),
    )
    before = document.dangling() if gone else []
    lost = [record for record in filled.dangling() if record not in before] if gone else []
    return filled.replace(errors=(*document.errors, *work.errors, *lost))


def _names(taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        if f"object{number}" not in taken:
            yield f"object{number}"
