"""Scores of summaries: corpus BLEU and ROUGE-1, 2 and L, in percent, over documents paired by id.

BLEU (Papineni et al., 2002) is sacrebleu's corpus score with its own smoothing, its signature kept beside the number.
ROUGE (Lin, 2004) is rouge_score's, the mean over documents of precision, recall and F1; of ROUGE-L the longest common
subsequence of the whole summary. M-MRE names neither variant nor tokeniser; these are the ones that others can repeat.

A gold document without a summary has nothing to be compared with: it is left out and counted in `skipped`. A missing or
empty prediction is an empty summary and counts: its ROUGE is 0, and BLEU's brevity penalty sees its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.counting import paired_by_id
from openmie.metrics.scores import Scores

TOKENIZERS = ("13a", "intl", "zh", "char", "none")  # of sacrebleu; see `texts`
ROUGE = ("rouge1", "rouge2", "rougeL")
_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ZH = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+")


@dataclass(frozen=True)
class TextMeasure(Scores):
    """One measure of texts, in the columns of a score. `gold`: documents scored; `predicted`: those with a summary.

    Of ROUGE, means over documents. Of BLEU, f1 is the score, precision what it is without the brevity penalty, and
    recall that penalty in percent.
    """

    means: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def precision(self) -> float:
        return self.means[0]

    @property
    def recall(self) -> float:
        return self.means[1]

    @property
    def f1(self) -> float:
        return self.means[2]


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """BLEU and ROUGE of texts, in percent, and how they were taken."""

    measures: dict[str, TextMeasure]
    skipped: int = 0  # gold documents without a summary
    tokenizer: str = "13a"
    stem: bool = False
    signature: str = ""  # of sacrebleu

    @property
    def bleu(self) -> float:
        return self.measures["bleu"].f1

    @property
    def rouge1(self) -> float:
        return self.measures["rouge1"].f1

    @property
    def rouge2(self) -> float:
        return self.measures["rouge2"].f1

    @property
    def rougeL(self) -> float:
        return self.measures["rougeL"].f1

    @property
    def documents(self) -> int:
        return int(self.measures["bleu"].gold)


def text(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    *,
    tokenizer: str = "",
    stem: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
) -> TextScores:
    """BLEU and ROUGE of predicted summaries.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        tokenizer: As in `texts`; "": zh where all documents with a gold summary have `lang="zh"`, else 13a.
        stem: Whether ROUGE stems words.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Raises:
        MetricError: For a duplicate id, a predicted id that is not in gold, and an unknown tokenizer.

    Reference: Papineni et al. (2002); Lin (2004).
    """
    pairs = [(d.summary, p.summary if p else "", d.lang) for d, p in paired_by_id(gold, predicted)]
    kept = [pair for pair in pairs if pair[0].strip()]
    if not tokenizer:
        tokenizer = "zh" if kept and all(lang == "zh" for *_, lang in kept) else "13a"
    found = texts(
        [summary for summary, *_ in kept],
        [summary for _, summary, _ in kept],
        tokenizer=tokenizer,
        stem=stem,
        bootstrap=bootstrap,
        seed=seed,
    )
    return replace(found, skipped=len(pairs) - len(kept))


def texts(
    references: Sequence[str],
    found: Sequence[str],
    *,
    tokenizer: str = "13a",
    stem: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
) -> TextScores:
    """BLEU and ROUGE of texts, one reference each.

    `tokenizer` is sacrebleu's: 13a (mteval's, for European languages), intl, zh and char (by characters, for Chinese
    and others), none (the texts have blanks between tokens). ROUGE is taken over rouge_score's tokens (runs of a-z and
    0-9, with `stem` Porter's stems), and with zh or char over characters and words of other scripts, lower case.
    `bootstrap` draws (0: none) give the 95% interval of ROUGE over documents.
    Errors: lists of different lengths, an unknown tokenizer.
    """
    if tokenizer not in TOKENIZERS:
        raise MetricError.unknown(
            "tokenizer", tokenizer, TOKENIZERS, remedy="13a for European languages, zh for Chinese"
        )
    if len(references) != len(found):
        raise MetricError(
            f"{len(found)} texts for {len(references)} references",
            expected="one for each",
            remedy="score documents with metrics.text, which pairs them by id",
        )
    counted = TextMeasure(predicted=sum(bool(t.strip()) for t in found), gold=len(references))
    bleu, signature = _bleu(references, found, tokenizer)
    measures = {"bleu": replace(counted, means=bleu)}
    for name, values in _rouge(references, found, tokenizer in ("zh", "char"), stem).items():
        means = values.mean(axis=0) if len(values) else np.zeros(3)
        between = _interval(values[:, 2], bootstrap, seed)
        measures[name] = replace(counted, means=tuple(means.tolist()), interval=between)
    return TextScores(measures=measures, tokenizer=tokenizer, stem=stem, signature=signature)


def _bleu(references: Sequence[str], found: Sequence[str], tokenizer: str) -> tuple[tuple[float, float, float], str]:
    """(score without penalty, penalty, score) in percent, and sacrebleu's signature."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize=tokenizer)
    if not references:
        return (0.0, 0.0, 0.0), ""
    score = metric.corpus_score(list(found), [list(references)])
    value, penalty = min(score.score, 100.0), float(score.bp)  # sacrebleu's 100 is a hair above
    before = min(value / penalty, 100.0) if penalty else 0.0
    return (before, 100.0 * penalty, value), str(metric.get_signature())


def _rouge(
    references: Sequence[str], found: Sequence[str], characters: bool, stem: bool
) -> dict[str, npt.NDArray[np.float64]]:
    """Measure -> (documents, 3): precision, recall, F1 in percent."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE), use_stemmer=stem, tokenizer=_Characters() if characters else None)
    rows: dict[str, list[Any]] = {name: [] for name in ROUGE}
    for reference, one in zip(references, found):
        for name, value in scorer.score(reference, one).items():
            rows[name].append((value.precision, value.recall, value.fmeasure))
    return {name: 100.0 * np.array(values, dtype=np.float64).reshape(-1, 3) for name, values in rows.items()}


class _Characters:
    """rouge_score's protocol of tokenizers: each character of Chinese and Japanese, each word of other scripts."""

    def tokenize(self, text: str) -> list[str]:
        return _ZH.findall(text.lower())


def _interval(values: npt.NDArray[np.float64], bootstrap: int, seed: int) -> tuple[float, float] | None:
    if bootstrap < 0:
        raise MetricError(f"bootstrap={bootstrap}", expected="a number of draws, 0 for none", remedy="1000 is usual")
    if not bootstrap or not len(values):
        return None
    n = len(values)
    means = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=bootstrap) @ values / n
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
