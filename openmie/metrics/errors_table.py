"""Error analysis: the error table of the M3D paper (section VII-F, table VI), with causes.

For each task the paper sorts wrong predictions into two kinds, as shares of all predictions:

    entities    boundary; type (boundary correct but type incorrect)
    chains      wrong mentions (chain contains incorrect entities); mentions missing (none incorrect, some missing)
    relations   false relation (none between these chains); wrong type
    regions     boundary; type (boundary correct but type incorrect)

Here each kind is divided by cause, and what gold has and was not found is sorted too, as kind "missed". A prediction is
wrong where the score of its task says so: `spans` (strict), `chain_relations` (overlap), `boxes`; a chain is right when
its mentions are exactly those of a gold chain. One kind more, "repeated", is what those scores count as wrong since
gold has it only once. So in each task the wrong predictions of all kinds and the right ones are all predictions, and
the missed gold of all causes and the right one is all gold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from openmie.data.document import Document
from openmie.metrics import error_types as mistakes
from openmie.metrics.counting import paired_by_id
from openmie.metrics.error_types import Side

TASKS = ("entities", "chains", "relations", "regions")
OF: Mapping[str, tuple[str, ...]] = {  # what is of interest beside the scores of a task
    "ner": ("entities",),
    "re": ("relations",),
    "joint": ("entities", "relations"),
    "boxes": ("regions",),
    "grounded": ("entities", "regions"),
    "document": TASKS,
    "mre": ("entities",),
    "attributes": ("entities",),
    "records": (),
    "summary": (),
}
CAUSES: Mapping[tuple[str, Side, str], tuple[str, ...]] = {  # task, side, kind -> causes
    ("entities", "predicted", "boundary"): ("overlaps an entity", "no entity there", "not in the text"),
    ("entities", "predicted", "type"): ("another type there",),
    ("entities", "gold", "missed"): ("wrong type", "wrong boundary", "not found", "not in the text"),
    ("chains", "predicted", "wrong mentions"): ("joins chains", "no mention is one", "some mentions are none"),
    ("chains", "predicted", "mentions missing"): ("the rest is in other chains", "the rest was not found"),
    ("chains", "gold", "missed"): (
        "not found",
        "split",
        "joined with others",
        "holds what is no mention",
        "mentions missing",
    ),
    ("relations", "predicted", "repeated"): ("gold has it once",),
    ("relations", "predicted", "wrong type"): ("another type there", "more types than there are"),
    ("relations", "predicted", "false relation"): (
        "turned round",
        "an end is no entity",
        "both ends are one thing",
        "not related",
    ),
    ("relations", "gold", "missed"): (
        "one answer for two",
        "wrong type",
        "turned round",
        "an end was not found",
        "both ends in one chain",
        "not answered",
    ),
    ("regions", "predicted", "repeated"): ("gold has it once",),
    ("regions", "predicted", "type"): ("another type there",),
    ("regions", "predicted", "boundary"): ("overlaps a region", "no region there", "no region in the image"),
    ("regions", "gold", "missed"): ("one box for two", "wrong type", "wrong boundary", "not found"),
}


class Mistake(NamedTuple):
    """One error: a prediction that is wrong, or a piece of gold that was missed."""

    document: str
    task: str
    side: Side
    kind: str
    cause: str
    what: str  # as text


class ErrorLine(TypedDict):
    """One line of the table. `rate` is the share, in percent, of all predictions of the task, or of all its gold."""

    task: str
    side: str
    kind: str
    cause: str
    count: int
    rate: float


@dataclass(frozen=True)
class ErrorTable:
    """All errors of a run, and how much was right."""

    mistakes: tuple[Mistake, ...]
    totals: Mapping[tuple[str, Side], int]  # all predictions, all gold, of a task
    correct: Mapping[str, int]  # of a task

    def count(self, task: str, side: Side, kind: str = "", cause: str = "") -> int:
        """Errors of a task and side; of one kind, and one cause, where they are named."""
        return sum(
            n
            for (t, s, k, c), n in self._counts().items()
            if (t, s) == (task, side) and kind in ("", k) and cause in ("", c)
        )

    def rate(self, task: str, side: Side, kind: str = "", cause: str = "") -> float:
        """Percent of all predictions (or of all gold): the paper's error rate."""
        of = self.totals.get((task, side), 0)
        return 100.0 * self.count(task, side, kind, cause) / of if of else 0.0

    def lines(self, task: str = "document") -> list[ErrorLine]:
        """A line for each kind (cause ""), then for each of its causes; what has neither errors nor gold is left out.

        `task`: what is shown, the tasks of `OF` under this name, such as entities alone for "ner".
        """
        counts, out = self._counts(), []
        for (part, side, kind), causes in CAUSES.items():
            of = self.totals.get((part, side), 0) if part in OF[task] else 0
            numbers = {cause: counts[part, side, kind, cause] for cause in causes}
            for cause, n in ({"": sum(numbers.values())} | numbers).items() if of else ():
                out.append(ErrorLine(task=part, side=side, kind=kind, cause=cause, count=n, rate=100.0 * n / of))
        return out

    def _counts(self) -> Counter[tuple[str, str, str, str]]:
        return Counter((m.task, m.side, m.kind, m.cause) for m in self.mistakes)


def errors(
    gold: Iterable[Document], predicted: Iterable[Document], *, symmetric: Collection[str] = (), iou: float = 0.5
) -> ErrorTable:
    """All errors of a run, sorted by task, kind and cause.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        symmetric: As in `chain_relations`.
        iou: As in `boxes`.

    Raises:
        MetricError: Those of the four metrics.

    Reference: M3D, section VII-F, table VI.
    """
    found: list[Mistake] = []
    totals: Counter[tuple[str, Side]] = Counter()
    correct: Counter[str] = Counter()
    for document, prediction in paired_by_id(gold, predicted):
        empty = prediction or Document(id=document.id, text=document.text)
        for task, sorted_ in _tasks(document, empty, symmetric, iou):
            totals[task, "predicted"] += sorted_.predicted
            totals[task, "gold"] += sorted_.gold
            correct[task] += sorted_.correct
            found += [Mistake(document.id, task, *m) for m in sorted_.mistakes]
    return ErrorTable(tuple(found), dict(totals), dict(correct))


def _tasks(
    gold: Document, predicted: Document, symmetric: Collection[str], iou: float
) -> Iterator[tuple[str, mistakes.TaskErrors]]:
    yield "entities", mistakes.entities(gold, predicted)
    yield "chains", mistakes.chains(gold, predicted)
    yield "relations", mistakes.relations(gold, predicted, symmetric)
    yield "regions", mistakes.regions(gold, predicted, iou)
