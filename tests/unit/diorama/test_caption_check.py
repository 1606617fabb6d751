"""The truth about Diorama's captions: shares against the dials, an independent reading, and the draw itself."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product

import pytest

from openmie.annotation import caption_review as review
from openmie.data.document import Document
from openmie.diorama import Config, check_caption, generate
from openmie.diorama.drawing.layout import KINDS
from openmie.diorama.posts import distributions
from openmie.diorama.posts.captions import NOUNS, SIGNS, captions
from openmie.diorama.posts.posts import CAPTION, sample_post
from openmie.errors import CorpusError

BARE = {"translation": False, "patches": 4}  # what no caption depends on


def posts(n=4000, split="test", **options):
    return list(generate(Config(**{"seed": 3, **BARE, **options}), split, n, pixels=False))


def wilson(found):
    return review.CaptionAccuracy(len(found), sum(found)).interval


def expected(config):
    """P(right) by enumeration, without distractors: a sign or a noun that was added may happen to be there."""
    total = 0.0
    share = config.unrelated * config.clutter
    scenes = [(s, p * (1 - share)) for s, p in distributions.other_scenes(config)]
    for scene, p in scenes + [(s, p * share) for s, p in distributions.clutter_scenes(config)]:
        there = 0.1 if scene.sign else 0.0  # one of ten things is added, five of them signs
        for type_ in (*distributions.TYPES, distributions.CLUTTER):
            alike = [f for f in scene.figures if f.type == type_ and not f.young]
            kinds, hit = len(KINDS[type_]), 0.0
            for drawn in product(range(kinds), repeat=len(alike)):
                for gone in product((True, False), repeat=len(alike)):
                    q = 1.0
                    for g in gone:
                        q *= config.left_out if g else 1 - config.left_out
                    hit += q * len({k for k, g in zip(drawn, gone) if g}) / kinds / kinds ** len(alike)
            there += 0.1 * hit
        total += p * (1 - config.hallucinated + config.hallucinated * there)
    return total


@pytest.mark.slow
def test_the_share_of_right_captions_is_one_minus_the_dial_and_what_happens_to_be_there():
    assert expected(Config()) == pytest.approx(0.852, abs=0.0005)
    low, high = wilson(
        [check_caption(d, "noisy").correct for d in posts()]
    )  # with small things in sight, a little more
    assert low <= 0.8520 <= high and high - low < 0.03
    for options in ({}, {"hallucinated": 0.6, "left_out": 0.5}, {"two_names": 1.0, "hallucinated": 1.0}):
        config = Config(distractors=0, seed=3, **BARE, **options)
        found = [check_caption(d, "noisy").correct for d in generate(config, "test", 3000, pixels=False)]
        low, high = wilson(found)
        assert low <= expected(config) <= high, options


@pytest.mark.parametrize(
    "options", [{}, {"hallucinated": 0.0}, {"left_out": 0.0}, {"hallucinated": 0.0, "left_out": 0.0}]
)
def test_no_hallucination_and_no_omission_where_the_dials_say_so(options):
    found = posts(400, "dev", **options)
    said = [check_caption(d, "noisy") for d in found]
    assert all(v.correct for v in said) == ("hallucinated" in options)
    assert all(v.complete for v in said) == ("left_out" in options)
    assert all(check_caption(d, "true").correct and check_caption(d, "true").complete for d in found)


def test_each_thing_is_left_out_with_the_chance_of_the_dial():
    found = posts(3000, left_out=0.3, hallucinated=0.0)
    things = sum(len(d.source["scene"]["figures"]) + bool(d.source["scene"]["sign"]) for d in found)
    left = sum(len(check_caption(d, "noisy").left_out) for d in found)
    low, high = review.CaptionAccuracy(things, left).interval
    assert low <= 0.3 <= high


def reading(text):
    """What a caption says, by a search for each phrase that stands as a whole: longest first, and each taken away."""
    found = Counter()
    for phrase in sorted({*NOUNS.values(), "a child", "a small copy", *SIGNS.values()}, key=len, reverse=True):
        text, n = re.subn(rf"(?<!\w){re.escape(phrase)}(?!\w)", "#", text)
        found[phrase] += n
    assert not set(text.split()) - {"a", "picture", "of", "and", ",", "with", "#", "some", "things"}, text
    return +found


def test_against_an_independent_reading_of_words_and_of_what_was_drawn():
    config = Config(seed=4, two_names=0.6, hallucinated=0.5, left_out=0.3, distractors=4, **BARE)
    wrong = lucky = 0
    for i, d in enumerate(generate(config, "train", 2500, pixels=False)):
        facts, layout, streams = sample_post(config, "train", i)
        shown = Counter(
            "a child"
            if p.figure.young and p.figure.type == "PER"
            else "a small copy"
            if p.figure.young
            else NOUNS[p.kind]
            for p in layout.figures
        )
        shown.update([SIGNS[facts.scene.sign]] if facts.scene.sign else [])
        said, seen = reading(d.captions["noisy"]), Counter(NOUNS[k] for k in d.source["scene"]["things"])
        too_many = {x: n - shown[x] - seen[x] for x, n in said.items() if n > shown[x] + seen[x]}
        v = check_caption(d, "noisy")
        assert Counter(v.hallucinated) == too_many
        assert Counter(v.left_out) == {x: n - said[x] for x, n in shown.items() if n > said[x]}
        drawn = streams[CAPTION].sample(captions(config, facts.scene))  # what the generator itself put in
        added = drawn.added >= 0 or bool(set(drawn.signs) - {facts.scene.sign})
        assert v.correct or added  # nothing is hallucinated that was not added
        wrong, lucky = wrong + (not v.correct), lucky + (v.correct and added)
        assert len(v.hallucinated) <= 1
    assert wrong > 1000 and 10 < lucky < 100


def test_small_things_are_there_where_they_can_be_seen():
    found = posts(2000, distractors=4)
    kinds = [k for d in found for k in d.source["scene"]["things"]]
    assert set(kinds) == set(KINDS[distributions.CLUTTER]) and 1.5 < len(kinds) / len(found) < 2
    d = next(
        d
        for d in found
        if d.source["scene"]["things"] == ["cup"] and "cup" not in [f["kind"] for f in d.source["scene"]["figures"]]
    )
    for text, right in (("a cup", True), ("a cup and a cup", False), ("a lamp", False), ("some things", True)):
        v = check_caption(d.replace(captions={"mine": f"a picture of {text}"}), "mine")
        assert v.correct is right and len(v.left_out) == len(check_caption(d, "true").left_out) + len(
            d.source["scene"]["figures"]
        ) + bool(d.source["scene"]["sign"])


def test_a_small_thing_beside_a_figure_of_its_kind_makes_two():
    scene = {"figures": [{"type": distributions.CLUTTER, "young": False, "kind": "cup"}], "sign": "", "things": ["cup"]}
    d = Document(id="two cups", source={"corpus": "diorama", "scene": scene})
    for number, wrong in ((1, ()), (2, ()), (3, ("a cup",))):
        text = "a picture of " + " and ".join(number * ["a cup"])
        verdict = check_caption(d.replace(captions={"mine": text}), "mine")
        assert (verdict.hallucinated, verdict.left_out) == (wrong, ())


def test_the_verdict_needs_no_pixels_and_survives_a_file():
    for d in posts(20):
        again = Document.from_json(d.to_json())
        assert check_caption(again, "noisy") == check_caption(d, "noisy")


def test_what_cannot_be_judged_says_why():
    d = posts(1)[0]
    with pytest.raises(CorpusError, match=r"unknown caption 'blip'.*noisy"):
        check_caption(d, "blip")
    with pytest.raises(CorpusError, match=r"no scene.*need a reader"):
        check_caption(d.without_gold(), "noisy")
    blind = next(x for x in posts(50, missing_image=0.9) if x.main_image is None)
    with pytest.raises(CorpusError, match="with an image"):
        check_caption(blind, "noisy")
    for words in (
        "A man in a park.",
        "a picture of a man in a park",
        "a picture of ",
        "a picture of a man , with",
        "a picture of a man , with a hat",
    ):
        with pytest.raises(CorpusError, match="own phrases"):
            check_caption(d.replace(captions={"noisy": words}), "noisy")
