"""No leaks in documents: what should tell nothing of types and relations tells nothing, and a planted signal is found.

As for posts: counts are tested by chi-squared at a level that a fixed seed keeps, classifiers are held to chance.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from openmie.diorama import Config, generate
from openmie.diorama.documents.documents import LATENT, SCENES, WORDS
from openmie.diorama.documents.story import write_story
from openmie.diorama.drawing.layout import sample_layout
from openmie.diorama.drawing.render import render
from openmie.diorama.rng import RandomStream

LANGUAGES = ("en", "zh")
CONFIG = {x: Config(documents=True, seed=8, language=x, ambiguous=0.8, cue=0.5) for x in LANGUAGES}
P = 1e-3  # of a chi-squared test; there are some dozens


@lru_cache
def documents(language):
    return list(generate(CONFIG[language], "train", 550, pixels=False))


@lru_cache
def told(language):
    """Of all that only frames tell: document, facts of the frame, sentence without names and times, types, relation."""
    out = []
    for d in documents(language):
        of = {m: c.id for c in d.chains for m in c.mentions}
        for fact in d.source["frames"]:
            if fact["kind"] in ("one", "two"):
                at = d.times[fact["sentence"]]
                text = d.text[at.start : at.end]
                for m in reversed([m for m in d.mentions if at.start <= m.start < at.end]):
                    mark = f"<{fact['shows'].index(of[m.id])}>" if of[m.id] in fact["shows"] else "<.>"
                    text = text[: m.start - at.start] + mark + text[m.end - at.start :]
                labels = tuple(d.find(c).label for c in fact["shows"])
                label = next((r.label for r in d.relations if {r.head, r.tail} == {*fact["shows"]}), "None")
                out.append((d, fact, text, labels, label))
    return out


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


def of(language, kind):
    return [x for x in told(language) if x[1]["kind"] == kind]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ("one", "two"))
def test_ambiguous_sentences_are_uniform_given_types_and_relation(language, kind):
    found = of(language, kind)
    body = [text.split("<0>")[0] for _, _, text, _, _ in found]
    assert independent((b, labels) for b, (*_, labels, _) in zip(body, found)) > P
    assert independent((len(text), labels[0]) for _, _, text, labels, _ in found) > P
    assert independent((fact["cue"], label) for _, fact, _, _, label in found) > P
    assert independent((fact["flag"], labels[0]) for _, fact, _, labels, _ in found) > P


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_names_and_characters_tell_nothing(language):
    def bag():
        return make_pipeline(
            CountVectorizer(analyzer="char", ngram_range=(1, 4), min_df=3, lowercase=False),
            LogisticRegression(max_iter=500, C=0.02),
        )

    names = [
        (d.find(d.find(c).mentions[0]).text, d.find(c).label)
        for d in documents(language)
        for c in d.source["ambiguous"]
    ]
    assert over_chance(bag(), [n for n, _ in names], [t for _, t in names]) < 3
    pairs = of(language, "two")
    assert over_chance(bag(), [x[2] for x in pairs], [x[4] for x in pairs]) < 3
    clear = [
        (d.find(c.mentions[0]).text, c.label)
        for d in documents(language)
        for c in d.chains[1:]
        if c.id not in d.source["ambiguous"] and c.label != "TIME"
    ]
    assert over_chance(bag(), [t for t, _ in clear], [k for _, k in clear]) > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_order_place_time_and_numbers_tell_nothing(language):
    for kind in ("one", "two"):
        found = of(language, kind)
        for measure in (
            lambda d, f: f["sentence"],
            lambda d, f: len(d.times),
            lambda d, f: len(d.images),
            lambda d, f: d.times[f["sentence"]].end_time - d.times[f["sentence"]].start_time,
            lambda d, f: d.images[[x["flag"] for x in d.source["frames"]].index(f["flag"])].time % 3,
            lambda d, f: d.source["index"] % 4,
            lambda d, f: len(d.chains) // 4,
            lambda d, f: f["unrelated"],
        ):
            assert independent((measure(d, f), labels[0]) for d, f, _, labels, _ in found) > P
            assert kind == "one" or independent((measure(d, f), label) for d, f, _, _, label in found) > P
        assert independent(pairwise(labels[0] for *_, labels, _ in found)) > P


def test_direction_and_the_last_sentence_tell_nothing():
    pairs = of("en", "two")
    related = [(d, f, labels, label) for d, f, _, labels, label in pairs if label != "None"]
    heads = [
        next(r for r in d.relations if {r.head, r.tail} == {*f["shows"]}).head == f["shows"][0]
        for d, f, _, _ in related
    ]
    assert independent(zip(heads, (label for *_, label in related))) > P
    assert independent(zip(heads, (f["left"] for _, f, _, _ in related))) > P
    last = [
        (d, c, d.find(d.find(c).mentions[-1]).start >= d.times[-1].start)
        for d in documents("en")
        for c in d.source["ambiguous"]
    ]
    assert independent((again, d.find(c).label) for d, c, again in last) > P
    assert 0.05 < sum(again for *_, again in last) / len(last) < 0.3


def test_unrelated_frames_have_nothing_to_do_with_their_sentence():
    for kind in ("one", "two"):
        found = [(f, labels, label) for _, f, _, labels, label in of("en", kind) if f["unrelated"] == "other"]
        assert independent((f["figures"][0]["type"], labels[0]) for f, labels, _ in found) > P
        assert independent((len(f["figures"]), labels[0]) for f, labels, _ in found) > P
        assert independent((f["sign"], label) for f, _, label in found) > P or kind == "one"
        shown = [
            (f["figures"][0]["type"], labels[f["left"]]) for _, f, _, labels, _ in of("en", kind) if not f["unrelated"]
        ]
        assert independent(shown) < 1e-30


def test_frames_without_their_figures_tell_nothing():
    config = replace(CONFIG["en"], unrelated=0.0, pairs=0.0, ambiguous=1.0)
    bare, full, types = [], [], []
    for i in range(90):
        story = write_story(config, "train", RandomStream(3, 0, i, LATENT), RandomStream(3, 0, i, WORDS))
        rng = RandomStream(3, 0, i, SCENES)
        for k, shot in enumerate(story.shots):
            layout = sample_layout(shot.scene, (shot.colour,), config.distractors, rng)
            for rows, drawn in ((bare, replace(layout, figures=())), (full, layout)):
                small = render(drawn, 48, 0, RandomStream(9, i, k)).reshape(12, 4, 12, 4, 3).mean((1, 3))
                rows.append(small.reshape(-1) / 255)
            types.append(shot.content.types[0])
    model = make_pipeline(LogisticRegression(max_iter=300, C=0.01))
    assert over_chance(model, np.array(bare), types) < 3
    assert over_chance(model, np.array(full), types) > 3


def test_what_is_missing_tells_nothing_of_what_it_was():
    config = replace(CONFIG["en"], missing=0.6)
    made = list(generate(config, "train", 300, pixels=False))
    assert independent((d.source["sides"], len(d.source["ambiguous"])) for d in made) > P
    assert independent((d.source["sides"], d.source["index"] % 3) for d in made) > P
    assert independent(pairwise(d.source["sides"] for d in made)) > P
