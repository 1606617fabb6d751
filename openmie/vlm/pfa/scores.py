"""Algorithm 1 on the texts of answers, gold and predicted, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openmie.errors import MetricError
from openmie.metrics.mre import Average, Denominator, MreScores, Said, said_scores
from openmie.metrics.text import texts
from openmie.vlm.pfa.labels import Labels, known_names, names_of
from openmie.vlm.pfa.parsing import TASKS, Reading, check_tasks, read


@dataclass(frozen=True, kw_only=True)
class Algorithm1:
    """How answers are scored where the paper leaves it open."""

    denominator: Denominator = "gold"  # of image-entity accuracy; see openmie.metrics.mre
    average: Average = "micro"
    tokenizer: str = "13a"  # of BLEU
    stem: bool = False  # in ROUGE
    bootstrap: int = 0
    seed: int = 0


def score_answers(
    gold: Sequence[str],
    predicted: Sequence[str],
    labels: Labels,
    tasks: Sequence[str] = TASKS,
    *,
    plain: bool = False,
    how: Algorithm1 | None = None,
    sources: Sequence[str] | None = None,
) -> tuple[MreScores, float]:
    """Algorithm 1's scores of predicted answers beside gold ones, in order, and the percentage that parses cleanly.

    Both sides are read as `pfa.parse` reads them, without documents: names and letters are compared as they are said.
    `sources`, the texts that the answers speak of, decide where a name ends that is followed by an unknown label.
    Where `tasks` has no summary, `text` is None; samples without a gold summary are left out of it.
    Errors: sides of different lengths, labels or tasks that are none, those of the metrics.
    """
    if len(gold) != len(predicted):
        raise MetricError(
            f"{len(predicted)} answers for {len(gold)} gold ones",
            expected="one for each, in order",
            remedy="pair them by id first",
        )
    if sources is not None and len(sources) != len(gold):
        raise MetricError(
            f"{len(sources)} texts for {len(gold)} answers",
            expected="one for each, in order",
            remedy="leave `sources` out, or give all",
        )
    how, names, tasks = how or Algorithm1(), known_names(names_of(labels)), check_tasks(tasks)
    about: Sequence[str | None] = [None] * len(gold) if sources is None else sources
    sides = [[read(a, names, tasks, plain=plain, source=s) for a, s in zip(side, about)] for side in (gold, predicted)]
    rows = [(said(a), said(b)) for a, b in zip(*sides)]
    found = said_scores(rows, denominator=how.denominator, average=how.average, bootstrap=how.bootstrap, seed=how.seed)
    clean = sum(not reading.errors for reading in sides[1])
    share = 100.0 * clean / len(predicted) if predicted else 0.0
    if "summary" not in tasks:
        return found, share
    kept = [(a.summary, b.summary) for a, b in zip(*sides) if a.summary.strip()]
    scored = texts(
        [a for a, _ in kept],
        [b for _, b in kept],
        tokenizer=how.tokenizer,
        stem=how.stem,
        bootstrap=how.bootstrap,
        seed=how.seed,
    )
    return replace(found, text=replace(scored, skipped=len(gold) - len(kept))), share


def said(reading: Reading) -> Said:
    """What an answer says; a number in a pair stands for the entity at that place, or else for itself."""
    listed = reading.entities

    def name(shows: str | int) -> str:
        return shows if isinstance(shows, str) else listed[shows - 1].text if 0 < shows <= len(listed) else str(shows)

    return Said([(e.label, e.text) for e in listed], [(p.letter, name(p.shows)) for p in reading.pairs])
