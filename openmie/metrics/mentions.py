"""Entity scores: a mention is correct when start, end and label are.

Strict is the IOB2 reading: orphan `I-` runs count on neither side (seqeval with `mode="strict", scheme=IOB2`). Lenient
is that of conlleval and seqeval's default: orphan runs count on both. The two differ only by mentions with
`status="orphan"`. Duplicates are counted once: the same span with the same label. Scores and ids are ignored.
Mentions that are not located in the text are never correct, but they count: as false positives, or as missed gold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.counting import MicroCounts, Row, micro_scores, paired_by_id
from openmie.metrics.scores import Scores

Mode = Literal["strict", "lenient"]
Key = tuple[int, int, str]  # start, end, label
Named = tuple[str, str]  # text, label of what is not located


def spans(
    gold: Iterable[Document], predicted: Iterable[Document], mode: Mode = "strict", *, bootstrap: int = 0, seed: int = 0
) -> Scores:
    """Micro precision, recall and F1 over mentions, overall and by label, in percent.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        mode: "strict" ignores orphan `I-` runs on both sides (IOB2); "lenient" counts them (conlleval).
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores; `by_label` has those of each label.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, and an unknown mode.

    Reference: Tjong Kim Sang and De Meulder (2003); seqeval with `mode="strict", scheme=IOB2` gives the same numbers.
    """
    check_mode(mode)
    return micro_scores(span_rows(gold, predicted, mode == "lenient"), bootstrap, seed)


def spans_by_mode(
    gold: Iterable[Document], predicted: Iterable[Document], *, bootstrap: int = 0, seed: int = 0
) -> dict[Mode, Scores]:
    """`spans` in both modes, for which the documents are read once.

    Args:
        gold: As of `spans`.
        predicted: As of `spans`.
        bootstrap: As of `spans`.
        seed: As of `spans`.

    Returns:
        Mode -> scores.

    Raises:
        MetricError: For a duplicate id, and a predicted id that is not in gold.
    """
    counts: dict[Mode, MicroCounts] = {"strict": MicroCounts(), "lenient": MicroCounts()}
    for document, prediction in paired_by_id(gold, predicted):
        for mode, own in counts.items():
            own.add(_row(document, prediction, mode == "lenient"))
    return {mode: own.scores(bootstrap, seed) for mode, own in counts.items()}


def check_mode(mode: str) -> None:
    if mode not in ("strict", "lenient"):
        raise MetricError.unknown("mode", mode, ("strict", "lenient"))


def span_rows(gold: Iterable[Document], predicted: Iterable[Document], orphans: bool = False) -> Iterator[Row]:
    """Labels of correct, predicted and gold mentions of each document."""
    return (_row(document, prediction, orphans) for document, prediction in paired_by_id(gold, predicted))


def _row(document: Document, prediction: Document | None, orphans: bool) -> Row:
    want, missed = keys(document, orphans)
    got, wrong = keys(prediction, orphans) if prediction else (set(), set())
    return (
        [k[2] for k in want & got],
        [k[2] for k in got] + [k[1] for k in wrong],
        [k[2] for k in want] + [k[1] for k in missed],
    )


def keys(document: Document, orphans: bool) -> tuple[set[Key], set[Named]]:
    """The located mentions of a document, and those that are not."""
    located, unlocated = set(), set()
    for m in document.mentions:
        if m.status == "located" or (orphans and m.status == "orphan"):
            located.add((m.start, m.end, m.label))
        elif m.status == "unlocated":
            unlocated.add((m.text, m.label))
    return located, unlocated
