"""BLEU and ROUGE of summaries: a slow oracle for each, values by hand, and how documents are paired."""

from __future__ import annotations

import math
import random
import re
from collections import Counter

import pytest

from openmie import metrics
from openmie.data.document import Document
from openmie.errors import MetricError
from openmie.metrics.text import ROUGE


def document(id: str, summary: str, lang: str = "") -> Document:
    return Document(id=id, summary=summary, lang=lang)


def bleu(references: list[str], found: list[str]) -> float:
    """Papineni's corpus score, one reference, n to 4, over tokens between blanks; exponential smoothing of zeros."""
    right, total, sizes = [0] * 4, [0] * 4, [0, 0]
    for reference, one in zip(references, found):
        a, b = reference.split(), one.split()
        sizes = [sizes[0] + len(a), sizes[1] + len(b)]
        for n in range(4):
            want, got = (Counter(tuple(t[i : i + n + 1]) for i in range(len(t) - n)) for t in (a, b))
            right[n] += sum(min(c, want[g]) for g, c in got.items())
            total[n] += sum(got.values())
    if not all(total) or not any(right):
        return 0.0
    shares, smooth = [], 1.0
    for r, t in zip(right, total):
        if not r:
            smooth *= 2
        shares.append(r / t if r else 1 / (smooth * t))
    penalty = 1.0 if sizes[1] > sizes[0] else math.exp(1 - sizes[0] / sizes[1])
    return 100 * penalty * math.exp(sum(map(math.log, shares)) / 4)


def longest(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + longest(a[:-1], b[:-1])
    return max(longest(a[:-1], b), longest(a, b[:-1]))


def rouge(reference: str, one: str, kind: str, tokens=lambda t: re.findall(r"[a-z0-9]+", t.lower())) -> float:
    a, b = tokens(reference), tokens(one)
    if kind == "rougeL":
        common, want, got = longest(a, b), len(a), len(b)
    else:
        n = int(kind[-1])
        grams = [Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1)) for t in (a, b)]
        common = sum((grams[0] & grams[1]).values())
        want, got = (sum(g.values()) for g in grams)
    return 200 * common / (want + got) if common else 0.0


WORDS = ("Ada", "Bo", "met", "saw", "the", "a", "dog", ",", ".", "7", "and", "Turin")


def drawn(rng: random.Random, most: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, most)))


def test_bleu_is_the_slow_one():
    for seed in range(60):
        rng = random.Random(seed)
        references = [drawn(rng, 12) or "Ada" for _ in range(rng.randint(1, 6))]
        found = [r if rng.random() < 0.4 else drawn(rng, 14) for r in references]
        got = metrics.texts(references, found, tokenizer="none")
        assert got.bleu == pytest.approx(bleu(references, found), abs=1e-9)
        m = got.measures["bleu"]
        assert m.precision * m.recall / 100 == pytest.approx(m.f1)


@pytest.mark.parametrize("kind", ROUGE)
def test_rouge_is_the_slow_one(kind):
    for seed in range(40):
        rng = random.Random(seed)
        references = [drawn(rng, 7) or "Ada" for _ in range(rng.randint(1, 4))]
        found = [drawn(rng, 7) for _ in references]
        want = [rouge(a, b, kind) for a, b in zip(references, found)]
        assert getattr(metrics.texts(references, found), kind) == pytest.approx(sum(want) / len(want))


def test_values_by_hand():
    found = metrics.texts(["Ada met Bo in Turin ."], ["Ada met Bo in Rome ."])
    assert (found.rouge1, found.rouge2, found.rougeL) == pytest.approx((80, 75, 80))
    assert found.bleu == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert "tok:13a" in found.signature and found.tokenizer == "13a"
    same = metrics.texts(
        ["A long enough summary .", "Another one here it is ."] * 2,
        ["A long enough summary .", "Another one here it is ."] * 2,
    )
    assert (same.bleu, same.rouge1, same.rouge2, same.rougeL) == (100, 100, 100, 100)


def test_chinese_by_characters():
    a, b = "照片里有一只狗。", "照片里有一只 Mao 猫。"
    plain, zh = metrics.texts([a], [b]), metrics.texts([a], [b], tokenizer="zh")
    assert plain.rouge1 == 0  # rouge_score knows a-z and 0-9 alone
    assert zh.rouge1 == pytest.approx(200 * 6 / (7 + 8)) and "tok:zh" in zh.signature

    def tokens(text):
        return re.findall(r"[一-鿿]|[a-z]+", text.lower())

    assert [getattr(zh, k) for k in ROUGE] == pytest.approx([rouge(a, b, k, tokens) for k in ROUGE])
    gold = [document("1", a, "zh"), document("2", b, "zh")]
    assert metrics.text(gold, gold).tokenizer == "zh" and metrics.text(gold, gold).rougeL == 100
    assert metrics.text([*gold, document("3", "x", "en")], []).tokenizer == "13a"
    assert metrics.texts(["日本"], ["日本"], tokenizer="char").rouge1 == 100


def test_stems():
    assert metrics.texts(["dogs running"], ["dog runs"], stem=True).rouge1 == 100
    assert metrics.texts(["dogs running"], ["dog runs"]).rouge1 == 0


def test_documents_are_paired_by_id_and_a_missing_one_is_empty():
    gold = [document("1", "Ada met Bo in Turin"), document("2", "a dog in the park"), document("3", " ")]
    predicted = [document("3", "a made-up thing"), document("1", "Ada met Bo in Turin")]
    found = metrics.text(gold, predicted)
    assert (found.documents, found.skipped, found.measures["rouge1"].predicted) == (2, 1, 1)
    assert found.rouge1 == found.rougeL == 50
    assert found.bleu == pytest.approx(100 * math.exp(1 - 10 / 5))  # all right, half as long
    assert metrics.text(gold, [document("1", ""), document("2", "")]).bleu == 0
    nothing = metrics.text([document("3", "")], [])
    assert (nothing.bleu, nothing.rougeL, nothing.documents, nothing.signature) == (0, 0, 0, "")
    assert metrics.text([], []).bleu == 0


def test_interval_of_rouge_over_documents():
    rng = random.Random(0)
    gold = [document(str(n), drawn(rng, 9) or "Ada") for n in range(80)]
    predicted = [d.replace(summary=d.summary if rng.random() < 0.5 else drawn(rng, 9)) for d in gold]
    found = metrics.text(gold, predicted, bootstrap=400, seed=1)
    low, high = found.measures["rouge1"].interval
    assert low < found.rouge1 < high and high - low < 25
    assert found == metrics.text(gold, predicted, bootstrap=400, seed=1)
    assert metrics.text(gold, predicted).measures["rouge1"].interval is None


def test_refusals():
    one = [document("1", "x")]
    for call, message in (
        (lambda: metrics.text(one, one, tokenizer="words"), "words"),
        (lambda: metrics.text(one, [document("2", "x")]), "'2'"),
        (lambda: metrics.text([*one, *one], one), "twice"),
        (lambda: metrics.texts(["a"], []), "0 texts"),
        (lambda: metrics.text(one, one, bootstrap=-1), "bootstrap"),
    ):
        with pytest.raises(MetricError, match=message):
            call()


def test_score_and_its_table():
    gold = [document("1", "Ada met Bo in Turin")]
    found = metrics.score(gold, gold, "summary", bootstrap=10)
    assert list(found) == ["bleu", *ROUGE]
    rows = metrics.table(found)
    assert [(r["metric"], r["f1"], r["gold"], r["predicted"]) for r in rows] == [(m, 100, 1, 1) for m in found]
