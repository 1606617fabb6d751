"""No leaks: what should tell nothing of the gold tells nothing, and each probe is shown to find a planted signal.

Counts are tested by chi-squared at a level that a fixed seed keeps; classifiers are held to chance within three
standard errors of what chance scores on so many held-out posts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare, ks_2samp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.tree import DecisionTreeClassifier

from openmie.diorama import Config, box_prior, generate
from openmie.diorama.drawing.render import render
from openmie.diorama.posts.latent_state import sample_imagined_scene
from openmie.diorama.posts.posts import GENERATED, JITTER, generated_images, sample_post
from openmie.diorama.rng import RandomStream
from openmie.metrics import boxes

CONFIG = Config(seed=5, two_names=0.5)
P = 1e-3  # of a chi-squared test; there are some dozens


@lru_cache(1)
def posts():
    return list(generate(CONFIG, "train", 12_000, pixels=False))


def ambiguous(names):
    return [d for d in posts() if d.source["names"] == names and d.source["ambiguous"][0]]


def independent(pairs):
    """p of the hypothesis that two columns of labels have nothing to do with each other."""
    pairs = list(pairs)
    (rows, a), (columns, b) = (np.unique([str(p[i]) for p in pairs], return_inverse=True) for i in (0, 1))
    table = np.zeros((len(rows), len(columns)))
    np.add.at(table, (a, b), 1)
    return chi2_contingency(table).pvalue


def over_chance(model, features, labels):
    """Held-out accuracy minus that of the most frequent label, in its standard errors."""
    half = len(labels) // 2
    labels = np.array(labels)
    right = model.fit(features[:half], labels[:half]).score(features[half:], labels[half:])
    chance = max(Counter(labels[half:].tolist()).values()) / (len(labels) - half)
    return (right - chance) / np.sqrt(chance * (1 - chance) / (len(labels) - half))


def sentence(document):
    """The text with names out, up to the cue."""
    text = document.text
    for m in document.mentions:
        text = text.replace(m.text, "@")
    return text.split(" (")[0]


@pytest.mark.slow
def test_ambiguous_sentences_are_uniform_given_types_and_relation():
    for names in (1, 2):
        found = ambiguous(names)
        assert independent((sentence(d), d.source["types"]) for d in found) > P
        assert independent((d.text.split()[-1], d.mentions[0].label) for d in found) > P
    assert independent((sentence(d), d.source["relation"]) for d in ambiguous(2)) > P
    assert independent((d.source["cue"], d.source["relation"]) for d in ambiguous(2)) > P


@pytest.mark.slow
def test_lengths_of_ambiguous_posts_and_names_are_alike():
    by_type = {t: [d for d in ambiguous(1) if d.mentions[0].label == t] for t in ("PER", "LOC", "ORG", "MISC")}
    for other in ("LOC", "ORG", "MISC"):
        for measure in (lambda d: len(d.text), lambda d: len(d.words), lambda d: len(d.mentions[0].text)):
            assert ks_2samp([measure(d) for d in by_type["PER"]], [measure(d) for d in by_type[other]]).pvalue > P
    assert all(" " not in m.text for d in ambiguous(1) + ambiguous(2) for m in d.mentions)


def bag():
    words = CountVectorizer(token_pattern=r"\S+", lowercase=False, min_df=2)
    chars = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3)
    return make_pipeline(make_union(words, chars), LogisticRegression(max_iter=400, C=0.02))


@pytest.mark.slow
@pytest.mark.parametrize(("names", "gold"), [(1, "types"), (2, "relation"), (2, "types")])
def test_words_and_characters_of_ambiguous_posts_tell_nothing(names, gold):
    found = ambiguous(names)[:2400]
    first = [d.source[gold][0] if gold == "types" else d.source[gold] for d in found]
    assert over_chance(bag(), [d.text for d in found], first) < 3
    if names == 1:
        clear = [d for d in posts() if d.source["names"] == 1 and not d.source["ambiguous"][0]][:2400]
        assert over_chance(bag(), [d.text for d in clear], [d.mentions[0].label for d in clear]) > 20


@lru_cache(1)
def scenes():
    """(4,000) facts and layouts of related posts with one name."""
    one = replace(CONFIG, two_names=0.0, unrelated=0.0)
    return [sample_post(one, "train", i)[:2] for i in range(2400)]


def picture(layout, i, noise=8):
    small = render(layout, 64, noise, RandomStream(99, i)).reshape(16, 4, 16, 4, 3).mean((1, 3))
    return small.reshape(-1) / 255


@pytest.mark.slow
def test_scenes_without_their_figures_tell_nothing():
    types = [facts.types[0] for facts, _ in scenes()]
    model = make_pipeline(LogisticRegression(max_iter=400, C=0.01))
    bare = np.array([picture(replace(layout, figures=()), i) for i, (_, layout) in enumerate(scenes())])
    full = np.array([picture(layout, i) for i, (_, layout) in enumerate(scenes())])
    assert over_chance(model, bare, types) < 3
    assert over_chance(model, full, types) > 5


def test_scenes_of_two_without_figures_and_signs_tell_nothing():
    two = replace(CONFIG, two_names=1.0, unrelated=0.0)
    found = [sample_post(two, "train", i)[:2] for i in range(1600)]
    bare = np.array([picture(replace(layout, figures=(), sign="", flags=()), i) for i, (_, layout) in enumerate(found)])
    poles = np.array([[*layout.figures[0].cell, *layout.figures[1].cell] for _, layout in found])
    for features in (bare, poles):
        for gold in ([f.scene.figures[0].type for f, _ in found], [f.relation for f, _ in found]):
            assert over_chance(make_pipeline(LogisticRegression(max_iter=400, C=0.01)), features, gold) < 3


def longest(box):
    return max(box[2] - box[0], box[3] - box[1])


def test_places_sizes_and_surroundings_of_figures_are_the_same_for_all_types():
    found = scenes()
    types = np.array([facts.types[0] for facts, _ in found])
    measures = np.array(
        [
            [
                *layout.figures[0].cell,
                longest(layout.figures[0].box),
                layout.horizon,
                len(layout.distractors),
                *layout.sky,
                *layout.ground,
            ]
            for _, layout in found
        ]
    )
    for column in measures.T:
        for other in ("LOC", "ORG", "MISC"):
            assert ks_2samp(column[types == "PER"], column[types == other]).pvalue > P
    assert over_chance(DecisionTreeClassifier(max_depth=6, min_samples_leaf=20), measures, types) < 3


def test_another_posts_scene_and_its_caption_have_nothing_to_do_with_the_gold():
    for unrelated in ("other", "clutter"):
        found = [d for d in posts() if d.source["unrelated"] == unrelated]
        assert not any(d.regions for d in found)
        for d_names in (1, 2):
            some = [d for d in found if d.source["names"] == d_names]

            def scene(d):
                return len(d.source["scene"]["figures"]), d.source["scene"]["figures"][0]["type"]

            assert independent((scene(d), d.mentions[0].label) for d in some) > P
            assert independent((d.captions["noisy"].split()[4:5], d.mentions[0].label) for d in some) > P
    assert independent((d.source["unrelated"], d.source["types"][0]) for d in posts()) > P
    assert independent((d.source["unrelated"], d.source["relation"]) for d in posts() if d.source["names"] == 2) > P


def patches(document, parent="main"):
    return [i for i in document.images if i.kind == "patch" and i.parent == parent]


def test_number_and_order_of_candidate_patches_tell_nothing():
    for value in (
        lambda d: d.source["types"],
        lambda d: d.source["unrelated"],
        lambda d: d.source["names"],
        lambda d: d.source["relation"],
    ):
        for parent in ("main", "translation"):
            assert independent((len(patches(d, parent)), value(d)) for d in posts()) > P
    places = []
    for d in posts():
        if len(d.regions) == 1 and len(patches(d)) == 5:
            gold = np.array(d.regions[0].box)
            places.append(int(np.argmin([np.abs(np.array(p.box) - gold).sum() for p in patches(d)])))
    assert chisquare(np.bincount(places, minlength=5)).pvalue > P


def test_patches_of_the_two_images_know_nothing_of_each_other():
    """Of posts whose text tells nothing: neither their number nor their order, nor where the first of them lies."""
    for names in (1, 2):
        found = [[patches(d, parent) for parent in ("main", "translation")] for d in ambiguous(names)]
        assert independent((len(a), len(b)) for a, b in found) > P
        assert independent((int(a[0].box[0] // 32), int(b[0].box[0] // 32)) for a, b in found) > P
        assert (
            independent((int(b[0].box[0] // 32), d.mentions[0].label) for (_, b), d in zip(found, ambiguous(names))) > P
        )
    same = [d for d in posts() if [p.box for p in patches(d)] == [p.box for p in patches(d, "translation")]]
    assert not same


def test_patches_are_jittered_alike_for_gold_and_distractors():
    off = {True: [], False: []}
    for i in range(1500):
        _, layout, _ = sample_post(CONFIG, "train", i)
        found = np.array([p.box for p in patches(posts()[i])])
        for placed in (*layout.figures, *layout.distractors):
            box = np.array(placed.box) / 2
            sides = np.tile(box[2:] - box[:2], 2)
            near = np.abs(found - box) / sides
            nearest = near[near.max(axis=1).argmin()]
            if nearest.max() <= JITTER / 100 + 0.01 and box.min() > 4 and box.max() < 124:
                off[placed.figure is not None] += nearest.tolist()
    assert min(len(v) for v in off.values()) > 2000
    assert abs(np.mean(off[True]) - np.mean(off[False])) < 0.003
    assert max(off[True]) > 0.05 and max(off[False]) > 0.05


def test_metadata_and_order_tell_nothing():
    found = [d for d in posts() if d.images]
    features = np.array(
        [
            [i, i % 2, i % 3, i % 7, int(d.id[-1]), len(d.images), d.main_image.width, len(d.lang), len(d.captions)]
            for i, d in enumerate(found)
        ]
    )
    assert (
        over_chance(
            DecisionTreeClassifier(max_depth=8, min_samples_leaf=20), features, [d.mentions[0].label for d in found]
        )
        < 3
    )
    labels = [d.mentions[0].label for d in posts()]
    assert independent(pairwise(labels)) > P
    named = {(i.id, i.path) for d in posts() for i in d.images if i.kind != "patch"}
    assert named == {("main", ""), ("translation", "")}


def test_given_pairs_reveal_nothing_by_their_direction():
    two = [d for d in posts() if d.relations]
    assert independent((d.relations[0].head, d.relations[0].label) for d in two) > P
    assert independent((d.source["left"], d.relations[0].label) for d in two) > P
    assert independent((d.source["left"], d.relations[0].head) for d in two) > P
    assert {tuple(m.id for m in d.mentions) for d in two} == {("m0", "m1")}


def test_translation_follows_the_text_and_never_the_gold():
    seen = []
    for i, d in enumerate(posts()[:6000]):
        facts, _, _ = sample_post(CONFIG, "train", i)
        scene, flags = sample_imagined_scene(CONFIG, facts, RandomStream(CONFIG.seed, 0, i, GENERATED))
        types = [f.type for f in scene.figures]
        if not facts.ambiguous:
            assert sorted(types) == sorted(facts.types)
            if facts.cue == "position":
                assert types[facts.left] == facts.types[0]
            if facts.cue == "colour":
                assert types[flags.index(facts.first_flag)] == facts.types[0]
        seen.append((d.source["names"], facts.ambiguous, d.source["types"], d.source["relation"], types, scene.sign))
    for names in (1, 2):
        free = [s for s in seen if s[0] == names and s[1]]
        assert independent((s[2][0], s[4][0]) for s in free) > P
        assert independent((s[2][-1], s[4][-1]) for s in free) > P
    assert independent((s[3], s[5]) for s in free) > P


def test_translation_is_the_same_whatever_the_hidden_gold():
    changed = 0
    for i in range(300):
        facts, _, _ = sample_post(CONFIG, "train", i)
        if facts.ambiguous:
            gold = tuple(reversed(facts.types)) if len(facts.types) == 2 else ("PER",)
            other = replace(facts, types=gold, relation="peer" if len(gold) == 2 else "", head=1 - facts.head)
            a, b = (generated_images(CONFIG, f, RandomStream(1, i), RandomStream(2, i), True) for f in (facts, other))
            assert a == b and np.array_equal(a[0].pixels, b[0].pixels) and len(a) > 4
            changed += 1
    assert changed > 50


def test_box_prior_is_a_weak_baseline():
    config = Config(seed=3)
    test = list(generate(config, "test", 800, pixels=False))
    guessed = list(box_prior(generate(config, "train", 800, pixels=False), test))
    score = boxes(test, guessed)
    assert 3 < score.f1 < 45
    assert all(len(g.regions) == len(g.mentions) for g in guessed)
