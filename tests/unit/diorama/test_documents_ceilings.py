"""Ceilings of documents: closed forms, exact expected counts, and a decoder that counts over generated documents.

The decoder knows no table of the generator. It reads each sentence with its frame (the words, the figures in view),
learns on one half which answer is likeliest for what it reads, and is scored by the metrics on the other: it cannot
beat the ceiling beyond noise; scored on its own half, it cannot stay below it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import lru_cache

import pytest

from openmie.data.document import Region, Relation
from openmie.diorama import Config, ceiling, generate, keep_frame_relations, observable_from
from openmie.diorama.ceilings import documents as document_ceilings
from openmie.diorama.documents import distributions as biography
from openmie.errors import CorpusError
from openmie.metrics import boxes, chain_relations, spans

CONFIG = Config(documents=True, seed=21, missing=0.3, in_order=0.8, unrelated=0.4, ambiguous=0.7)
DOCUMENTS = 1500
BOTH = ("text", "image")


def of(task, sees=BOTH, rule="argmax", **options):
    return ceiling(Config(documents=True, **options), task=task, modalities=sees, rule=rule)


def test_where_all_is_told_all_can_be_found():
    for task in ("ner", "relations"):
        assert of(task, ("text",), ambiguous=0.0) == pytest.approx(100)
        assert of(task, unrelated=0.0, cue=1.0) == pytest.approx(100)
    for task in ("frame_relations", "regions", "links"):
        assert of(task, unrelated=0.0, cue=1.0) == pytest.approx(100)
    assert of("chains", ("text",)) == of("chains", missing=0.9) == 100
    assert of("regions", ("image",), unrelated=0.0) == pytest.approx(100)


def test_closed_forms():
    # without a cue the direction is a coin, but for the symmetric 4 of 20; a pair's relation is always seen
    assert of("frame_relations", unrelated=0.0, cue=0.0, in_order=0.5) == pytest.approx(100 * (4 + 16 / 2) / 20)
    # the likeliest is that there is none: 16 of 36; at best every pair is said to be a seat, both ways
    assert of("frame_relations", ("text",)) == 0
    assert of("frame_relations", ("text",), rule="optimal") == pytest.approx(100 * 2 * (6 / 36) / (2 + 20 / 36))
    # types rule out all but one relation of 12 of 20, and the direction of these
    assert of("frame_relations", ("text", "types")) == pytest.approx(200 / 3)
    # clutter is told apart from everything, another sentence's scene hardly
    assert of("frame_relations", unrelated=0.5, clutter=1.0, cue=1.0) == pytest.approx(100 * 2 / 3)
    # whatever frames are left out, those that are there are read as before
    assert of("regions", ("image",), missing=0.6) == pytest.approx(of("regions", ("image",)))
    assert of("links", missing=0.6) == pytest.approx(of("links"))
    assert of("regions", missing_text=1.0) == pytest.approx(of("regions", ("image",)))


def test_missing_frames_mix_two_ceilings_and_missing_text_changes_none():
    low, high = of("ner", ("text",)), of("ner")
    assert of("ner", missing_image=0.4) == pytest.approx(0.4 * low + 0.6 * high)
    assert of("ner", missing_text=0.4) == pytest.approx(high)
    third = (low + 2 * high) / 3  # of the documents with text a third has no frames
    assert of("ner", missing_text=0.25, missing_image=0.25) == pytest.approx(third) == of("ner", missing=0.5)


@pytest.mark.parametrize("task", document_ceilings.TASKS)
def test_more_seen_is_never_worse_and_optimal_is_best(task):
    for rule in ("argmax", "optimal"):
        both, text, image = (ceiling(CONFIG, task=task, modalities=s, rule=rule) for s in (BOTH, ("text",), ("image",)))
        assert 0 <= text <= both + 1e-9 and 0 <= image <= both + 1e-9
        assert both <= ceiling(CONFIG, task=task, modalities=BOTH, rule="optimal") + 1e-9 <= 100 + 1e-6
    assert (image > 0) == (task == "regions")


@pytest.mark.parametrize(
    "words",
    [
        {"task": "re"},
        {"task": "ner", "sees": ("caption",)},
        {"task": "ner", "rule": "best"},
        {"task": "ner", "sees": ()},
    ],
)
def test_what_is_not_allowed_is_an_error_that_lists_what_is(words):
    with pytest.raises(CorpusError, match="Expected"):
        ceiling(Config(documents=True), **words)


def test_nothing_to_find_is_an_error():
    empty = (({"pairs": 0.0}, "frame_relations"), ({"missing_text": 1.0}, "ner"), ({"unrelated": 1.0}, "links"))
    for options, task in empty:
        with pytest.raises(CorpusError, match="nothing to find"):
            of(task, **options)
    with pytest.raises(CorpusError, match="'chains'"):
        ceiling(Config(), task="chains")


# ---- by brute force --------------------------------------------------------------------------------------------------


@lru_cache(1)
def documents():
    return list(generate(CONFIG, "test", DOCUMENTS, pixels=False))


@lru_cache(None)
def open_items(index, task, sees):
    return list(items(documents()[index], task, sees))


@pytest.mark.parametrize("task", ("ner", "relations", "frame_relations", "regions", "links"))
def test_expected_numbers_of_things_to_find_are_exact(task):
    def count(d):
        if task == "ner":
            return len(d.mentions)
        if task in ("regions", "links"):
            return len([r for r in d.regions if r.of or task == "regions"])
        return len([r for r in d.relations if task == "relations" or observable_from(d, r) == "frame"])

    found = [count(d) for d in documents()]
    mean = sum(found) / len(found)
    error = (sum((x - mean) ** 2 for x in found) ** 0.5) / len(found)
    expected = document_ceilings.weights(CONFIG, task, frozenset(BOTH)).gold
    assert abs(mean - expected) < 3 * error, (mean, expected, error)


def readings(document, sees):
    """Of each framed sentence: (what is read, chains of the things in question in text order, its frame's id or "")."""
    for number, fact in enumerate(document.source["frames"]):
        scene = (tuple((f["type"], f["young"]) for f in fact["figures"]), fact["sign"]) if "image" in sees else None
        shown, text = fact["shows"], None
        if document.text and "text" in sees:
            text = read(document, document.times[fact["sentence"]], shown)
            if "types" in sees:
                text = (text, tuple(document.find(c).label for c in shown))
        yield (text, scene), shown if document.text else [""] * len(shown), f"frame{number}"


def read(document, at, shown):
    """What the words tell: how many names of no known type, or the relation; and which of the shown stands left."""
    of = {x: c.id for c in document.chains for x in c.mentions}
    first = [(m, of[m.id]) for m in document.mentions if at.start <= m.start < at.end]
    order = list(dict.fromkeys(c for _, c in first if c in shown))
    sentence = document.text[at.start : at.end]
    said = re.search("on the left|to the left|on the right|to the right", sentence)
    left = None
    if said:
        named = first[-1][1] == order[0]
        left = 0 if named == ("left" in said[0]) else 1
    if any(c in document.source["ambiguous"] for c in order):
        return len(order), left
    return tuple((r.label, r.head == order[0]) for r in document.relations if {r.head, r.tail} == {*order}), left


def items(document, task, sees):
    """(what is read and which item, right answer or None, how to say an answer) of all that a document leaves open."""
    where = {c.id: c for c in document.chains}
    links = {frozenset((r.head, r.tail)): r for r in document.relations}
    boxed = {(r.image, r.box): r for r in document.regions}
    facts = document.source["frames"]
    for (seen, shown, frame), fact in zip(readings(document, sees), facts):
        if task == "ner" and document.text:
            for i, c in enumerate(shown):
                if c in document.source["ambiguous"]:
                    yield (seen, i), where[c].label, (c,)
        elif task == "frame_relations" and document.text and list(shown) in document.source["pairs"]:
            found = links.get(frozenset(shown))
            symmetric = found is not None and found.label in biography.SYMMETRIC
            yield seen, found and (found.label, 0 if symmetric or found.head == shown[0] else 1), tuple(shown)
        elif task == "regions" or (task == "links" and document.text):
            for i, figure in enumerate(fact["figures"]):
                region = boxed.get((frame, tuple(figure["box"])))
                answer = region and (region.label if task == "regions" else (region.label, shown.index(region.of)))
                yield (seen, i), answer, (frame, tuple(figure["box"]))


def answered(document, task, sees, table):
    """The document with the likeliest answers in place of gold where the text leaves it open."""
    labels, relations, regions = {}, [], []
    for key, _, where in open_items(document.source["index"], task, sees):
        answer = table[key].most_common(1)[0][0] if table.get(key) else None
        if task == "ner":
            labels[where[0]] = answer or "PER"
        elif answer and task == "frame_relations":
            head = answer[1]
            relations.append(Relation(head=where[head], tail=where[1 - head], label=answer[0]))
        elif answer:
            regions.append(Region(image=where[0], box=where[1], label=answer))
    if task == "ner":
        of_mention = {m: labels[c.id] for c in document.chains if c.id in labels for m in c.mentions}
        return document.replace(
            mentions=[m.model_copy(update={"label": of_mention.get(m.id, m.label)}) for m in document.mentions]
        )
    return document.replace(**({"regions": regions} if task == "regions" else {"relations": relations}))


def hidden_frames(document):
    """Without frames, sentences with a frame still stand in the text; the facts about frames do not."""
    return not document.source["frames"]


def scored(task, gold, predicted):
    if task == "ner":
        return spans(gold, predicted, bootstrap=100)
    if task == "regions":
        return boxes(gold, predicted, bootstrap=100)
    gold = [keep_frame_relations(d, d) if d.relations else d for d in gold]
    return chain_relations(gold, predicted, symmetric=biography.SYMMETRIC, bootstrap=100)


@pytest.mark.parametrize(
    ("task", "sees"),
    [
        ("ner", ("text",)),
        ("ner", BOTH),
        ("frame_relations", ("text",)),
        ("frame_relations", BOTH),
        ("regions", BOTH),
        ("regions", ("image",)),
        ("frame_relations", ("text", "types")),
        ("frame_relations", (*BOTH, "types")),
    ],
)
def test_a_counting_decoder_lands_around_the_ceiling(task, sees):
    made = [d for d in documents() if not hidden_frames(d)]
    config = Config(**{**CONFIG.__dict__, "missing": 0.0, "missing_text": 0.15 / 0.85})
    half = len(made) // 2
    table = defaultdict(Counter)
    for d in made[:half]:
        for key, answer, _ in open_items(d.source["index"], task, sees):
            table[key][answer] += 1
    expected = ceiling(config, task=task, modalities=sees)
    for part, sign in ((made[half:], 1), (made[:half], -1)):
        score = scored(task, part, [answered(d, task, sees, table) for d in part])
        low, high = score.interval
        assert sign * (score.f1 - expected) <= 0.85 * (high - low), (score.f1, expected, low, high)
        far = 6 if {*BOTH, "types"} <= {*sees} and sign < 0 else 5  # on its own half it knows the rarest keys by heart
        assert abs(score.f1 - expected) < far, (score.f1, expected)


def test_a_counting_decoder_of_links_lands_around_the_ceiling():
    found = [[(key, answer) for key, answer, _ in open_items(d.source["index"], "links", BOTH)] for d in documents()]
    half, scores = len(found) // 2, []
    table = defaultdict(Counter)
    for key, answer in (x for d in found[:half] for x in d):
        table[key][answer] += 1
    for part in (found[half:], found[:half]):
        said = [(table[key].most_common(1)[0][0] if key in table else None, answer) for d in part for key, answer in d]
        right = sum(a is not None and a == b for a, b in said)
        scores.append(200 * right / (sum(a is not None for a, _ in said) + sum(b is not None for _, b in said)))
    expected = ceiling(CONFIG, task="links", modalities=BOTH)
    assert scores[0] < expected + 1.5 and scores[1] > expected - 1.5 and max(abs(x - expected) for x in scores) < 4
