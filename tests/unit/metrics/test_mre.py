"""Algorithm 1 of M-MRE: values by hand for each reading, a slow oracle, documents and anybody's answers alike."""

from __future__ import annotations

import random

import pytest
from typer.testing import CliRunner

import openmie
from openmie import diorama, metrics
from openmie.cli import application as cli
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import MetricError, OpenMIEError
from openmie.metrics.mre import MreItems, mre_scores
from openmie.vlm import pfa
from openmie.vlm.pfa.scores import Algorithm1Options, score_answers

LABELS = ("PER", "LOC", "ORG", "MISC")
GOLD = [
    MreItems([("PER", "Ada"), ("PER", "Ada"), ("LOC", "Turin")], [("a", "Ada"), ("b", "Turin")]),
    MreItems([("ORG", "Zed")], [("a", "Zed")]),
    MreItems(),
]
FOUND = [
    MreItems([("PER", "Ada"), ("LOC", "Ada"), ("LOC", " Turin ")], [("a", "Ada"), ("c", "Turin")]),
    MreItems([("ORG", "Zed"), ("ORG", "Zed")], [("a", "Zed"), ("b", "Zed"), ("b", "Zed")]),
    MreItems([("PER", "Bo")], [("a", "Bo")]),
]


def test_values_by_hand():
    """Right: Ada once, Turin, Zed once, of 4 gold and 6 found; pairs (a, Ada) and (a, Zed), of 3 gold and 5 found."""
    rows = list(zip(GOLD, FOUND))
    found = mre_scores(rows)
    assert (found.ner.correct, found.ner.predicted, found.ner.gold) == (3, 6, 4)
    assert found.f1 == pytest.approx(60) == found.ner.f1 and found.ner.by_label["PER"].correct == 1
    assert (found.pairs.correct, found.pairs.predicted, found.pairs.gold) == (2, 5, 3)
    for denominator, counted in (("gold", 3), ("predicted", 5), ("union", 6)):
        assert mre_scores(rows, denominator=denominator).accuracy == pytest.approx(200 / counted)


def test_means_over_samples_by_hand():
    rows = list(zip(GOLD, FOUND))
    found = mre_scores(rows, average="sample")
    assert found.f1 == pytest.approx((200 * 2 / 6 + 200 * 1 / 3 + 0) / 3)
    assert found.accuracy == pytest.approx((50 + 100) / 2)  # the third has no gold pair
    assert mre_scores(rows, average="sample", denominator="predicted").accuracy == pytest.approx((50 + 50 + 0) / 3)
    assert mre_scores([(MreItems(), MreItems())], average="sample").f1 == 0
    assert found.ner == mre_scores(rows).ner


def slow(rows, denominator):
    """Counted by crossing out."""
    right = want_n = got_n = pair_right = pair_n = 0
    for want, got in rows:
        left = list(want.entities)
        for entity in got.entities:
            if entity in left:
                left.remove(entity)
                right += 1
        want_n, got_n = want_n + len(want.entities), got_n + len(got.entities)
        counted = {"gold": want.pairs, "predicted": got.pairs, "union": [*want.pairs, *got.pairs]}[denominator]
        pair_n += len(dict.fromkeys(counted))
        pair_right += sum(p in want.pairs and p in got.pairs for p in dict.fromkeys(counted))
    p, r = right / got_n if got_n else 0, right / want_n if want_n else 0
    return 200 * p * r / (p + r) if p + r else 0.0, 100 * pair_right / pair_n if pair_n else 0.0


@pytest.mark.parametrize("denominator", ["gold", "predicted", "union"])
def test_it_is_the_slow_one(denominator):
    for seed in range(100):
        rng = random.Random(seed)

        def side(rng=rng):
            entities = [(rng.choice("PL"), rng.choice("xyz")) for _ in range(rng.randint(0, 5))]
            return MreItems(entities, [(rng.choice("abc"), rng.choice("xyz")) for _ in range(rng.randint(0, 4))])

        rows = [(side(), side()) for _ in range(rng.randint(0, 5))]
        found = mre_scores(rows, denominator=denominator, bootstrap=5)
        assert (found.f1, found.accuracy) == pytest.approx(slow(rows, denominator))


def spoilt(rng: random.Random, document: Document) -> Document:
    """A prediction: labels changed, mentions and regions lost, another patch shown."""
    mentions = [m.model_copy(update={"label": rng.choice(LABELS)}) for m in document.mentions if rng.random() < 0.8]
    held = [i for i in document.images if i.kind == "patch" and i.parent == "main"]
    regions = [Region(image="main", box=rng.choice(held).box, of=m.id) for m in mentions if held and rng.random() < 0.7]
    regions += [r for r in document.regions if rng.random() < 0.6 and r.of in {m.id for m in mentions}]
    return document.replace(mentions=mentions, regions=regions, relations=(), summary=document.summary[:20])


def test_documents_and_their_answers_score_alike():
    """On documents, on rendered answers of them, and on what `parse` makes of those."""
    gold = [d for d in diorama.generate(diorama.Config(seed=9), "test", 60) if d.images and d.text]
    rng = random.Random(1)
    predicted = [spoilt(rng, d) for d in gold]
    whole = metrics.mre(gold, predicted)
    assert 0 < whole.f1 < 100 and 0 < whole.accuracy < 100 and 0 < whole.text.rougeL < 100
    answers = [[pfa.render(d, LABELS) for d in side] for side in (gold, predicted)]
    raw, clean = score_answers(*answers, LABELS)
    assert clean == 100
    assert (raw.ner, raw.pairs, raw.text) == (whole.ner, whole.pairs, whole.text)
    read = [pfa.parse(a, LABELS, d.without_gold()) for a, d in zip(answers[1], gold)]
    assert metrics.mre(gold, read) == whole
    perfect = metrics.mre(gold, gold, average="sample", denominator="union")
    assert (perfect.f1, perfect.accuracy, perfect.text.bleu) == (100, 100, 100)


def test_patches_are_those_of_gold():
    """A prediction that lost its images is read on gold's patches; a region on no patch is in neither side."""
    images = [Image(id="main"), Image(kind="patch", id="p", box=(0, 0, 10, 10))]
    gold = Document(
        id="d",
        text="Ada Bo",
        images=images,
        mentions=[Mention(id="m", start=0, end=3, label="PER")],
        regions=[Region(image="main", box=(0, 0, 10, 9), of="m"), Region(image="main", box=(50, 50, 60, 60), of="m")],
    )
    bare = gold.replace(images=(), regions=[Region(image="main", box=(0, 0, 10, 10), of="m")])
    found = metrics.mre([gold], [bare])
    assert (found.pairs.correct, found.pairs.predicted, found.pairs.gold, found.accuracy) == (1, 1, 1, 100)
    missing = metrics.mre([gold], [])
    assert (missing.f1, missing.accuracy, missing.pairs.gold) == (0, 0, 1)


def test_anybodys_answers():
    gold = [
        "Task 1 Answer: Ada talks.\nTask 2 Answer: NER: :PER;Ada:LOC;Turin\n"
        "image-entity pair: {'a': 'Ada', 'b': 'Turin'}",
        "Task 1 Answer: \nTask 2 Answer: NER: :PER;Bo:PER;Bo\nimage-entity pair: {'a': 2}",
    ]
    theirs = ["**Task 1 Answer:** Ada talks.\n**Task 2 Answer:** NER: :PER;Ada:CITY;Turin\n"
              "image entities pair: {\"a\": \"Ada\"}", "Sorry, I cannot help with that."]  # fmt: skip
    found, clean = score_answers(gold, theirs, LABELS)
    assert clean == 50  # without the text, `:CITY;Turin` may belong to the name
    assert (found.ner.correct, found.ner.predicted, found.ner.gold) == (0, 1, 4)
    assert found.accuracy == pytest.approx(100 / 3) and found.text.rougeL == 100 and found.text.skipped == 1
    found, clean = score_answers(gold, theirs, LABELS, sources=["Ada in Turin", "Bo and Bo"])
    assert (clean, found.ner.correct, found.ner.predicted, found.ner.gold) == (0, 1, 1, 4)
    sample, _ = score_answers(
        gold, theirs, LABELS, ("ner",), options=Algorithm1Options(average="sample", denominator="union")
    )
    assert sample.text is None and sample.accuracy == pytest.approx(25)
    assert score_answers([], [], LABELS)[1] == 0
    plain, clean = score_answers([":PER;Ada\n{'a': 'Ada'}"], [":PER;Ada\n{}"], LABELS, ("ner",), plain=True)
    assert (plain.f1, plain.accuracy, clean) == (100, 0, 100)


def test_refusals():
    for call, message in (
        (lambda: mre_scores([], denominator="all"), "all"),
        (lambda: mre_scores([], average="macro"), "macro"),
        (lambda: score_answers(["a"], [], LABELS), "0 answers"),
        (lambda: score_answers(["a"], ["b"], LABELS, sources=[]), "0 texts"),
    ):
        with pytest.raises(MetricError, match=message):
            call()
    with pytest.raises(OpenMIEError, match="labels"):
        score_answers([], [], "PER")


@pytest.mark.parametrize("task", ["mre", "summary"])
def test_on_the_command_line(tmp_path, task):
    gold = [
        d.replace(images=[i.model_copy(update={"pixels": None}) for i in d.images])
        for d in diorama.generate(diorama.Config(seed=2), "test", 6)
    ]
    openmie.write(gold, tmp_path / "gold.jsonl")
    result = CliRunner().invoke(cli.app, ["score", *[str(tmp_path / "gold.jsonl")] * 2, "--task", task])
    assert result.exit_code == 0, result.output
    assert "rougeL" in result.output and "bleu" in result.output
    assert ("image-entity" in result.output) == (task == "mre")
