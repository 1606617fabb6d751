"""Algorithm 1 of M-MRE on the texts of answers, gold and predicted, of any system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openmie.errors import MetricError
from openmie.metrics.mre import Average, Denominator, MreItems, MreScores, mre_scores
from openmie.metrics.text import TextScores, texts
from openmie.vlm.pfa.labels import MentionLabels, label_names, label_set
from openmie.vlm.pfa.parsing import TASKS, PfaAnswer, check_tasks, parse_pfa_answer


@dataclass(frozen=True, kw_only=True)
class Algorithm1Options:
    """How answers are scored where the paper does not say.

    Args:
        denominator: of image-entity accuracy (`openmie.metrics.mre`).
        average: "micro" or "macro".
        tokenizer: of BLEU.
        stem: whether ROUGE stems words.
        bootstrap: resamples for the confidence interval; 0: none.
        seed: of the bootstrap.
    """

    denominator: Denominator = "gold"
    average: Average = "micro"
    tokenizer: str = "13a"
    stem: bool = False
    bootstrap: int = 0
    seed: int = 0


def score_answers(
    gold: Sequence[str],
    predicted: Sequence[str],
    labels: MentionLabels,
    tasks: Sequence[str] = TASKS,
    *,
    plain: bool = False,
    options: Algorithm1Options | None = None,
    sources: Sequence[str] | None = None,
) -> tuple[MreScores, float]:
    """Score predicted answers against gold answers by Algorithm 1 (Gan et al., 2025).

    Both are parsed as `pfa.parse` does, without documents: names and letters are compared verbatim.

    Args:
        gold: texts of gold answers.
        predicted: texts of predicted answers, in the same order.
        labels: labels of mentions.
        tasks: "summary", "ner" or both; without "summary", `text` of the scores is None. Samples without a gold summary
            are left out of it.
        plain: the variant without headers.
        options: how answers are scored.
        sources: texts of the documents, which decide where a name ends that is followed by an unknown label.

    Returns:
        (scores, percentage of predicted answers that have the format), in percent.

    Raises:
        MetricError: lists of different lengths.
        OpenMIEError: invalid labels or tasks.
    """
    _check_lengths(gold, predicted, sources)
    options, names, tasks = options or Algorithm1Options(), label_set(label_names(labels)), check_tasks(tasks)
    about: Sequence[str | None] = [None] * len(gold) if sources is None else sources
    gold_parsed, predicted_parsed = (
        [parse_pfa_answer(a, names, tasks, plain=plain, source=s) for a, s in zip(answers, about)]
        for answers in (gold, predicted)
    )
    rows = [(_statement(a), _statement(b)) for a, b in zip(gold_parsed, predicted_parsed)]
    found = mre_scores(
        rows, denominator=options.denominator, average=options.average, bootstrap=options.bootstrap, seed=options.seed
    )
    clean = sum(not answer.errors for answer in predicted_parsed)
    share = 100.0 * clean / len(predicted) if predicted else 0.0
    if "summary" not in tasks:
        return found, share
    return replace(found, text=_summary_scores(gold_parsed, predicted_parsed, options)), share


def _check_lengths(gold: Sequence[str], predicted: Sequence[str], sources: Sequence[str] | None) -> None:
    """MetricError unless there is an answer, and where texts are given a text, for each gold answer."""
    if len(gold) != len(predicted):
        raise MetricError(
            f"{len(predicted)} answers for {len(gold)} gold ones",
            expected="one for each, in the same order",
            remedy="pair them by id first",
        )
    if sources is not None and len(sources) != len(gold):
        raise MetricError(
            f"{len(sources)} texts for {len(gold)} answers",
            expected="one for each, in order",
            remedy="leave `sources` out, or give one for each",
        )


def _summary_scores(
    gold: Sequence[PfaAnswer], predicted: Sequence[PfaAnswer], options: Algorithm1Options
) -> TextScores:
    """Scores of the summaries; samples without a gold one are counted as skipped."""
    kept = [(a.summary, b.summary) for a, b in zip(gold, predicted) if a.summary.strip()]
    scored = texts(
        [a for a, _ in kept],
        [b for _, b in kept],
        tokenizer=options.tokenizer,
        stem=options.stem,
        bootstrap=options.bootstrap,
        seed=options.seed,
    )
    return replace(scored, skipped=len(gold) - len(kept))


def _statement(answer: PfaAnswer) -> MreItems:
    """The content of an answer; a number in a pair stands for the entity at that position, or else for itself."""
    listed = answer.entities

    def name(entity: str | int) -> str:
        if isinstance(entity, str):
            return entity
        return listed[entity - 1].text if 0 < entity <= len(listed) else str(entity)

    return MreItems([(e.label, e.text) for e in listed], [(p.letter, name(p.entity)) for p in answer.pairs])
