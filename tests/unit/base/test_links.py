"""Links of names to objects: who can be shown by what, how sure, and what is left open."""

import numpy as np
import pytest
import torch

from openmie.base.class_similarity import FIT, ClassSimilarity
from openmie.base.fitting_classes import ANIMALS, PRODUCT_FIT, fitting_classes
from openmie.base.labels import LABELS
from openmie.base.links import THRESHOLD, with_links
from openmie.base.objects import CLASSES
from openmie.base.photograph import WORDS
from openmie.data.document import Chain, Document, Image, Mention, Region
from openmie.metrics import grounded

BUILT_IN = {name: label.text() for name, label in LABELS.items()}


def post(text, names, shown, **layers):
    """A document with mentions of (name, label), and regions of (label, text, score) side by side."""
    mentions, at = [], {}
    for n, (name, label) in enumerate(names):
        start = text.index(name, at.get(name, 0))
        at[name] = start + 1
        mentions.append(Mention(id=f"m{n}", start=start, end=start + len(name), label=label))
    regions = [
        Region(image="main", box=(10.0 * n, 0, 10.0 * n + 9, 9), label=label, text=words, score=score)
        for n, (label, words, score) in enumerate(shown)
    ]
    return Document(
        id="p", text=text, images=[Image(path="a.jpg", id="main")], mentions=mentions, regions=regions, **layers
    )


def linked(document, **options):
    """(mention, number of the region, score) of each link."""
    found = with_links(document, BUILT_IN, **options)
    assert found.regions[: len(document.regions)] == document.regions
    return [(r.of, int(r.box[0] / 10), pytest.approx(r.score)) for r in found.regions[len(document.regions) :]]


PERSON, DOG, CAR = ("person", "", 0.9), ("dog", "", 0.8), ("car", "", 0.6)


def test_one_name_and_one_person():
    assert linked(post("Ada in Turin", [("Ada", "PER"), ("Turin", "LOC")], [DOG, PERSON])) == [("m0", 1, 0.9)]


def test_one_name_and_three_persons_says_so():
    assert THRESHOLD == 0.5 and not linked(post("Ada", [("Ada", "PER")], [PERSON] * 3))
    assert linked(post("Ada", [("Ada", "PER")], [PERSON] * 3), threshold=0.1) == [("m0", n, 0.3) for n in range(3)]


def test_three_names_and_one_person():
    three = post("Ada, Bo, Cy", [("Ada", "PER"), ("Bo", "PER"), ("Cy", "PER")], [PERSON])
    assert not linked(three) and linked(three, threshold=0.1) == [(f"m{n}", 0, 0.3) for n in range(3)]


def test_two_names_and_two_persons_are_not_paired_at_random():
    assert not linked(post("Ada, Bo", [("Ada", "PER"), ("Bo", "PER")], [PERSON, PERSON]))


def test_a_less_certain_object_is_the_less_likely_one():
    found = linked(post("Ada", [("Ada", "PER")], [("person", "", 0.3), ("person", "", 0.9)]))
    assert found == [("m0", 1, 0.9 * 0.75)]
    assert [x[1] for x in linked(post("Ada", [("Ada", "PER")], [("person", "", 0.3), PERSON]), threshold=0.0)] == [1, 0]


def test_types_that_nothing_shows_are_not_linked():
    names = [
        ("Turin", "LOC"),
        ("Nato", "ORG"),
        ("Easter", "EVENT"),
        ("Celts", "GROUP"),
        ("Monday", "TIME"),
        ("Emma", "WORK"),
    ]
    assert not linked(post("Turin Nato Easter Celts Monday Emma", names, [PERSON, DOG, CAR, ("book", "", 0.9)]))
    product = post("a Fiat 500", [("Fiat 500", "PRODUCT")], [CAR, PERSON])
    assert not linked(product) and linked(product, threshold=0.2) == [("m0", 0, 0.6 * PRODUCT_FIT)]


def test_mentions_of_one_name_have_the_same_boxes():
    twice = post("Ada and ADA", [("Ada", "PER"), ("ADA", "PER")], [PERSON])
    assert linked(twice) == [("m0", 0, 0.9), ("m1", 0, 0.9)]
    chained = post("Ada, she, Bo", [("Ada", "PER"), ("she", "PER"), ("Bo", "PER")], [PERSON, PERSON],
                   chains=[Chain(id="c", mentions=["m0", "m1"])])  # fmt: skip
    assert linked(chained, threshold=0.1) == [(f"m{n}", k, 0.45) for n in range(3) for k in range(2)]


def test_images_are_linked_by_themselves():
    document = post("Ada", [("Ada", "PER")], [PERSON])
    frame = Region(image="b", box=(0, 0, 5, 5), label="person", score=0.5)
    both = document.replace(images=[*document.images, Image(id="b")], regions=[*document.regions, frame])
    found = with_links(both, BUILT_IN)
    assert [(r.image, r.of, r.score) for r in found.regions[2:]] == [("main", "m0", 0.9), ("b", "m0", 0.5)]


def test_the_links_are_what_grounding_is_scored_by():
    document = post("Ada", [("Ada", "PER")], [PERSON])
    gold = document.replace(regions=[Region(image="main", box=(0, 0, 9, 9), label="PER", of="m0")])
    assert grounded([gold], [with_links(document)]).f1 == 100
    assert grounded([gold], [document]).f1 == 0


def test_a_document_without_names_or_without_objects():
    for document in (post("Ada", [], [PERSON]), post("Ada", [("Ada", "PER")], []), Document(id="e")):
        assert with_links(document, BUILT_IN) == document


def test_words_of_a_photograph_are_no_links():
    lines = [(WORDS, "VISIT turin!", 0.95), (WORDS, "ADA LOVELACE", 0.9), ("ORG", "Turin", 0.8)]
    document = post("Ada Lovelace in #Turin", [("Ada Lovelace", "PER"), ("Turin", "LOC")], lines)
    assert not linked(document, threshold=0.0)


# -- which classes fit


@pytest.mark.parametrize(
    ("name", "description", "classes"),
    [
        ("PER", "", {"person"}),
        ("Person", "", {"person"}),
        ("politician", "", {"person"}),
        ("musical artist", "", {"person"}),
        ("X", "a person who holds an office", {"person"}),
        ("X", "the name of a person, real or fictional", {"person"}),
        ("person_name", "", {"person"}),
        ("X", "a person's home town", set()),
        ("X", "a place where persons meet", set()),
        ("X", "a club of dog owners", set()),
        ("X", "a dog or a cat", {"dog", "cat"}),
        ("ANIMALS", "", set(ANIMALS)),
        ("PET", "a pet's name", set(ANIMALS)),
        ("cell phone", "", {"cell phone"}),
        ("人物", "真实或虚构人物的姓名", {"person"}),
        ("动物", "", set(ANIMALS)),
        ("BRAND", "a brand", set()),
        ("FRUIT", "a kind of fruit", {"apple", "banana", "orange"}),
        ("farm animals", "", {"horse", "sheep", "cow"}),
        ("ship", "the name of a ship", {"boat"}),
        ("sports team", "", set()),
        ("car park", "", set()),
        ("animal shelter", "a place for animals", set()),
        ("journalist", "", {"person"}),
        ("运动员", "", {"person"}),
        ("", "", set()),
    ],
)
def test_the_classes_that_a_label_names(name, description, classes):
    assert fitting_classes({name: description})[name].keys() == classes


def test_of_the_built_in_labels_persons_and_products_are_shown():
    found = fitting_classes(BUILT_IN)
    assert {name for name, classes in found.items() if classes} == {"PER", "PRODUCT"}
    assert found["PER"] == {"person": 1.0} and set(found["PRODUCT"].values()) == {PRODUCT_FIT}
    assert all(c in CLASSES for classes in found.values() for c in classes)


def test_similarity_is_asked_for_labels_that_name_no_class():
    calls = []

    def similarity(labels, classes):
        calls.append((list(labels), list(classes)))
        return np.eye(len(labels), len(classes)) * 2 - 0.5

    found = fitting_classes({"PER": "", "BRAND": "a brand", "LOC": "", "hat": ""}, similarity)
    assert calls == [(["BRAND: a brand", "hat"], list(CLASSES))]
    assert found == {"PER": {"person": 1.0}, "BRAND": {CLASSES[0]: 1.0}, "LOC": {}, "hat": {CLASSES[1]: 1.0}}


def test_the_nearest_class_fits_a_label_that_is_near_it():
    vectors = {"dog": [9.0, 1, 0], "car": [9.0, 0, 1], "cup": [9.0, -1, -1], "犬": [9.0, 0.9, 0.1], "city": [9.0, 0, 0]}
    similarity = ClassSimilarity(lambda texts: torch.tensor([vectors[text] for text in texts]))
    table = similarity(["犬", "city", "car"], ["dog", "car", "cup"])
    assert table.tolist() == [[FIT, 0, 0], [0, 0, 0], [0, FIT, 0]]
    assert similarity(["city"], ["city"]).tolist() == [[0]]
