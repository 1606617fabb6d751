"""How a row of base's table is predicted and scored: documents in, the project's own metrics out.

A predicted span that ends inside a word of the set is extended to the whole word, for every system alike: the sets
count words, and each system has its own. The gold of a row keeps the labels that the row names, under those names.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from openmie import metrics
from openmie.base.calibration import best_threshold, choose_thresholds
from openmie.data.document import Chain, Document, Mention, Relation

LOW = 0.05  # threshold under which candidates for a threshold of one's own are not looked at
BATCH = 128
Thresholds = float | Mapping[str, float] | None


class Entity(NamedTuple):
    """As `openmie.base.text_model.Entity`."""

    start: int
    end: int
    label: str
    score: float


class Model(Protocol):
    """What a row asks of a model: `openmie.base.text_model.TextModel`, or a stand-in."""

    def entities(self, texts: Sequence[str], labels: Mapping[str, str], thresholds: Thresholds = None) -> Any: ...
    def relations(self, texts: Any, entities: Any, relations: Any, threshold: float | None = None) -> Any: ...
    def chains(self, texts: Any, entities: Any) -> Any: ...


def gold_documents(documents: Iterable[Document], names: Mapping[str, str]) -> list[Document]:
    """The documents with the mentions whose label has a name, under that name; chains and relations stay.

    Relations and chains keep only ends that are left. Of mentions of one span and name, the first stays.
    """
    made = []
    for document in documents:
        mentions, kept, seen = [], {}, {}
        for m in document.mentions:
            if m.label in names:
                key = (m.start, m.end, names[m.label])
                if key not in seen:
                    mentions.append(m.model_copy(update={"label": names[m.label]}))
                    seen[key] = m.id
                kept[m.id] = seen[key]
        chains = [
            c.model_copy(update={"mentions": tuple(dict.fromkeys(kept[m] for m in c.mentions if m in kept))})
            for c in document.chains
        ]
        chains = [c for c in chains if c.mentions]
        kept.update({c.id: c.id for c in chains})
        relations = [
            r.model_copy(update={"head": kept[r.head], "tail": kept[r.tail]})
            for r in document.relations
            if r.head in kept and r.tail in kept
        ]
        made.append(
            document.replace(
                mentions=tuple(mentions), chains=tuple(chains), relations=tuple(dict.fromkeys(relations)), regions=()
            )
        )
    return made


def in_words(document: Document, found: Iterable[Any]) -> list[Entity]:
    """Entities extended to whole words of the document; of overlapping ones the highest score stays."""
    starts, ends = [w.start for w in document.words], [w.end for w in document.words]
    taken = [False] * len(starts)
    kept = []
    for start, end, label, score in sorted(found, key=lambda e: (-e[3], e[0])):
        first, last = bisect_right(ends, start), bisect_left(starts, end)
        if first < last and not any(taken[first:last]):
            taken[first:last] = [True] * (last - first)
            kept.append(Entity(starts[first], ends[last - 1], label, float(score)))
    return sorted(kept)


def predict_entities(
    model: Model, documents: Sequence[Document], labels: Mapping[str, str], thresholds: Thresholds = None
) -> list[list[Entity]]:
    """Entities of each document, in whole words."""
    found: list[list[Entity]] = []
    for at in range(0, len(documents), BATCH):
        some = documents[at : at + BATCH]
        answers = model.entities([d.text for d in some], labels, thresholds)
        found += [in_words(d, answer) for d, answer in zip(some, answers, strict=True)]
    return found


def with_entities(documents: Sequence[Document], found: Sequence[Sequence[Entity]]) -> list[Document]:
    """Documents with these entities as mentions m0, m1, ..., and nothing of the gold."""
    return [
        d.without_gold().replace(
            mentions=tuple(
                Mention(id=f"m{n}", start=e.start, end=e.end, label=e.label, score=e.score) for n, e in enumerate(some)
            )
        )
        for d, some in zip(documents, found, strict=True)
    ]


class Judged(NamedTuple):
    """Predicted entities with whether they are right, and how often each label was missed."""

    scores: list[float]
    correct: list[bool]
    labels: list[str]
    missed: dict[str, int]


def judge(gold: Sequence[Document], found: Sequence[Sequence[Entity]]) -> Judged:
    """Which entities are gold: span and label; orphans of the gold count on neither side, as in `metrics.spans`."""
    judged, missed = Judged([], [], [], {}), Counter[str]()
    for document, some in zip(gold, found, strict=True):
        want = {(m.start, m.end, m.label) for m in document.mentions if m.status == "located"}
        for e in some:
            judged.scores.append(e.score)
            judged.correct.append(e[:3] in want)
            judged.labels.append(e.label)
        missed.update(label for _, _, label in want - {e[:3] for e in some})
    judged.missed.update(missed)
    return judged


def own_thresholds(model: Model, dev: Sequence[Document], labels: Mapping[str, str]) -> dict[str, float]:
    """Thresholds chosen on a dev split: of labels with enough gold their own, of the others a shared one."""
    judged = judge(dev, predict_entities(model, dev, labels, LOW))
    shared, own = choose_thresholds(judged.scores, judged.correct, judged.labels, judged.missed)
    return {label: own.get(label, shared) for label in labels}


class Remembered:
    """A model whose states of texts are computed once: thresholds are tried on the same states.

    Args:
        model: with `encode`, words of texts -> states of texts; one without is left as it is.
    """

    def __init__(self, model: Any) -> None:
        self.known: dict[tuple[str, ...], Any] = {}
        if hasattr(model, "encode"):
            self.compute, model.encode = model.encode, self.encode

    def encode(self, words: Sequence[Sequence[str]], *options: Any) -> list[Any]:
        """As the model's own."""
        keys = [tuple(text) for text in words]
        if new := [key for key in dict.fromkeys(keys) if key not in self.known]:
            self.known.update(zip(new, self.compute(new, *options)))
        return [self.known[key] for key in keys]

    def forget(self) -> None:
        """Free the states of a row."""
        self.known.clear()


def score_entities(gold: Sequence[Document], found: Sequence[Sequence[Entity]], bootstrap: int = 1000) -> Any:
    """Strict scores, exact span and label."""
    return metrics.spans(gold, with_entities(gold, found), bootstrap=bootstrap)


Pair = tuple[str, str, str, float]  # head, tail, label, score


def predict_relations(
    model: Model,
    documents: Sequence[Document],
    relations: Mapping[str, str],
    threshold: float | None = None,
) -> list[list[Pair]]:
    """Relations between the mentions of each document, as ids."""
    found: list[list[Pair]] = []
    for at in range(0, len(documents), BATCH):
        some = documents[at : at + BATCH]
        given = [[Entity(m.start, m.end, m.label, m.score or 1.0) for m in d.mentions] for d in some]
        answers = model.relations([d.text for d in some], given, relations, threshold)
        for d, answer in zip(some, answers, strict=True):
            found.append([(d.mentions[h].id, d.mentions[t].id, label, float(s)) for h, t, label, s in answer])
    return found


def with_relations(documents: Sequence[Document], found: Sequence[Sequence[Pair]], between: str) -> list[Document]:
    """Documents with these relations.

    Args:
        documents: with mentions; with chains where relations hold between chains.
        found: pairs of mention ids.
        between: "mentions"; "chains": a relation of two mentions is one of their chains; "given": the relation of the
            highest score between the mentions "h" and "t" alone.
    """
    made = []
    for document, pairs in zip(documents, found, strict=True):
        if between == "chains":
            owner = {m: c.id for c in document.chains for m in c.mentions}
            pairs = [(owner[h], owner[t], label, s) for h, t, label, s in pairs if owner.get(h) != owner.get(t)]
        if between == "given":
            best = max((p for p in pairs if p[:2] == ("h", "t")), key=lambda p: p[3], default=("h", "t", "None", 0.0))
            pairs = [best]
        ordered = sorted(pairs, key=lambda p: (p[:3], -p[3]))
        kept = [next(group) for _, group in groupby(ordered, key=lambda p: p[:3])]
        made.append(
            document.replace(relations=tuple(Relation(head=h, tail=t, label=x, score=s) for h, t, x, s in kept))
        )
    return made


def without_weak(documents: Iterable[Document], threshold: float) -> list[Document]:
    """Documents without the relations below a threshold."""
    return [d.replace(relations=tuple(r for r in d.relations if (r.score or 0.0) >= threshold)) for d in documents]


def relation_threshold(
    gold: Sequence[Document], predicted: Sequence[Document], score: Callable[[Any, Any], Any]
) -> float:
    """The threshold of the highest F1 on a dev split, by the row's own metric, of 40 evenly ranked scores."""
    scores = sorted({r.score for d in predicted for r in d.relations if r.score})
    if not scores:
        return best_threshold([], [])[0]
    tried = sorted({scores[len(scores) * k // 40] for k in range(40)} | {scores[0]})
    return max(tried, key=lambda t: (score(gold, without_weak(predicted, t)).f1, t))


def with_chains(model: Model, documents: Sequence[Document]) -> list[Document]:
    """Documents whose mentions the model has put into chains; a mention that it left out is a chain of its own."""
    made: list[Document] = []
    for at in range(0, len(documents), BATCH):
        some = documents[at : at + BATCH]
        given = [[Entity(m.start, m.end, m.label, m.score or 1.0) for m in d.mentions] for d in some]
        for d, chains in zip(some, model.chains([d.text for d in some], given), strict=True):
            inside = {n for chain in chains for n in chain}
            whole = [*chains, *([n] for n in range(len(d.mentions)) if n not in inside)]
            made.append(
                d.replace(
                    chains=tuple(
                        Chain(id=f"c{k}", mentions=tuple(d.mentions[n].id for n in c), label=d.mentions[c[0]].label)
                        for k, c in enumerate(whole)
                    )
                )
            )
    return made
