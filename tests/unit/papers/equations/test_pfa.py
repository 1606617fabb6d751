"""M-MRE's equation 1, each step of its algorithm 1 and its printed values, recomputed step by step."""

import math
import random
import re

import pytest

from openmie.data.corpus import Corpus, Labels
from openmie.datasets.mmre import TRAIN
from openmie.metrics.mre import MreItems, mre_scores
from openmie.papers import pfa
from openmie.vlm.pfa.scores import score_answers
from openmie.vlm.sft.settings import part_of

LABELS = ("LOC", "ORG", "PER")
NAMES = ("Ada Lovelace", "Turin", "Bank of Italy", "Bo", "Lake Como", "Eda")
WORDS = ("a", "man", "in", "red", "holds", "the", "cup", "near", "trees", "smiling")


def answer(rng):
    """An answer in the printed format: summary, label-entity pairs, patches with one entity each."""
    summary = " ".join(rng.choices(WORDS, k=rng.randint(4, 12)))
    entities = [(rng.choice(LABELS), rng.choice(NAMES)) for _ in range(rng.randint(1, 5))]
    pairs = {letter: rng.choice(NAMES) for letter in "abc"[: rng.randint(1, 3)]}
    ner = "".join(f":{label};{name}" for label, name in entities)
    inside = ", ".join(f"'{letter}': '{name}'" for letter, name in pairs.items())
    return f"Task 1 Answer: {summary}\nTask 2 Answer: NER: {ner}\nimage-entity pair: {{{inside}}}"


def answers(seed, n=12):
    rng = random.Random(seed)
    return [answer(rng) for _ in range(n)]


# algorithm 1, line by line: 1 to 5 take an answer apart


def summary_of(text):
    return re.search(r"Task 1 Answer:(.*?)\nTask 2 Answer:", text, re.DOTALL)[1].strip()


def entities_of(text):
    found = re.search(r"NER:(.*?)\nimage-entity pair:", text, re.DOTALL)[1].strip()
    return [tuple(part.split(";")) for part in found.split(":") if part]


def patches_of(text):
    inside = re.search(r"image-entity pair: \{(.*)\}", text)[1]
    return dict(re.findall(r"'(\w)': '([^']*)'", inside))


def prf(correct, predicted, gold):
    """Precision, recall and equation 1."""
    p, r = correct / predicted, correct / gold
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def matched(predicted, gold):
    """How many of the predicted pairs find one of gold that is not taken yet."""
    left, found = list(gold), 0
    for pair in predicted:
        if pair in left:
            left.remove(pair)
            found += 1
    return found


@pytest.mark.parametrize("seed", range(4))
def test_equation_1_f1_of_label_entity_pairs(seed):
    """Lines 4, 7 and 8: over all answers, a pair as often as gold has it."""
    gold, predicted = answers(seed), answers(seed + 100)
    counts = [0, 0, 0]
    for g, p in zip(gold, predicted, strict=True):
        want, got = entities_of(g), entities_of(p)
        counts = [a + b for a, b in zip(counts, (matched(got, want), len(got), len(want)), strict=True)]
    assert counts[0]
    p, r, f1 = prf(*counts)
    found, parsed = score_answers(gold, predicted, LABELS)
    assert parsed == 100.0
    assert abs(found.ner.precision - 100 * p) < 1e-6 and abs(found.ner.recall - 100 * r) < 1e-6
    assert abs(found.f1 - 100 * f1) < 1e-6


def test_equation_1_of_nothing_right_is_zero():
    assert mre_scores([(MreItems([("PER", "Ada")]), MreItems([("LOC", "Ada")]))]).f1 == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_algorithm_1_line_9_accuracy_of_image_entity_pairs(seed):
    """Correct pairs by those of gold (the paper leaves the denominator open)."""
    gold, predicted = answers(seed), answers(seed + 100)
    want, got = [patches_of(x) for x in gold], [patches_of(x) for x in predicted]
    right = sum(g.get(letter) == name for g, p in zip(want, got, strict=True) for letter, name in p.items())
    assert right
    found, _ = score_answers(gold, predicted, LABELS)
    assert abs(found.accuracy - 100 * right / sum(map(len, want))) < 1e-6


def grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def bleu(gold, predicted):
    """Papineni et al.: geometric mean of clipped precisions of a corpus, times the brevity penalty; a precision of 0 is
    halved once more each time (sacrebleu's smoothing)."""
    logs, halved = [], 1.0
    for n in range(1, 5):
        right = sum(matched(grams(p, n), grams(g, n)) for g, p in zip(gold, predicted, strict=True))
        whole = sum(len(grams(p, n)) for p in predicted)
        if not right:
            halved *= 2
        logs.append(math.log((right or 1 / halved) / whole))
    want, got = sum(map(len, gold)), sum(map(len, predicted))
    return math.exp(sum(logs) / 4) * (1.0 if got >= want else math.exp(1 - want / got))


def longest_common(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def rouge(gold, predicted, n):
    """Lin: mean over answers of the F1 of n-grams, or with n = 0 of the longest common subsequence."""
    scores = []
    for g, p in zip(gold, predicted, strict=True):
        right = matched(grams(p, n), grams(g, n)) if n else longest_common(p, g)
        scores.append(prf(right, len(grams(p, n or 1)), len(grams(g, n or 1)))[2])
    return sum(scores) / len(scores)


@pytest.mark.parametrize("seed", range(4))
def test_algorithm_1_line_6_bleu_and_rouge(seed):
    gold, predicted = answers(seed), answers(seed + 100)
    want, got = ([summary_of(x).split() for x in part] for part in (gold, predicted))
    found = score_answers(gold, predicted, LABELS)[0].text
    assert abs(found.bleu - 100 * bleu(want, got)) < 1e-6
    for measure, n in ((found.rouge1, 1), (found.rouge2, 2), (found.rougeL, 0)):
        assert abs(measure - 100 * rouge(want, got, n)) < 1e-6


@pytest.mark.parametrize("header", ["image-entity pair:", "image entities pair:", "image entities pair"])
def test_algorithm_1_line_3_reads_both_printed_headers(header):
    gold = "Task 1 Answer: a cup\nTask 2 Answer: NER: :PER;Ada\nimage-entity pair: {'a': 'Ada'}"
    predicted = gold.replace("image-entity pair:", header)
    found, _ = score_answers([gold], [predicted], LABELS)
    assert (found.f1, found.accuracy) == (100.0, 100.0)


# values


def test_printed_values():
    """Sections 3.1 and 4, as read from the text."""
    corpus = Corpus("gmner:x", {"train": lambda: iter([])}, declared=Labels(mentions=LABELS))
    recipe = pfa.recipe(corpus, flavour="paper")
    training = recipe.training
    assert recipe.model == "Qwen/Qwen2.5-VL-7B-Instruct" and recipe.tasks == ("summary", "ner") and not recipe.plain
    assert (training.batch, training.epochs, training.precision, training.lora) == (4, 3, "bf16", None)
    assert (training.lr, training.vision_lr, training.merger_lr) == (1e-5, 2e-6, 2e-6)
    assert (TRAIN, recipe.split >= 0, recipe.dev, training.keep) == (0.7, True, 0.0, "last")
    names = ("model.language_model.layers.0.mlp.up_proj.weight", "model.visual.blocks.0.x", "model.visual.merger.mlp.x")
    assert [part_of(name) for name in names] == ["language", "vision", "merger"]
