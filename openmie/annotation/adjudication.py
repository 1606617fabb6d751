"""Merge two annotations into one, given decisions on their disagreements.

Annotations on which both agree are kept, with their ids (A's, where both have one). Then each decision is applied; see
`adjudication_file.Disagreement` for its values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from openmie.annotation.adjudication_file import Disagreement
from openmie.annotation.annotator_units import (
    UNTYPED,
    AnnotationPair,
    AnnotatorView,
    EntityPair,
    EntitySpans,
    pair_annotations,
    span_name,
)
from openmie.annotation.disagreements import box_key, differences, relation_key
from openmie.data.document import Chain, Document, Mention, Region, Relation
from openmie.errors import ErrorRecord, MetricError
from openmie.metrics.links import SpanKey

Undecided = Literal["error", "a", "b"]
ParsedDecision = tuple[str, str]


def resolve(
    a: Iterable[Document],
    b: Iterable[Document],
    decisions: Iterable[Disagreement],
    *,
    symmetric: Collection[str] = (),
    iou: float = 0.5,
    undecided: Undecided = "error",
) -> Iterator[Document]:
    """Merge the documents of two annotators.

    Spans are kept as decided. Chains are partitioned as both, or the chosen annotator, partition them; a mention that
    only the other marked joins the part that shares most with its chain there. A relation holds between the chains that
    share most with its ends. Layers without disagreements (summary, captions, times, ...) are A's. Decisions that
    cannot be applied, because their mentions were dropped, are recorded in the document's `errors`.

    Args:
        a: Documents of annotator A.
        b: The same documents of annotator B.
        decisions: Disagreements with their decisions, as `read_decisions` returns them.
        symmetric: As in `agreement`.
        iou: As in `agreement`.
        undecided: What a disagreement without a decision means: "error", or annotator "a" or "b".

    Returns:
        One document for each pair, lazily.

    Raises:
        MetricError: Before any document: those of `agreement`; a missing decision; a decision on what is no
            disagreement; two decisions on one.
    """
    if undecided not in ("error", "a", "b"):
        raise MetricError(f"undecided={undecided!r}", expected="error, a or b", remedy="leave it out to be told")
    documents = pair_annotations(a, b, symmetric, iou)
    given = _by_key(decisions)
    asked = {d.key for both in documents for d in differences(both)}
    if strange := [key for key in given if key not in asked]:
        raise MetricError(
            f"{len(strange)} decisions on what A and B do not differ in, the first {strange[0][1:]}",
            expected="the disagreements of these documents",
            where=f"document {strange[0][0]}",
            remedy="list them again with the same documents, symmetric labels and iou, and decide those",
        )
    open_ = [key for key in sorted(asked) if not given.get(key, ("", ""))[0]]
    if open_ and undecided == "error":
        raise MetricError(
            f"{len(open_)} disagreements without a decision, the first {open_[0][1:]}",
            expected="a decision on each",
            where=f"document {open_[0][0]}",
            remedy="decide them, or take one side in these: undecided (--undecided), a or b",
        )
    final = given | dict.fromkeys(open_, (undecided, ""))
    return (_Merging(both, final).document() for both in documents)


def _by_key(decisions: Iterable[Disagreement]) -> dict[tuple[str, str, str], ParsedDecision]:
    """The decision on each disagreement; an error where there are two."""
    given: dict[tuple[str, str, str], ParsedDecision] = {}
    for d in decisions:
        if d.key in given:
            raise MetricError(
                f"two decisions on {d.layer} {d.where}",
                expected="one",
                where=f"document {d.document}",
                remedy="remove one of them",
            )
        given[d.key] = d.parsed_decision()
    return given


def apply_decisions(
    a: Iterable[Document], b: Iterable[Document], decisions: Iterable[Disagreement], **options: Any
) -> list[Document]:
    """`resolve`, as a list."""
    return list(resolve(a, b, decisions, **options))


@dataclass
class _Merging:
    """The merge of one document."""

    both: AnnotationPair
    decisions: Mapping[tuple[str, str, str], ParsedDecision]
    errors: list[ErrorRecord] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  # ids of A's chains

    def __post_init__(self) -> None:
        a = self.both.a.document
        self.ids = _Ids([*(m.id for m in a.mentions), *(c.id for c in a.chains)])

    def document(self) -> Document:
        a, b = (s.document for s in self.both.annotators)
        mentions = self._mentions()
        parts = self._parts(set(mentions))
        chains = self._chains(mentions, parts)
        ends = {place: self._end(part, chains, mentions) for part in parts for place in part}
        images = [*a.images, *(i for i in b.images if a.image(i.id) is None)]
        return a.replace(
            mentions=[m for found in mentions.values() for m in found],
            chains=list(chains.values()),
            relations=self._relations(ends),
            regions=self._regions(ends),
            images=images,
            errors=(*a.errors, *self.errors),
        )

    def _decision(self, layer: str, at: str) -> ParsedDecision:
        return self.decisions.get((self.both.a.document.id, layer, at), ("a", ""))

    def _labels(self, layer: str, at: str, a: str, b: str) -> list[str]:
        """The final labels of a unit; none where it is dropped."""
        word, label = self._decision(layer, at)
        chosen = {"a": a, "b": b, "none": "", "label": label}[word]
        return ["" if x == UNTYPED else x for x in chosen.split("+")] if chosen else []

    def _mentions(self) -> dict[SpanKey, list[Mention]]:
        """The mentions of each place that is kept, in text order."""
        mine, theirs = self._marked(self.both.a), self._marked(self.both.b)
        out: dict[SpanKey, list[Mention]] = {}
        for place, (a, b) in self.both.spans().items():
            labels = self._labels("spans", span_name(place), a, b)
            spare = [m for label, m in mine.get(place, {}).items() if label not in labels]  # to be labelled otherwise
            for label in labels:
                made = mine.get(place, {}).get(label) or (spare.pop() if spare else None)
                if made is None:
                    there = theirs.get(place) or mine[place]
                    made = there.get(label) or next(iter(there.values()))
                    made = made.model_copy(update={"id": self.ids.new(made.id)})
                out.setdefault(place, []).append(made.model_copy(update={"label": label}))
        return out

    def _marked(self, side: AnnotatorView) -> dict[SpanKey, dict[str, Mention]]:
        """Place -> label -> mention, the first where there are several."""
        out: dict[SpanKey, dict[str, Mention]] = {}
        for m in side.document.mentions:
            out.setdefault(side.places[m.id], {}).setdefault(m.label, m)
        return out

    def _parts(self, kept: set[SpanKey]) -> list[EntitySpans]:
        """The final partition of the kept spans into entities."""
        out: list[EntitySpans] = []
        for group in self.both.groups:
            word = self._decision("chains", span_name(min(group)))[0]
            mine, theirs = self.both.annotators if word == "a" else self.both.annotators[::-1]
            out += _divided(group & kept, mine, theirs)
        return sorted(out, key=min)

    def _chains(self, mentions: Mapping[SpanKey, list[Mention]], parts: list[EntitySpans]) -> dict[EntitySpans, Chain]:
        """A chain for each entity of several mentions, and for a singleton that either annotator made a chain."""
        out: dict[EntitySpans, Chain] = {}
        labels = {m.label for s in self.both.annotators for m in s.document.mentions}
        for part in parts:
            if len(part) == 1 and not any(part & s.in_chain for s in self.both.annotators):
                continue
            near, id = self._nearest(part)
            members = [m for place in sorted(part) for m in mentions[place]]
            own = [m.label for m in members]
            told = near.label if near else ""
            keeps = told in own or (told and told not in labels)  # else its mentions were decided to be something else
            label = told if keeps else max(dict.fromkeys(own), key=own.count)
            out[part] = Chain(id=id, mentions=tuple(m.id for m in members), label=label or told)
        return out

    def _nearest(self, part: EntitySpans) -> tuple[Chain | None, str]:
        """The chain of A, or else of B, that shares most with an entity; and an id, A's where it is free."""
        for side in self.both.annotators:
            shares = [
                (len(part & {side.places[m] for m in c.mentions}), -k, c) for k, c in enumerate(side.document.chains)
            ]
            most, _, near = max(shares, default=(0, 0, None), key=lambda x: x[:2])
            if near is not None and most:
                if side is self.both.a and near.id not in self.used:
                    self.used.add(near.id)
                    return near, near.id
                return near, self.ids.new(near.id)
        return None, self.ids.new("c")

    def _end(
        self, part: EntitySpans, chains: Mapping[EntitySpans, Chain], mentions: Mapping[SpanKey, list[Mention]]
    ) -> str:
        return chains[part].id if part in chains else mentions[min(part)][0].id

    def _carried(self, number: int, ends: Mapping[SpanKey, str]) -> str:
        """The final id of an entity pair, or "" where all its mentions were dropped.

        It is the one with most of the spans that the entity has for the annotator whose chains were chosen there.
        """
        pair = self.both.pairs[number]
        for entity in (pair.a, pair.b) if self._chosen(pair) == "a" else (pair.b, pair.a):
            found = [ends[place] for place in sorted(entity or ()) if place in ends]
            if found:
                return max(dict.fromkeys(found), key=found.count)
        return ""

    def _chosen(self, pair: EntityPair) -> str:
        place = min(pair.a or pair.b or ())
        group = next(g for g in self.both.groups if place in g)
        return self._decision("chains", span_name(min(group)))[0]

    def _relations(self, ends: Mapping[SpanKey, str]) -> list[Relation]:
        out: dict[tuple[str, str, str], Relation] = {}
        for numbers, (a, b) in self.both.relations().items():
            at = relation_key(self.both, numbers)
            for label in self._labels("relations", at, a, b):
                order = self._direction(numbers, label) if label in self.both.symmetric else numbers
                head, tail = (self._carried(n, ends) for n in order)
                if not head or not tail or (head == tail and numbers[0] != numbers[1]):
                    self._dropped(f"relation {label!r} {at}", "two entities that it holds between")
                else:
                    out[head, tail, label] = Relation(head=head, tail=tail, label=label)
        return list(out.values())

    def _direction(self, numbers: tuple[int, int], label: str) -> tuple[int, int]:
        """The order in which A, or else B, has the ends of a relation without direction."""
        turned = numbers[::-1]
        for side in self.both.annotators:
            said = {
                (self.both.pair_index[side.name, head], self.both.pair_index[side.name, tail])
                for head, tail, x in side.relations()
                if x == label
            }
            if numbers in said or turned in said:
                return numbers if numbers in said else turned
        return numbers

    def _regions(self, ends: Mapping[SpanKey, str]) -> list[Region]:
        out: list[Region] = []
        links = self.both.links()
        for pair in sorted(self.both.boxes, key=lambda p: (p.a is None, p.a or 0, p.b or 0)):
            at = box_key(self.both, pair)
            word, label = self._decision("boxes", at)
            a, b = self.both.regions(pair)
            chosen = {"a": a, "b": b, "none": None, "label": a or b}[word]
            if chosen is None:
                continue
            which = "a" if chosen is a else "b"
            if pair in links and links[pair][0] != links[pair][1]:
                which = self._decision("links", at)[0]
            shows = {
                "a": self.both.linked_pair(self.both.a, a),
                "b": self.both.linked_pair(self.both.b, b),
                "none": None,
            }[which]
            of = "" if shows is None else self._carried(shows, ends)
            if shows is not None and not of:
                self._dropped(f"what region {at} shows", "a mention of it")
            out.append(chosen.model_copy(update={"of": of, **({"label": label} if word == "label" else {})}))
        return out

    def _dropped(self, what: str, expected: str) -> None:
        self.errors.append(
            ErrorRecord(
                where=f"document {self.both.a.document.id}",
                found=f"{what}, left out",
                expected=expected,
                remedy="keep its mentions in their own decisions",
            )
        )


def _divided(kept: Collection[SpanKey], mine: AnnotatorView, theirs: AnnotatorView) -> list[EntitySpans]:
    """The spans as one annotator partitions them; those that only the other marked follow their chain there."""
    parts = [set(t) & set(kept) for t in dict.fromkeys(mine.entity_of[p] for p in sorted(kept) if p in mine.entity_of)]
    for entity in dict.fromkeys(theirs.entity_of[p] for p in sorted(kept) if p not in mine.entity_of):
        alone = {p for p in entity if p in kept and p not in mine.entity_of}
        near = max(parts, key=lambda part: len(part & entity), default=None)
        if near is not None and near & entity:
            near |= alone
        else:
            parts.append(alone)
    return [frozenset(p) for p in parts]


class _Ids:
    """Ids that nothing in the document has yet."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def new(self, wanted: str) -> str:
        """`wanted`, or the first of `wanted.2`, `wanted.3`, ... that is free."""
        id, n = wanted, 2
        while id in self.taken:
            id, n = f"{wanted}.{n}", n + 1
        self.taken.add(id)
        return id
