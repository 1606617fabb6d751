"""Ceilings: closed forms, order, what a dial changes, and errors. The oracle is in test_diorama_oracle.py."""

from __future__ import annotations

import pytest

from openmie.diorama import Config, ceiling
from openmie.diorama.posts import distributions
from openmie.errors import CorpusError

CONFIG = Config(seed=11, left_out=0.2, hallucinated=0.2)


def test_closed_forms_of_one_name():
    one = Config(two_names=0.0)
    assert ceiling(one, task="ner", rule="argmax") == pytest.approx(62.5)
    assert ceiling(one, task="ner", rule="optimal") == pytest.approx(200 / 3)
    # an ambiguous name is read off a related image (2/3), and right by chance elsewhere (1/3 x 1/4)
    assert ceiling(one, task="ner", modalities=("text", "image")) == pytest.approx(100 * (0.5 + 0.5 * (2 / 3 + 1 / 12)))


def test_default_keeps_the_designed_numbers():
    assert ceiling(Config(), task="ner", modalities=("text",), rule="argmax") == pytest.approx(62.5)
    assert ceiling(Config(), task="ner", modalities=("text",), rule="optimal") == pytest.approx(200 / 3)
    assert ceiling(Config(), task="re", modalities=("text",), rule="argmax") == pytest.approx(200 / 3)


def test_all_clear_or_all_read_is_perfect():
    for task in ("ner", "re", "joint"):
        assert ceiling(Config(ambiguous=0.0), task=task) == pytest.approx(100)
        sure = Config(ambiguous=1.0, unrelated=0.0, cue=1.0)
        assert ceiling(sure, task=task, modalities=("text", "image")) == pytest.approx(100)
    assert ceiling(Config(unrelated=0.0, cue=1.0), task="grounded", modalities=("text", "image")) == pytest.approx(100)


def test_without_cues_the_ceiling_marginalises():
    blind = Config(ambiguous=1.0, unrelated=0.0, cue=0.0, two_names=1.0, in_order=0.5)
    differ = sum(p for pair, p in distributions.PAIR if pair.head != pair.tail)
    assert ceiling(blind, task="ner", modalities=("text", "image")) == pytest.approx(100 * (1 - differ / 2))
    assert ceiling(blind, task="re", modalities=("text", "image")) == pytest.approx(100)


@pytest.mark.parametrize("task", ("ner", "re", "joint", "grounded", "regions"))
@pytest.mark.parametrize("rule", ("argmax", "optimal"))
def test_more_seen_is_never_worse_and_a_caption_adds_nothing_to_its_image(task, rule):
    def of(*sees):
        return ceiling(CONFIG, task=task, modalities=sees, rule=rule)

    assert of("text", "image", "caption") == of("text", "image")
    assert of("image", "caption") == of("image")
    for more, less in (
        (("text", "image"), ("text",)),
        (("text", "image"), ("image",)),
        (("image",), ("caption",)),
        (("text", "caption"), ("text",)),
        (("text", "image"), ("text", "caption")),
    ):
        if rule == "optimal" or task in ("ner", "grounded"):
            assert of(*more) >= of(*less) - 1e-9
    assert ceiling(CONFIG, task=task, modalities=("text", "image"), rule="optimal") >= of("text", "image") - 1e-9


@pytest.mark.parametrize(
    ("dial", "value", "up"),
    [
        ("ambiguous", 0.8, False),
        ("unrelated", 0.6, False),
        ("unrelated", 0.1, True),
        ("cue", 1.0, True),
        ("missing_image", 0.5, False),
        ("in_order", 1.0, True),
    ],
)
def test_dials_move_the_ceiling(dial, value, up):
    moved = ceiling(Config(**{dial: value}), task="ner", modalities=("text", "image"))
    assert (moved > ceiling(Config(), task="ner", modalities=("text", "image"))) == up


def test_missing_images_mix_two_ceilings_and_missing_text_changes_none():
    text, both = (ceiling(Config(), task="ner", modalities=s) for s in (("text",), ("text", "image")))
    some = ceiling(Config(missing_image=0.4), task="ner", modalities=("text", "image"))
    assert some == pytest.approx(0.4 * text + 0.6 * both)
    assert ceiling(Config(missing_text=0.4), task="ner", modalities=("text", "image")) == pytest.approx(both)


@pytest.mark.parametrize(
    "words",
    [
        {"task": "chains"},
        {"task": "NER"},
        {"task": "ner", "rule": "best"},
        {"task": "ner", "sees": ("frames",)},
        {"task": "ner", "sees": ()},
    ],
)
def test_what_is_not_allowed_is_an_error_that_lists_what_is(words):
    with pytest.raises(CorpusError, match="Expected"):
        ceiling(Config(), **words)


def test_nothing_to_find_is_an_error():
    with pytest.raises(CorpusError, match="two_names"):
        ceiling(Config(two_names=0.0), task="re")


def test_sees_is_another_name_of_modalities():
    both = ceiling(Config(), task="ner", modalities=("text", "image"))
    assert ceiling(Config(), task="ner", sees=("text", "image")) == both
    assert ceiling(Config(), task="ner", sees="text") == ceiling(Config(), task="ner") < both
    with pytest.raises(CorpusError, match="both modalities and sees"):
        ceiling(Config(), task="ner", modalities="text", sees="text")
