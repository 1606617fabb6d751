"""The errors of one document, sorted by kind and cause; `errors_table` says what the kinds and causes are.

P predictions, G pieces of gold. Where several causes apply, the first one named counts.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from openmie.data.document import Document, Mention, Region
from openmie.metrics.chain_relations import Triple, agreement_matrix, overlap_matrix, triples
from openmie.metrics.chains import Cluster, clusters
from openmie.metrics.grounding import Bools, check_iou, iou_above, label_of, matching
from openmie.metrics.links import SpanKey
from openmie.metrics.mentions import Key, keys

Side = Literal["predicted", "gold"]
ErrorRow = tuple[Side, str, str, str]  # side, kind, cause, what
Owner = dict[Hashable, Cluster]  # mention -> its chain


class TaskErrors(NamedTuple):
    """How much one document has, how much of it is right, and what is wrong."""

    predicted: int
    gold: int
    correct: int
    mistakes: list[ErrorRow]


def entities(gold: Document, predicted: Document) -> TaskErrors:
    """Strict: orphans are on neither side."""
    (want, lost), (got, named) = keys(gold, False), keys(predicted, False)
    out: list[ErrorRow] = []
    sides: tuple[tuple[Side, set[Key], set[Key]], ...] = (("predicted", got - want, want), ("gold", want - got, got))
    for side, mine, theirs in sides:
        listed, spans = sorted(mine), {k[:2] for k in theirs}
        for key, near in zip(listed, _near(listed, sorted(spans))):
            kind, cause = _entity(key, spans, near) if side == "predicted" else _missed_entity(key, spans, near)
            out.append((side, kind, cause, _span(gold, key)))
    out += [("predicted", "boundary", "not in the text", f"{text} ({label})") for text, label in sorted(named)]
    out += [("gold", "missed", "not in the text", f"{text} ({label})") for text, label in sorted(lost)]
    return TaskErrors(len(got) + len(named), len(want) + len(lost), len(want & got), out)


def _entity(key: Key, spans: set[tuple[int, int]], near: bool) -> tuple[str, str]:
    if key[:2] in spans:
        return "type", "another type there"
    return "boundary", "overlaps an entity" if near else "no entity there"


def _missed_entity(key: Key, spans: set[tuple[int, int]], near: bool) -> tuple[str, str]:
    return "missed", "wrong type" if key[:2] in spans else "wrong boundary" if near else "not found"


def _near(left: Sequence[Key], right: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each span has a character in common with any of the others: (P,)."""
    a = np.array([k[:2] for k in left], dtype=np.int64).reshape(-1, 1, 2)
    b = np.array(right, dtype=np.int64).reshape(1, -1, 2)
    hits: Bools = (a[..., 0] < b[..., 1]) & (b[..., 0] < a[..., 1])
    return [bool(row.any()) for row in hits]


def _span(document: Document, key: Key) -> str:
    return f"{document.text[key[0] : key[1]]} ({key[2]}) at {key[0]}:{key[1]}"


def chains(gold: Document, predicted: Document) -> TaskErrors:
    """A chain is right when it is one of gold's, mention for mention; mentions in no chain are chains of one."""
    want, got = clusters(gold, "gold"), clusters(predicted, "predicted")
    golden, given = ({x: c for c in side for x in c} for side in (want, got))
    out: list[ErrorRow] = [
        ("predicted", *_chain(c, golden, given), _surface(predicted, c)) for c in got if golden.get(next(iter(c))) != c
    ]
    out += [
        ("gold", "missed", _missed_chain(c, golden, given), _surface(gold, c))
        for c in want
        if given.get(next(iter(c))) != c
    ]
    return TaskErrors(len(got), len(want), len(set(got) & set(want)), out)


def _chain(chain: Cluster, golden: Owner, given: Owner) -> tuple[str, str]:
    met = {golden[x] for x in chain if x in golden}
    if len(met) != 1:
        return "wrong mentions", "joins chains" if met else "no mention is one"
    rest = met.pop() - chain
    if not all(x in golden for x in chain):
        return "wrong mentions", "some mentions are none"
    return "mentions missing", "the rest is in other chains" if any(
        x in given for x in rest
    ) else "the rest was not found"


def _missed_chain(chain: Cluster, golden: Owner, given: Owner) -> str:
    met = {given[x] for x in chain if x in given}
    if len(met) != 1:
        return "split" if met else "not found"
    more = met.pop() - chain
    if any(x in golden for x in more):
        return "joined with others"
    return "holds what is no mention" if more else "mentions missing"


def _surface(document: Document, chain: Iterable[Hashable]) -> str:
    """The mentions of a chain in text order; one that is not located by its id."""
    places = sorted(x for x in chain if isinstance(x, tuple) and len(x) == 3)
    lost = [document.find(x[1]) for x in chain if isinstance(x, tuple) and len(x) == 2]
    return ", ".join(
        [f"{document.text[a:b]} at {a}:{b}" for a, b, _ in places]
        + sorted(f"{m.text}, not in the text" for m in lost if isinstance(m, Mention))
    )


def relations(gold: Document, predicted: Document, symmetric: Collection[str] = ()) -> TaskErrors:
    """Right by overlap, each used once: `chain_relations`."""
    want, got = (triples(d, side, symmetric) for d, side in ((gold, "gold"), (predicted, "predicted")))
    owner = matching(agreement_matrix(got, want, symmetric))
    places = [[_located(c) for c in clusters(d, side)] for d, side in ((gold, "gold"), (predicted, "predicted"))]
    out: list[ErrorRow] = []
    used_predictions, used_gold = set(owner.values()), set(owner)  # right predictions, gold that they are right about
    for at, kind, cause in _relation_errors(
        "predicted", got, want, (used_predictions, used_gold), places[0], symmetric
    ):
        out.append(("predicted", kind, cause, _relation_text(predicted, got[at])))
    for at, kind, cause in _relation_errors("gold", want, got, (used_gold, used_predictions), places[1], symmetric):
        out.append(("gold", kind, cause, _relation_text(gold, want[at])))
    return TaskErrors(len(got), len(want), len(owner), out)


def _relation_errors(
    side: Side,
    mine: Sequence[Triple],
    theirs: Sequence[Triple],
    used: tuple[set[int], set[int]],
    entities_: Sequence[frozenset[SpanKey]],
    symmetric: Collection[str],
) -> Iterator[tuple[int, str, str]]:
    """Each wrong triple: its number, kind and cause. `used`: those of mine and of theirs that are right."""
    same, ends = agreement_matrix(mine, theirs, symmetric), agreement_matrix(mine, theirs, symmetric, labels=False)
    turned = agreement_matrix([Triple(t.tail, t.head, t.label) for t in mine], theirs, symmetric)
    heads, tails = (overlap_matrix(side, entities_) for side in ([t.head for t in mine], [t.tail for t in mine]))
    free = np.array([k not in used[1] for k in range(len(theirs))], dtype=bool)
    for at in (k for k in range(len(mine)) if k not in used[0]):
        nowhere = not heads[at].any() or not tails[at].any()
        marks = (same[at].any(), ends[at].any(), turned[at].any(), nowhere, (heads[at] & tails[at]).any())
        first = marks.index(True) if True in marks else len(marks)
        if side == "gold":
            yield at, "missed", _MISSED[first]
        elif first == 1:
            yield at, "wrong type", "another type there" if (ends[at] & free).any() else "more types than there are"
        else:
            yield at, "repeated" if first == 0 else "false relation", _FALSE[first]


_MISSED = (
    "one answer for two",
    "wrong type",
    "turned round",
    "an end was not found",
    "both ends in one chain",
    "not answered",
)
_FALSE = ("gold has it once", "", "turned round", "an end is no entity", "both ends are one thing", "not related")


def _located(chain: Cluster) -> frozenset[SpanKey]:
    return frozenset(x for x in chain if isinstance(x, tuple) and len(x) == 3)  # type: ignore[misc]


def _relation_text(document: Document, triple: Triple) -> str:
    head, tail = (
        " / ".join(document.text[a:b] if a >= 0 else text for a, b, text in sorted(end))
        for end in (triple.head, triple.tail)
    )
    return f"{head} -> {tail} ({triple.label})"


def regions(gold: Document, predicted: Document, iou: float = 0.5) -> TaskErrors:
    """Right as in `boxes`: image, label and IoU, each box used once."""
    check_iou(iou)
    want, got = gold.regions, predicted.regions
    labels = [label_of(d, r) for d, side in ((predicted, got), (gold, want)) for r in side]
    near = iou_above(got, want, iou)
    same = near & (np.array(labels[: len(got)], dtype=object)[:, None] == np.array(labels[len(got) :], dtype=object))
    touch, images = iou_above(got, want, 0.0), {r.image for r in want}
    owner = matching(same)
    out: list[ErrorRow] = []
    for p in sorted(set(range(len(got))) - set(owner.values())):
        first = _first((same[p], near[p], touch[p]))
        kind = ("repeated", "type", "boundary", "boundary")[first]
        cause = (
            "gold has it once",
            "another type there",
            "overlaps a region",
            "no region there" if got[p].image in images else "no region in the image",
        )[first]
        out.append(("predicted", kind, cause, _box(got[p], labels[p])))
    for g in sorted(set(range(len(want))) - set(owner)):
        cause = ("one box for two", "wrong type", "wrong boundary", "not found")[
            _first((same[:, g], near[:, g], touch[:, g]))
        ]
        out.append(("gold", "missed", cause, _box(want[g], labels[len(got) + g])))
    return TaskErrors(len(got), len(want), len(owner), out)


def _first(rows: Sequence[Bools]) -> int:
    """The first row in which anything holds, or how many there are."""
    return next((k for k, row in enumerate(rows) if row.any()), len(rows))


def _box(region: Region, label: str) -> str:
    return f"{label or '(none)'} in {region.image} at {', '.join(f'{x:g}' for x in region.box)}"
