"""A prediction held beside its gold: what is right, what is wrong, what was missed. For the eye; scores are in metrics.

A verdict is `right`, `wrong`, `missed` (gold that was not predicted), or empty where there is no gold to compare with.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from openmie.data.box_iou import box_iou
from openmie.data.document import Box, Chain, Document, Image, Mention, Region
from openmie.errors import DocumentError
from openmie.report.entity_numbers import number_entities

Verdict = Literal["", "right", "wrong", "missed"]
NO_RELATION = "None"  # the relation that says that there is none
WORDS = "WORDS"  # label of regions that are lines of words


@dataclass(frozen=True)
class SpanView:
    """A mention of the text; `instead` is the gold label of the same span where the predicted one is wrong.

    `entity` is the number of what it names, see `openmie.report.entity_numbers`; 0: none. `part` is the place of the
    mention in its document, as "mention-0"; "" of gold that is held beside a prediction.
    """

    start: int
    end: int
    label: str
    text: str
    verdict: Verdict = ""
    instead: str = ""
    entity: int = 0
    part: str = ""
    score: float | None = None


@dataclass(frozen=True)
class RelationView:
    """A relation between two named things; `instead` is the gold label of the same pair, `part` its place, as above.

    `score` is that of the weakest of the three: without one of its ends there is no relation.
    """

    head: str
    tail: str
    head_label: str
    tail_label: str
    label: str
    verdict: Verdict = ""
    instead: str = ""
    head_entity: int = 0
    tail_entity: int = 0
    part: str = ""
    score: float | None = None


@dataclass(frozen=True)
class BoxView:
    """A box in an image, the label that colours it and the name written on it; `words`: words stand in it.

    `part` is its place, as above; `score` that of the weaker of the box and what it shows.
    """

    image: str
    box: Box
    label: str
    name: str
    verdict: Verdict = ""
    entity: int = 0
    words: bool = False
    part: str = ""
    score: float | None = None


@dataclass(frozen=True)
class DocumentView:
    """One document, ready to be drawn."""

    document: Document  # the prediction, or the only one
    compared: bool
    spans: tuple[SpanView, ...]
    unlocated: tuple[SpanView, ...]  # named by a model, not in the text
    links: tuple[RelationView, ...]
    frames: tuple[BoxView, ...]
    images: tuple[Image, ...]  # those to show: main pictures, video frames, and whatever a box lies in
    gold_summary: str = ""


def compare(document: Document | tuple[Document, Document], symmetric: Collection[str] = ()) -> DocumentView:
    """A document alone, or `(gold, predicted)`; relations in `symmetric` hold either way round."""
    if isinstance(document, Document):
        return _post(None, document, symmetric)
    gold, predicted = document
    if gold.id != predicted.id or gold.text != predicted.text:
        raise DocumentError(
            f"{predicted.id!r} with {len(predicted.text)} characters beside gold {gold.id!r} with {len(gold.text)}",
            expected="two versions of one document",
            where="report",
            remedy="pair gold and prediction by id, and predict on gold.without_gold()",
        )
    return _post(gold, predicted, symmetric)


def weakest(*scores: float | None) -> float | None:
    """The least of the scores that are there; None where there is none: gold is certain."""
    return min((s for s in scores if s is not None), default=None)


def view_labels(view: DocumentView) -> list[str]:
    """Every label of this post that has a colour."""
    found = [s.label for s in (*view.spans, *view.unlocated)] + [f.label for f in view.frames]
    return found + [label for k in view.links for label in (k.head_label, k.tail_label)]


def _post(gold: Document | None, predicted: Document, symmetric: Collection[str]) -> DocumentView:
    spans, links, frames = _spans(gold, predicted), _links(gold, predicted, symmetric), _frames(gold, predicted)
    shown = {f.image for f in frames}
    stored = {i.id: i for i in gold.images} if gold else {}
    images = [stored.get(i.id, i) if i.pixels is None else i for i in predicted.images]
    return DocumentView(
        document=predicted,
        compared=gold is not None,
        spans=tuple(s for s in spans if s.end > s.start),
        unlocated=tuple(s for s in spans if s.end == s.start),
        links=links,
        frames=frames,
        images=tuple(i for i in images if i.kind in ("main", "frame") or i.id in shown),
        gold_summary=gold.summary if gold else "",
    )


LabelledPlace = tuple[Hashable, str]  # where a part stands, and its label


def _verdicts(
    gold: Sequence[LabelledPlace], predicted: Sequence[LabelledPlace]
) -> tuple[list[tuple[Verdict, str]], list[int]]:
    """A verdict and the gold label instead for each predicted part, and which gold parts were missed.

    Gold whose place holds a wrong label is told beside that label and not counted as missed again.
    """
    right, told = set(gold) & set(predicted), set()
    verdicts: list[tuple[Verdict, str]] = []
    for place, label in predicted:
        if (place, label) in right:
            verdicts.append(("right", ""))
            continue
        told.add(place)
        others = [g for at, g in gold if at == place and (at, g) not in right]
        verdicts.append(("wrong", ", ".join(dict.fromkeys(others))))
    return verdicts, [i for i, part in enumerate(gold) if part not in right and part[0] not in told]


def _spans(gold: Document | None, predicted: Document) -> list[SpanView]:
    def placed(mentions: Sequence[Mention]) -> list[LabelledPlace]:
        return [((m.start, m.end, m.text), m.label) for m in mentions]

    numbers = number_entities(predicted)

    def span(m: Mention, verdict: Verdict = "", instead: str = "", part: str = "") -> SpanView:
        return SpanView(m.start, m.end, m.label, m.text, verdict, instead, numbers.get(m.id, 0), part, m.score)

    parts = [f"mention-{i}" for i in range(len(predicted.mentions))]
    if gold is None:
        return [span(m, part=part) for m, part in zip(predicted.mentions, parts)]
    verdicts, missed = _verdicts(placed(gold.mentions), placed(predicted.mentions))
    told = [span(m, *v, part) for m, v, part in zip(predicted.mentions, verdicts, parts)]
    numbers = {}  # ids of gold name something else
    return told + [span(gold.mentions[i], "missed") for i in missed]


def _named(document: Document, id: str) -> tuple[frozenset[tuple[int, int]] | str, str, str]:
    """What an id stands for: its spans (comparable between gold and prediction), its text and its label."""
    found = document.find(id)
    if isinstance(found, Mention):
        return frozenset({(found.start, found.end)}) if found.end > found.start else found.text, found.text, found.label
    if isinstance(found, Chain):
        members = [m for m in map(document.find, found.mentions) if isinstance(m, Mention)]
        text = max((m.text for m in members), key=len, default=id)
        more = f" (+{len(members) - 1})" if len(members) > 1 else ""
        label = found.label or next((m.label for m in members), "")
        return frozenset((m.start, m.end) for m in members), text + more, label
    return id, id, ""


def _links(gold: Document | None, predicted: Document, symmetric: Collection[str]) -> tuple[RelationView, ...]:
    def placed(document: Document) -> list[LabelledPlace]:
        found: list[LabelledPlace] = []
        for r in document.relations:
            ends = [_named(document, r.head)[0], _named(document, r.tail)[0]]
            found.append((frozenset(ends) if r.label in symmetric else tuple(ends), r.label))
        return found

    def link(document: Document, at: int, verdict: Verdict = "", instead: str = "") -> RelationView:
        r = document.relations[at]
        (_, head, head_label), (_, tail, tail_label) = _named(document, r.head), _named(document, r.tail)
        ends = (numbers.get(r.head, 0), numbers.get(r.tail, 0)) if document is predicted else (0, 0)
        score = weakest(r.score, *(found.score for end in (r.head, r.tail) if (found := document.find(end))))
        part = f"relation-{at}" if document is predicted else ""
        return RelationView(head, tail, head_label, tail_label, r.label, verdict, instead, *ends, part, score)

    numbers = number_entities(predicted)

    if gold is None:
        return tuple(link(predicted, at) for at in range(len(predicted.relations)))
    here, there = placed(gold), placed(predicted)
    either = {(frozenset(p) if isinstance(p, tuple) else p) for p, _ in here}
    verdicts, missed = _verdicts(here, there)
    links = []
    for at, ((place, label), (verdict, instead)) in enumerate(zip(there, verdicts)):
        pair = frozenset(place) if isinstance(place, tuple) else place
        if label == NO_RELATION and pair not in either:  # gold lists only what holds
            verdict = "right"
        links.append(link(predicted, at, verdict, instead))
    return (
        *links,
        *(link(gold, i, "missed") for i in missed if gold.relations[i].label != NO_RELATION),
    )


def _frames(gold: Document | None, predicted: Document) -> tuple[BoxView, ...]:
    def frame(document: Document, at: int, verdict: Verdict = "") -> BoxView:
        region = document.regions[at]
        _, text, label = _named(document, region.of) if region.of else ("", "", "")
        label = region.label or label
        words = region.label == WORDS and not region.of
        entity = numbers.get(region.of, 0) if document is predicted else 0
        name = text or region.text or label
        shown = document.find(region.of) if region.of else None
        score, part = weakest(region.score, shown.score if shown else None), f"region-{at}" * (document is predicted)
        return BoxView(region.image, region.box, "" if words else label, name, verdict, entity, words, part, score)

    numbers = number_entities(predicted)
    if gold is None:
        return tuple(frame(predicted, at) for at in range(len(predicted.regions)))
    matched: set[int] = set()
    frames = []
    for at, p in enumerate(predicted.regions):
        hits = {i for i, g in enumerate(gold.regions) if _same_region(gold, g, predicted, p)}
        matched |= hits
        frames.append(frame(predicted, at, "right" if hits else "wrong"))
    return (*frames, *(frame(gold, i, "missed") for i in range(len(gold.regions)) if i not in matched))


def _same_region(gold: Document, g: Region, predicted: Document, p: Region) -> bool:
    """One image, boxes that overlap by more than half, and the same thing shown: what it is tied to, else its label."""
    if g.image != p.image or box_iou(g.box, p.box) <= 0.5:
        return False
    if g.of and p.of:
        return _named(gold, g.of)[0] == _named(predicted, p.of)[0]
    return g.label == p.label


@dataclass
class SpanNode:
    """A span of text and the spans inside it."""

    span: SpanView
    inside: list[SpanNode]


def nest_spans(spans: Iterable[SpanView]) -> tuple[list[SpanNode], list[SpanView]]:
    """The spans as a forest, and those left over because they cross another (predictions are placed first)."""
    roots: list[SpanNode] = []
    crossing: list[SpanView] = []
    for span in sorted(spans, key=lambda s: (s.verdict == "missed", s.start, -s.end)):
        if not _insert(roots, SpanNode(span, [])):
            crossing.append(span)
    return roots, crossing


def _insert(row: list[SpanNode], new: SpanNode) -> bool:
    """Place a node among its siblings, in their parent, or around some of them; False where it crosses one."""
    a, b = new.span.start, new.span.end
    touched = [node for node in row if node.span.start < b and a < node.span.end]
    for node in touched:
        if node.span.start <= a and b <= node.span.end:
            return _insert(node.inside, new)
    if any(node.span.start < a or b < node.span.end for node in touched):
        return False
    new.inside = touched
    row[:] = sorted([*(n for n in row if n not in touched), new], key=lambda n: n.span.start)
    return True
