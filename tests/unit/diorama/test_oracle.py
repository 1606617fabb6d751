"""An oracle that reads posts, scored by brute force over 20,000 of them, lands on the computed ceilings.

The oracle knows the tables of the generator and nothing of `ceilings`. It reads each generated post (text
and caption as strings, the image as the figures that are there), lists every hypothesis about the names, weighs it by
how likely the post is under it, and decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from openmie.diorama import Config, ceiling, generate
from openmie.diorama.ceilings.enumeration import outcomes
from openmie.diorama.drawing.layout import KINDS
from openmie.diorama.posts import distributions, templates
from openmie.diorama.posts.captions import NOUNS, SIGNS, YOUNG

CONFIG = Config(seed=11, left_out=0.2, hallucinated=0.2)
POSTS = 20_000
SEES = (("text",), ("text", "image"), ("text", "caption"))


def posts():
    """Without the image that is generated from the text and with few patches, neither of which the oracle reads."""
    return generate(replace(CONFIG, translation=False, patches=4), "test", POSTS, pixels=False)


# ---- what can be read off a post -------------------------------------------------------------------------------------


def read_text(document):
    """(names, ambiguous, first name left? or None, colour of the first name's flag or None) from the words alone."""
    words = document.word_texts()
    names = len(document.mentions)
    plain = document.text
    for letter, m in zip("ab", document.mentions):
        plain = plain.replace(m.text, "{" + letter + "}")
    neutral = templates.NEUTRAL_ONE if names == 1 else templates.NEUTRAL_TWO
    ambiguous = any(plain == s or plain.startswith(s + " ") for s in neutral)
    left = colour = None
    if "(" in words:
        clause = words[words.index("(") + 1 : words.index(")")]
        colour = next((w for w in clause if w in distributions.COLOURS), None)
        if {"left", "right"} & set(clause):
            left = "left" in clause
    return names, ambiguous, left, colour


def read_image(document):
    """(figures as (type, young) from left to right, sign, flags): what a perfect eye sees."""
    scene = document.source["scene"]
    return (tuple((f["type"], f["young"]) for f in scene["figures"]), scene["sign"], tuple(scene["flags"]))


NOUN_TYPES = {NOUNS[kind]: (type_, False) for type_, kinds in KINDS.items() for kind in kinds}
NOUN_TYPES |= {noun: (type_, True) for type_, noun in YOUNG.items()}
SIGN_OF = {words: sign for sign, words in SIGNS.items()}


def read_caption(document):
    things, _, signs = document.captions["noisy"].removeprefix("a picture of ").partition(" , with ")
    figures = tuple(NOUN_TYPES[x] for x in things.split(" and ")) if things != "some things" else ()
    return figures, frozenset(SIGN_OF[x] for x in signs.split(" and ")) if signs else frozenset()


# ---- hypotheses and their likelihoods --------------------------------------------------------------------------------


@lru_cache(None)
def hypotheses(names):
    """((types in text order, relation, head, left), prior) of posts with so many names."""
    if names == 1:
        return [(((t,), "", 0, 0), 0.25) for t in ("PER", "LOC", "ORG", "MISC")]
    out = []
    for (relation, a, b), p in distributions.PAIR:
        for left, q in ((0, CONFIG.in_order), (1, 1 - CONFIG.in_order)):
            out += [(((a, b), relation, 0, left), p * q / 2), (((b, a), relation, 1, left), p * q / 2)]
    return out


@lru_cache(None)
def scene_of(hypothesis):
    """Figures and sign of the scene that a hypothesis is about."""
    types, relation, head, left = hypothesis
    figures = [(t, relation == "parent" and i != head) for i, t in enumerate(types)]
    if left == 1:
        figures.reverse()
    return tuple(figures), relation if relation not in ("", "None", "parent") else ""


@lru_cache(None)
def image_distribution(unrelated):
    """{(figures, sign): chance} of an image that shows clutter or another post's scene."""
    out = defaultdict(float)
    for n, share in ((1, 1 - CONFIG.two_names), (2, CONFIG.two_names)):
        if unrelated == "clutter":
            out[((("CLUTTER", False),) * n, "")] += share
        else:
            for h, p in hypotheses(n):
                out[scene_of(h)] += share * p
    return dict(out)


@lru_cache(None)
def kept(things, said):
    """Chance that leaving out each of `things` on its own leaves exactly `said`, in this order."""
    if not things:
        return float(not said)
    chance = CONFIG.left_out * kept(things[1:], said)
    if said and said[0] == things[0]:
        chance += (1 - CONFIG.left_out) * kept(things[1:], said[1:])
    return chance


@lru_cache(None)
def caption_chance(figures, sign, said):
    """P(caption | scene): things left out, then maybe one of ten added, a figure anywhere or one of five signs."""
    nouns, signs = said
    own = kept((sign,), (sign,)) if sign else 1.0  # that the sign of the scene is named, if it has one
    exact = (own if signs == {sign} else 1 - own if not signs else 0.0) if sign else float(not signs)
    chance = (1 - CONFIG.hallucinated) * kept(figures, nouns) * exact
    for i in range(len(nouns)):
        if not nouns[i][1]:
            chance += CONFIG.hallucinated / 10 / len(nouns) * kept(figures, nouns[:i] + nouns[i + 1 :]) * exact
    for extra in signs:
        rest = signs - {extra}
        before = (own * (signs == {sign, extra}) + (1 - own) * (signs == {extra})) if sign else float(not rest)
        chance += CONFIG.hallucinated / 10 * kept(figures, nouns) * before
    return chance


def likelihood(hypothesis, evidence, unrelated):
    """P(what is seen | hypothesis, relation of image and post), up to what all hypotheses share."""
    text, image, caption = evidence
    own = scene_of(hypothesis)
    distribution = {own: 1.0} if not unrelated else image_distribution(unrelated)
    if caption is not None:
        return sum(p * caption_chance(*scene, caption) for scene, p in distribution.items())
    if image is None:
        return 1.0
    figures, sign, flags = image
    chance = distribution.get((figures, sign), 0.0)
    colour = text[3]
    if colour and flags:
        return chance / 12 if unrelated else chance * (flags[hypothesis[3]] == colour) / 3
    return chance


@lru_cache(200_000)
def posterior(names, known, given_head, text, image, caption):
    """{(hypothesis, related): probability}."""
    weights = {}
    for h, prior in hypotheses(names):
        if known is not None and (h[0], h[1]) != known[:2]:
            continue
        if given_head is not None and h[2] != given_head:
            continue
        if text[2] is not None and (h[3] == 0) != text[2]:
            continue
        for kind, p in (
            ("", 1 - CONFIG.unrelated),
            ("clutter", CONFIG.unrelated * CONFIG.clutter),
            ("other", CONFIG.unrelated * (1 - CONFIG.clutter)),
        ):
            w = prior * p * likelihood(h, (text, image, caption), kind)
            if w:
                weights[h, not kind] = weights.get((h, not kind), 0.0) + w
    total = sum(weights.values())
    return {k: w / total for k, w in weights.items()}


@lru_cache(1)
def readings():
    """{(what is read off a post, its gold): how many posts}; the oracle cannot tell such posts apart."""
    found = Counter()
    for document in posts():
        source = document.source
        text = read_text(document)
        ambiguous = text[1]
        assert ambiguous == source["ambiguous"][0]
        types = tuple(m.label for m in document.mentions)
        known = None if ambiguous else (types, document.relations[0].label if document.relations else "")
        head = int(document.relations[0].head[1]) if document.relations else None
        gold = ((types, source["relation"], source["head"], source["left"]), bool(document.regions))
        found[text, known, head, read_image(document), read_caption(document), gold] += 1
    return found


def beliefs(reading, task, sees):
    """For each item of a post: (gold answer or None, {answer: probability}) as the oracle believes."""
    text, known, head, image, caption, gold = reading
    image = image if "image" in sees else None
    caption = caption if "caption" in sees and image is None else None
    head = head if task == "re" or known else None
    believed = posterior(text[0], known, head, (None, None, *text[2:]), image, caption)
    out = []
    for answer in answers(task, text[0]):
        spread = defaultdict(float)
        for state, p in believed.items():
            spread[answer(*state)] += p
        out.append((answer(*gold), spread))
    return out


def answers(task, names):
    """For each item, the function from a hypothesis to its answer; None where there is nothing to find."""
    if task == "ner":
        return [lambda h, related, i=i: h[0][i] for i in range(names)]
    if task == "grounded":
        return [
            lambda h, related, i=i: (h[0][i], ("box", i != h[3] and names == 2) if related else None)
            for i in range(names)
        ]
    if names == 1:
        return []
    if task == "re":
        return [lambda h, related: None if h[1] == "None" else h[1]]
    return [lambda h, related: None if h[1] == "None" else (h[0], h[1], h[2] if h[1] not in ("couple", "peer") else -1)]


def simulate(task, sees, rule):
    """F1 of the oracle over all posts, in percent, and its standard error (delta method over posts)."""
    bar = ceiling(CONFIG, task=task, modalities=sees, rule="optimal") / 200
    rows = []
    for reading, count in readings().items():
        tp = predicted = wanted = 0
        for gold, spread in beliefs(reading, task, sees):
            givable = {
                a: p
                for a, p in spread.items()
                if a is not None and ("image" in sees or task != "grounded" or a[1] is None)
            }
            best = max(givable.values(), default=0.0)
            if rule == "optimal":
                said = [a for a, p in givable.items() if p > bar]
            else:
                said = [max(givable, key=givable.get)] if best > spread.get(None, 0.0) else []
            tp += gold in said
            predicted += len(said)
            wanted += gold is not None
        rows.append((tp, predicted + wanted, count))
    hits, sizes, counts = np.array(rows, dtype=float).T
    score = 2 * (counts @ hits) / (counts @ sizes)
    error = np.sqrt(counts @ np.square(2 * hits - score * sizes)) / (counts @ sizes)
    return 100 * score, 100 * error


@pytest.mark.slow
@pytest.mark.parametrize("rule", ("argmax", "optimal"))
@pytest.mark.parametrize("sees", SEES, ids="+".join)
@pytest.mark.parametrize("task", ("ner", "re", "joint", "grounded"))
def test_oracle_lands_on_the_ceiling(task, sees, rule):
    score, error = simulate(task, sees, rule)
    expected = ceiling(CONFIG, task=task, modalities=sees, rule=rule)
    assert error < 1.0
    assert abs(score - expected) < 2.6 * error, (score, expected, error)  # 99% interval


def test_flags_of_another_picture_match_the_text_by_chance():
    """Two of four colours: either one by each name's figure in a quarter of the pictures, too few to move a ceiling."""
    shares = Counter()
    for outcome, p in outcomes(CONFIG):
        content = outcome.content
        if content.cue == "colour" and not outcome.related and len(outcome.scene.figures) == 2:
            shares[{content.left: "as said", 1 - content.left: "swapped"}.get(outcome.bound, "other colours")] += p
    found = {name: p / sum(shares.values()) for name, p in shares.items()}
    assert found == pytest.approx({"as said": 0.25, "swapped": 0.25, "other colours": 0.5})
