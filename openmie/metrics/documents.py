"""The four tasks of documents together: entities, chains, relations between chains, regions; and their mean.

The mean is the "Avg." of the M3D paper's tables III and IV: of entity F1, the mean of MUC, B3 and CEAF, relation F1 and
region F1. (The release selects on another one, of six numbers in which chains count three times.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from openmie.data.document import Document
from openmie.metrics.chain_relations import chain_relation_rows
from openmie.metrics.chains import WIDTH, ChainScores, Floats, chain_scores_from_counts, document_counts, mean_f1
from openmie.metrics.counting import Row, bootstrap_counts, listed, micro_scores, paired_by_id
from openmie.metrics.grounding import box_rows
from openmie.metrics.mentions import span_rows
from openmie.metrics.scores import Scores

TASKS = ("entities", "chains", "relations", "regions")


@dataclass(frozen=True)
class DocumentScores(Scores):
    """All four, under their names in `by_label`. As a whole: precision, recall and F1 are means over the tasks.

    A task of which neither gold nor prediction has anything (no frames, say) is not there, and the mean leaves it out:
    `tasks` says which were counted. `correct`, `predicted` and `gold` are sums.
    """

    by_label: Mapping[str, Scores] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(name for name, s in self.by_label.items() if s.gold or s.predicted)

    def name(self, kind: str = "document") -> str:
        """`kind` where all four tasks were counted, else `kind (entities, chains, relations)`, say: other means."""
        return kind if self.tasks == TASKS else f"{kind} ({', '.join(self.tasks) or 'no task'})"

    @property
    def entities(self) -> Scores:
        return self.by_label["entities"]

    @property
    def chains(self) -> ChainScores:
        return self.by_label["chains"]  # type: ignore[return-value]

    @property
    def relations(self) -> Scores:
        return self.by_label["relations"]

    @property
    def regions(self) -> Scores:
        return self.by_label["regions"]

    @property
    def mean(self) -> float:
        return self.f1

    @property
    def precision(self) -> float:
        return self._mean([self.by_label[x].precision for x in self.tasks])

    @property
    def recall(self) -> float:
        return self._mean([self.by_label[x].recall for x in self.tasks])

    @property
    def f1(self) -> float:
        return self._mean([self.by_label[x].f1 for x in self.tasks])

    def _mean(self, values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0


def documents(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    *,
    chained: Iterable[Document] | None = None,
    related: Iterable[Document] | None = None,
    symmetric: Collection[str] = (),
    iou: float = 0.5,
    bootstrap: int = 0,
    seed: int = 0,
) -> DocumentScores:
    """Scores of entities (`spans`, strict), chains (`chains`), relations (`chain_relations`) and regions (`boxes`).

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        chained: Predictions whose chains are scored, by default `predicted`: the paper predicts chains from gold
            mentions.
        related: Predictions whose relations are scored, by default `predicted`: the paper predicts relations between
            gold chains.
        symmetric: Relation labels without direction.
        iou: Threshold of the intersection over union of boxes, in [0, 1).
        bootstrap: Number of bootstrap samples of documents, the same for all tasks and their mean; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        `DocumentScores`; its F1 is the mean of the tasks that gold or prediction has annotations of, see `name`.

    Raises:
        MetricError: Those of the four metrics.

    Reference: M3D, "Avg." of tables III and IV.
    """
    gold, predicted = listed(gold), listed(predicted, "predicted")
    chained = predicted if chained is None else listed(chained, "predicted")
    related = predicted if related is None else listed(related, "predicted")
    rows = {
        "entities": list(span_rows(gold, predicted)),
        "relations": list(chain_relation_rows(gold, related, symmetric)),
        "regions": list(box_rows(gold, predicted, iou)),
    }
    chained = np.array([document_counts(d, p) for d, p in paired_by_id(gold, chained)]).reshape(-1, WIDTH)
    parts: dict[str, Scores] = {name: micro_scores(found) for name, found in rows.items()} | {
        "chains": chain_scores_from_counts(chained)
    }
    whole = _whole({name: parts[name] for name in TASKS}, None)
    if not bootstrap or not gold:
        return whole
    counts = np.concatenate([chained, *(_counts(rows[x]) for x in TASKS if x != "chains")], axis=1)
    drawn = bootstrap_counts(counts, bootstrap, seed)
    plain = drawn[:, WIDTH:].reshape(len(drawn), -1, 3)
    f1 = {"chains": mean_f1(drawn[:, :WIDTH])} | {
        x: _f1(plain[:, k]) for k, x in enumerate(name for name in TASKS if name != "chains")
    }
    parts = {name: replace(parts[name], interval=_interval(f1[name])) for name in TASKS}
    counted = np.mean([f1[x] for x in whole.tasks], axis=0) if whole.tasks else np.zeros(bootstrap)
    return _whole(parts, _interval(counted))


def _whole(parts: Mapping[str, Scores], interval: tuple[float, float] | None) -> DocumentScores:
    correct, predicted, gold = (sum(getattr(s, x) for s in parts.values()) for x in ("correct", "predicted", "gold"))
    return DocumentScores(correct=correct, predicted=predicted, gold=gold, by_label=parts, interval=interval)


def _counts(rows: list[Row]) -> Floats:
    return np.array([[len(x) for x in row] for row in rows], dtype=np.float64).reshape(-1, 3)


def _f1(counts: Floats) -> Floats:
    """Of counts (R, 3): correct, predicted, gold."""
    total = counts[:, 1] + counts[:, 2]
    return np.divide(200.0 * counts[:, 0], total, out=np.zeros(len(counts)), where=total > 0)


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
