"""openmie.extract with the installed weights: names of plain sentences; odd texts, labels and photographs."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import openmie
from openmie import Document, Image, Mention, Region
from openmie.base.links import with_links
from openmie.base.objects import CLASSES

PHOTOGRAPH = Path(__file__).parents[3] / "docs" / "collins.jpg"
ALPHABET = (
    *("Ada", "Bo", "Turin", "NASA", "都灵", "北京", "é", "ü", "ﬁ", "😀", "👩\u200d🚀", "🇮🇹", "\t", "\n", "#", "@", "'"),
    *("-", ".", ",", "1843", "ＡＢ", "\u200b", "\u0301", "ا", "ह"),
)


@pytest.fixture(scope="module")
def base():
    return openmie.load("base")


def named(document):
    return {(m.text, m.label) for m in document.mentions}


def test_names_of_plain_sentences():
    found = openmie.extract(["Angela Merkel visited Paris with Siemens .", "她住在北京。", "Bo lives in Oslo"])
    assert {("Angela Merkel", "PER"), ("Paris", "LOC")} <= named(found[0])
    assert ("北京", "LOC") in named(found[1]) and ("Oslo", "LOC") in named(found[2])
    assert all(0 < m.score <= 1 for d in found for m in d.mentions)


def test_a_photograph_and_who_it_shows():
    text = "Eileen Collins, the first woman to command a Space Shuttle, poses for NASA with a model of the orbiter"
    found = openmie.extract(text, PHOTOGRAPH)
    (mention,) = [m for m in found.mentions if m.label == "PER"]
    people = [r for r in found.regions if r.label == "person"]
    assert mention.text == "Eileen Collins" and len(people) == 1 and people[0].box[0] < 100
    assert [r.box for r in found.regions if r.of == mention.id] == [people[0].box]


def test_labels_of_ones_own_in_two_languages():
    english = openmie.extract("Angela Merkel visited Paris", labels={"politician": "a politician", "city": "a city"})
    assert {("Angela Merkel", "politician"), ("Paris", "city")} <= named(english)
    chinese = openmie.extract(
        "安吉拉·默克尔访问了巴黎", labels={"地点": "一个地方", "人物": "一个人的名字"}, threshold=0.2
    )
    assert ("巴黎", "地点") in named(chinese)


def test_objects_that_show_labels_of_ones_own(base):
    near = {
        "motorbike": "motorcycle",
        "犬": "dog",
        "bird species": "bird",
        "bicycle model": "bicycle",
        "bag": "handbag",
    }
    far = ["city", "election", "法律", "BRAND: a brand or a product", "chemical element", "trade union"]
    table = base.images.similarity([*near, *far], CLASSES)
    assert [[CLASSES[k] for k in row.nonzero()[0]] for row in table] == [[c] for c in near.values()] + [[]] * len(far)
    document = Document(
        id="d", text="Rex on a Vespa", images=[Image(id="i")],
        mentions=[Mention(id="a", start=0, end=3, label="animal"), Mention(id="b", start=9, end=14, label="scooter")],
        regions=[
            Region(image="i", box=(9 * n, 0, 9 * n + 8, 9), label=c, score=0.9)
            for n, c in enumerate(["dog", "motorcycle"])
        ],
    )  # fmt: skip
    found = with_links(document, {"animal": "", "scooter": "a motorbike"}, base.images.similarity)
    assert [(r.of, r.box[0]) for r in found.regions[2:]] == [("a", 0), ("b", 9)]


def test_two_hundred_labels(base):
    labels = {f"kind {i} of stone": f"a stone of the {i}th kind" for i in range(199)} | {"city": "a city or town"}
    found = base.predict_entities("Angela Merkel visited Paris", labels, threshold=0.1)
    assert ("Paris", "city") in {(e["text"], e["label"]) for e in found}


@pytest.mark.parametrize("text", ["", " ", "\n\t", "😀🎉👩‍🚀", "...", "\u200b", "a" * 3000, "\u0301\u0301"])
def test_texts_without_names(text):
    found = openmie.extract(text)
    assert found.text == text and found.relations == () and len(found.mentions) <= 1


@pytest.mark.slow
def test_offsets_of_odd_texts_and_batches_of_them(base):
    drawn = random.Random(0)
    texts = [" ".join(drawn.choices(ALPHABET, k=drawn.randint(1, 40))) for _ in range(80)]
    texts += ["".join(drawn.choices(ALPHABET, k=drawn.randint(1, 40))) for _ in range(80)]
    posts = [Document(id=str(i), text=text) for i, text in enumerate(texts)]
    found = base.predict(posts, 64, threshold=0.05)
    for text, document in zip(texts, found):
        ends = 0
        for m in document.mentions:
            assert ends <= m.start < m.end <= len(text) and m.text == text[m.start : m.end]
            assert m.text == m.text.strip() and m.score >= 0.05
            ends = m.end
    alone = base.predict(posts[:12], 1, threshold=0.05)
    assert [named(d) for d in alone] == [named(d) for d in found[:12]]


def test_a_text_is_read_to_its_end(base):
    filler = "It rained and the shops were closed . " * 250
    (found,) = base.predict([Document(id="long", text=filler + "Then Angela Merkel visited Paris .")])
    assert {("Angela Merkel", "PER"), ("Paris", "LOC")} <= named(found)
    assert max(m.end for m in found.mentions) > len(filler)


def test_thresholds_keep_what_reaches_them(base):
    text = "Angela Merkel visited Paris with Siemens and the Red Cross in May 2014"
    for least in (0.0, 0.3, 0.6, 0.9, 1.0):
        found = base.predict_entities(text, threshold=least)
        assert all(e["score"] >= least for e in found)
    both = base.predict_entities(text, ["PER", "LOC"], threshold={"PER": 1.0, "LOC": 0.0})
    assert {e["label"] for e in both if e["score"] < 1} == {"LOC"}


def test_extracting_from_text_imports_no_transformers():
    code = (
        "import sys, openmie\nassert openmie.extract('Angela Merkel visited Paris').mentions\n"
        "heavy = {'transformers', 'huggingface_hub', 'accelerate'} & sys.modules.keys()\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
