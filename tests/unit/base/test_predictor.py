"""Base.predict follows the protocol of Model.predict, with labels given at call time."""

import json
import re

import pytest

import openmie
from openmie.base.labels import LABELS, RELATIONS, label_texts
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import DocumentError, ModelError, OpenMIEError, RecipeError
from openmie.model.pretrained import Model
from tests.fixtures.base_stub import NamesPart, stub_base

TEXT = "Ada Lovelace saw Bo in Turin. Ada Lovelace left NASA."


def post(text, id="post", **layers):
    return Document(id=id, text=text, **layers)


def predict(text, **options):
    (found,) = stub_base().predict([post(text)], **options)
    return found


def named(document):
    return [(m.text, m.label) for m in document.mentions]


def test_entities_do_not_overlap_and_stand_in_text_order():
    found = predict(TEXT, threshold=0)
    assert named(found) == [
        ("Ada Lovelace", "PER"),
        ("Bo", "PER"),
        ("Turin", "LOC"),
        ("Ada Lovelace", "PER"),
        ("NASA", "ORG"),
    ]
    assert [m.id for m in found.mentions] == ["m0", "m1", "m2", "m3", "m4"]
    assert [m.score for m in found.mentions] == [0.98, 0.95, 0.8, 0.98, 0.9]
    assert found.dangling() == [] and Document.from_json(found.to_json()) == found


def test_chains_have_two_mentions_at_least():
    found = predict(TEXT)
    assert found.chains == (Chain(id="c0", mentions=("m0", "m3"), label="PER"),)
    assert predict("Ada Lovelace saw Bo").chains == ()


def test_built_in_relations_hold_between_the_types_that_fit():
    found = predict("Ada Lovelace saw Bo in Turin")
    held = {(r.label, *(found.find(x).text for x in (r.head, r.tail))) for r in found.relations}
    assert ("born in", "Ada Lovelace", "Turin") in held and ("born in", "Turin", "Bo") not in held
    assert all(found.find(r.head).label in RELATIONS[r.label].head for r in found.relations)
    assert all(found.find(r.tail).label in RELATIONS[r.label].tail for r in found.relations)
    spouses = [r for r in found.relations if r.label == "spouse"]
    assert [(r.head, r.tail, r.score) for r in spouses] == [("m1", "m0", 0.65)]  # the likelier direction, once
    assert len([r for r in found.relations if r.label == "parent"]) == 2


def test_relations_of_ones_own():
    text = "Ada in Turin"
    own = predict(text, labels={"BRAND": "", "CITY": ""}, relations={"sold in": "is sold there"}, threshold=0.2)
    assert [(r.label, r.head, r.tail) for r in own.relations] == [("sold in", "m0", "m1"), ("sold in", "m1", "m0")]
    assert predict(text, labels=["BRAND", "CITY"], threshold=0.2).relations == ()  # none of the built-in ones fits
    known = predict(text, labels=["PER", "CITY"], relations=["born in"])
    assert [(r.head, r.tail) for r in known.relations] == [("m0", "m1")]  # a type of one's own may be a tail
    meant = predict(text, relations={"born in": "anything"})
    assert len(meant.relations) == 2
    assert predict(text, relations=[]).relations == predict(text, relations={}).relations == ()


@pytest.mark.parametrize("labels", [["PER"], {"PER": ""}, {"PER": "a person"}, "PER", ("PER",), iter(["PER"])])
def test_only_the_named_labels_are_found(labels):
    assert named(predict(TEXT, labels=labels)) == [("Ada Lovelace", "PER"), ("Bo", "PER"), ("Ada Lovelace", "PER")]


def test_labels_in_chinese_and_two_hundred_of_them():
    assert named(predict("她住在都灵", labels={"城市": "一座城市"})) == [("都灵", "城市")]
    many = {f"type {i}": f"the {i}th type" for i in range(199)} | {"PER": ""}
    base = stub_base()
    assert named(base.predict([post("Ada")], labels=many)[0]) == [("Ada", "PER")]
    assert len(base.text.labels) == 200 and base.text.labels["PER"] == LABELS["PER"].text()


def test_labels_that_are_not_named_are_the_built_in_ones():
    base = stub_base()
    base.predict([post("Ada")])
    assert base.text.labels == label_texts() and base.text.thresholds[0] is None


def test_a_threshold_for_all_for_some_and_for_relations():
    assert named(predict("Ada in Turin", threshold=0.85)) == [("Ada", "PER")]
    assert named(predict("Ada in Turin", threshold={"PER": 0.95})) == [("Turin", "LOC")]
    base = stub_base()
    (found,) = base.predict([post("Ada in Turin")], threshold={"PER": 0.1, "born in": 0.7, "died in": 0.6})
    assert base.text.thresholds[0] == {"PER": 0.1} and set(base.text.thresholds[1:]) == {None, 0.7, 0.6}
    labels = {r.label for r in found.relations}
    assert "died in" in labels and "born in" not in labels and "lives in" in labels
    base.predict([post("Ada in Turin")], threshold={"spouse": 0.3})
    assert base.text.thresholds[-3] is None
    assert predict("Ada in Turin", threshold=0.66).relations == () and predict("Ada", threshold=1).mentions == ()


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (1.5, "from 0"),
        (-0.1, "from 0"),
        (float("nan"), "from 0"),
        ("0.5", "value '0.5'"),
        (True, "value True"),
        ({"PER": 2}, "threshold of PER"),
        ({"PRE": 0.5}, "did you mean 'PER'"),
        ({"BRAND": 0.5}, "unknown label 'BRAND'"),
    ],
)
def test_thresholds_that_mean_nothing(threshold, words):
    with pytest.raises(RecipeError, match="(?i)" + words):
        predict("Ada", threshold=threshold)


@pytest.mark.parametrize("labels", [{}, [], [""], ["PER", "PER"], [3]])
def test_labels_that_mean_nothing(labels):
    with pytest.raises(RecipeError):
        predict("Ada", labels=labels)


def test_the_protocol_of_model_predict():
    """One Document each, in order, with the same id, words and images; no annotation is read; errors are records."""
    gold = post(
        "Ada saw Bo", "a", words=["Ada", "saw", "Bo"], images=[Image(id="main", width=3, height=4)],
        mentions=[Mention(id="m9", start=0, end=3, label="GOLD")], chains=[Chain(id="x", mentions=["m9"])],
        relations=[Relation(head="m9", tail="m9", label="self")], regions=[Region(image="main", box=(0, 0, 1, 1))],
        summary="gold", captions={"blip": "a cap"}, source={"split": "test"}, lang="en",
    )  # fmt: skip
    docs = [
        gold,
        post("", "empty"),
        post(" \n", "blank"),
        post("😀🎉", "emoji"),
        post("poison", "bad"),
        post("Bo", "a"),
    ]
    found = stub_base().predict((d for d in docs), batch_size=4)
    assert [d.id for d in found] == [d.id for d in docs] and [d.text for d in found] == [d.text for d in docs]
    first = found[0]
    assert (first.words, first.images, first.captions, first.lang) == (gold.words, gold.images, gold.captions, "en")
    assert named(first) == [("Ada", "PER"), ("Bo", "PER")] and "GOLD" not in first.to_json()
    assert first.summary == "" and first.regions == () and "self" not in {r.label for r in first.relations}
    assert [len(d.errors) for d in found] == [0, 0, 0, 0, 1, 0]
    assert found[4].errors[0].where == "document bad" and "poison" in found[4].errors[0].found
    assert named(found[5]) == [("Bo", "PER")]
    assert stub_base().predict([]) == []
    bare = [d.without_gold() for d in docs]
    again = stub_base().predict(bare, batch_size=1)
    assert [d.replace(source={}, captions={}, lang="") for d in found] == [
        d.replace(source={}, captions={}, lang="") for d in again
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_batches(size):
    base, docs = stub_base(), [post(f"Bo {i}", str(i)) for i in range(7)]
    assert base.predict(docs, size) == stub_base().predict(docs)
    assert base.text.batches == [size] * (7 // size) + ([7 % size] if 7 % size else [])


@pytest.mark.parametrize(("documents", "size", "error"), [([3], 1, DocumentError), ([], 0, ModelError)])
def test_what_is_refused(documents, size, error):
    with pytest.raises(error):
        stub_base().predict(documents, size)


def test_a_prediction_says_which_model_made_it():
    found = stub_base().predict([post("Ada", source={"split": "test"})])[0]
    (model,) = found.source["openmie"]["models"]
    assert found.source == {"split": "test", "openmie": {"version": openmie.__version__, "models": [model]}}
    assert model == {"name": "stub", "version": "7", "query": model["query"]}
    assert re.fullmatch("[0-9a-f]{16}", model["query"])
    other = stub_base().predict([post("Ada")], labels=["PER"])[0].source["openmie"]["models"]
    assert other[0]["query"] != model["query"]
    assert found.without_gold() == post("Ada")


def test_one_model_after_another():
    """A second model reads what base found, as it reads the first one's of two trained models."""
    found = stub_base().predict([post("Ada")])
    assert stub_base().predict(found) == found


def test_predict_entities_gives_gliners_dictionaries():
    found = stub_base().predict_entities("Ada Lovelace in Turin", ["PER", "CITY"], threshold=0.5)
    assert found == [
        {"start": 0, "end": 12, "text": "Ada Lovelace", "label": "PER", "score": 0.98},
        {"start": 16, "end": 21, "text": "Turin", "label": "CITY", "score": 0.85},
    ]
    assert json.loads(json.dumps(found)) == found
    assert stub_base().predict_entities("Ada Lovelace in Turin", {"CITY": "a city"}, threshold=0.9) == []
    base = stub_base()
    base.predict_entities("Ada")
    assert base.text.thresholds == [0.5] and base.text.labels == label_texts()
    with pytest.raises(OpenMIEError, match=r"(?i)poison"):
        base.predict_entities("poison", ["PER"])


def test_a_query_that_stays():
    base = stub_base().with_query(labels=["PER"], threshold=0.97)
    assert named(base.predict([post(TEXT)])[0]) == [("Ada Lovelace", "PER"), ("Ada Lovelace", "PER")]
    assert len(named(base.predict([post(TEXT)], threshold=0.5)[0])) == 3
    assert named(base.predict([post(TEXT)], labels=["LOC"], threshold=0.1)[0]) == [("Turin", "LOC")]
    with pytest.raises(RecipeError, match="LOC"):
        base.predict([post(TEXT)], threshold={"LOC": 0.5})


def test_spans_beyond_the_text_and_empty_ones_are_left_out(monkeypatch):
    from tests.fixtures.base_stub import Found

    answers = [Found(0, 9, "PER", 0.9), Found(2, 2, "PER", 0.9), Found(0, 2, "PER", 0.1)]
    monkeypatch.setattr(NamesPart, "entities", lambda *_: [answers])
    assert named(predict("Bo")) == [("Bo", "PER")]


def test_predictions_are_documents_of_model_predict_too():
    """`openmie extract` runs either through one pipeline: both take documents and a batch size, in this order."""
    import inspect

    first = [list(inspect.signature(f).parameters)[:3] for f in (Model.predict, type(stub_base()).predict)]
    assert first[0] == first[1] == ["self", "documents", "batch_size"]
