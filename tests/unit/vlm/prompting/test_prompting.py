"""Zero-shot extraction by a JSON schema: what is asked, how answers are read, windows, frames, one document for one."""

import json
import random
from itertools import islice, pairwise

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie import diorama, metrics
from openmie.corpora import load
from openmie.data.box_iou import box_iou
from openmie.data.corpus import Labels
from openmie.data.document import Chain, Document, Image, Mention, Relation
from openmie.errors import ErrorRecord, RecipeError
from openmie.vlm import pfa
from openmie.vlm.boxes.families import ADAPTERS
from openmie.vlm.generate import Answer
from openmie.vlm.prompting.occurrences import locate_names, occurrences
from openmie.vlm.prompting.options import PromptOptions, evenly_spaced
from openmie.vlm.prompting.parsing import parse_answer
from openmie.vlm.prompting.predict import predict
from openmie.vlm.prompting.prompt import PromptContent
from openmie.vlm.prompting.schema import Schema, answer_json_schema
from openmie.vlm.prompting.tolerant_json import _TolerantParser
from openmie.vlm.prompting.windows import split_windows
from tests.fixtures.prompting_stub import Stub, fenced

ALL = {"mentions": {"PER": "a person", "LOC": "a place"}, "relations": {"lives_in": "has a home there", "peer": ""}}
EVERY = "summary,ner,chains,re,boxes"


def image(width=64, height=48, **fields):
    return Image(pixels=np.zeros((height, width, 3), np.uint8), **fields)


def one(answer, document, labels=ALL, tasks=EVERY, **options):
    (found,) = predict(Stub(lambda r: answer), [document], "schema", labels, tasks, PromptOptions(**options))
    assert Document.from_json(found.to_json()) == found.replace(
        images=[i.model_copy(update={"pixels": None}) for i in found.images]
    )
    return found


def spans(document):
    return [(m.text, m.start, m.label, m.status) for m in document.mentions]


# -- what is asked


def test_the_prompt_says_tasks_labels_descriptions_images_and_the_text():
    backend = Stub(lambda r: {"mentions": []})
    document = Document(
        id="d",
        text="Ada in Rome",
        captions={"given": "a dome"},
        images=[image(id="main"), image(80, 60, id="f0", kind="frame", time=2.5)],
    )
    list(predict(backend, [document], labels=ALL, tasks=EVERY))
    (request,) = backend.asked
    for said in (
        "PER: a person",
        "LOC: a place",
        "lives_in: has a home there",
        "Image 1: the picture",
        "Image 2: a frame",
        "at 2.5 s",
        "80 x 60",
    ):
        assert said in request.prompt, said
    assert [p.size for p in request.images] == [(64, 48), (80, 60)]
    assert fenced(request.prompt) == ["a dome", "Ada in Rome"]
    assert list(request.schema["properties"]) == ["summary", "mentions", "chains", "relations", "boxes"]
    jsonschema.Draft202012Validator.check_schema(request.schema)


def test_only_what_is_asked_is_asked():
    backend = Stub(lambda r: {"mentions": [], "summary": ""})
    texts = Document(id="text", text="Ada"), Document(id="picture", images=[image(id="i")]), Document(id="nothing")
    found = list(predict(backend, texts, labels=ALL, tasks="summary,ner,boxes"))
    assert [list(r.schema["properties"]) for r in backend.asked] == [["summary", "mentions"], ["summary", "boxes"]]
    assert [d.id for d in found] == ["text", "picture", "nothing"] and not found[2].errors
    backend = Stub(lambda r: {"mentions": []})
    list(predict(backend, texts[:1], labels=ALL, options=PromptOptions(constrained=False)))
    assert backend.asked[0].schema is None


@pytest.mark.parametrize(("labels", "tasks", "told"), [
    ({"PER": "a person"}, "nor", "task 'nor'"), ({"PER": "a person"}, "re", "relations"),
    ({"people": ["PER"]}, "ner", "people"), ({"mentions": [""]}, "ner", "label ''"), (["PER"], ",", "no task"),
])  # fmt: skip
def test_what_cannot_be_asked_is_an_error_at_once(labels, tasks, told):
    with pytest.raises(RecipeError, match=told):
        predict(Stub(lambda r: ""), [], "schema", labels, tasks)
    with pytest.raises(RecipeError, match="system 'poem'"):
        predict(Stub(lambda r: ""), [], "poem", ["PER"])


def test_labels_in_all_their_forms():
    assert Schema.of(["PER"]).facts() == Schema.of({"PER": ""}).facts() == Schema.of({"mentions": ["PER"]}).facts()
    corpus = Schema.of(Labels(mentions=("LOC", "PER"), relations=("peer",)), "joint,grounded")
    assert corpus.tasks == ("ner", "re", "boxes") and corpus.labels("regions") == ("LOC", "PER")
    untyped = answer_json_schema(Schema.of(()))["properties"]["mentions"]["items"]["properties"]
    assert list(untyped) == ["id", "text"]


def test_the_json_schema_and_the_reader_agree():
    """Answers that the schema allows are read without a record, but for what no schema can say."""
    text = "Ada met Bo and Ada in Rome"
    shown = PromptContent(text=text, images=(image(id="i"),), sizes=((64, 48),))
    schema = Schema.of(ALL, EVERY)
    form, draw = jsonschema.Draft202012Validator(answer_json_schema(schema, 1)), random.Random(3)
    names, valid = ["Ada", "Bo", "Rome", "Ada"], 0
    for number in range(400):
        found = {
            "summary": "s", "mentions": [{"id": f"m{i}", "text": n, "label": draw.choice(["PER", "LOC"])}
                                         for i, n in enumerate(names)],
            "chains": [{"id": "c1", "label": "PER", "mentions": ["m0", "m3"]}],
            "relations": [{"head": "c1", "tail": "m1", "label": draw.choice(["peer", "lives_in"])}],
            "boxes": [{"image": 1, "box": [1, 2, 30, 40.5], "label": "PER", "of": draw.choice(["m1", "c1", ""])}],
        }  # fmt: skip
        if number % 2:
            _spoil(found, draw)
        records = parse_answer(
            Answer(text=json.dumps(found)), schema, shown, ADAPTERS["pixels"].decode, where="d"
        ).errors
        allowed = form.is_valid(found)
        valid += allowed
        assert allowed == (not records), (found, records)
    assert 200 <= valid < 260


def _spoil(found, draw):
    """One thing that the schema forbids (or, for an absent id and a label in other letters, that it need not)."""
    layer = draw.choice(["mentions", "chains", "relations", "boxes"])
    item = draw.choice(found[layer])
    key = draw.choice([k for k in item if k not in ("id", "of")])
    draw.choice([lambda: item.pop(key), lambda: item.update({key: 3.5}), lambda: found.pop(layer),
                 lambda: found.update({layer: "x"}), lambda: found.update(more=1), lambda: found[layer].append(7),
                 lambda: item.update({key: {"a": 1}})])()  # fmt: skip


# -- locating


def test_names_are_located_in_reading_order():
    text = "Ada saw Bob. Ada saw Bo, and New York is not York. ada!"
    names = ["Ada", "Bo", "York", "New York", "Ada", "Ada", "Bobby"]
    assert locate_names(text, names) == [[(0, 3)], [(21, 23)], [(45, 49)], [(29, 37)], [(13, 16)], [], []]
    assert locate_names(text, ["Ada", "Ada"], all_occurrences=True) == [[(0, 3), (13, 16)], []]


def test_what_models_change_without_meaning_to_is_found():
    text = "the “Café d’Or”\nin  Saint-\u2060Malo, 東京タワー and u\u0308ber; \u212b"
    for said, is_said in (
        ('"Café d\'Or" in', "“Café d’Or”\nin"),
        ("東京", "東京"),
        ("\u00fcber", "u\u0308ber"),
        ("Saint–Malo", "Saint-\u2060Malo"),
        ("\u212b", "\u212b"),
    ):
        assert [text[a:b] for a, b in occurrences(text, said)] == [is_said]
    assert occurrences(text, " \u2060 ") == [] and occurrences(text, "café") == []


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ab é\u0301日\u200d🏽<|['\n", max_size=24), st.lists(st.text(alphabet="ab é日🏽<|['", max_size=3))
)
def test_located_spans_are_never_invented(text, names):
    for name, places in zip(names, locate_names(text, names)):
        for start, end in places:
            assert 0 <= start < end <= len(text)
            assert len(text[start:end].split()) == len(name.split()) and text[start] not in " \n"
    taken = [p for places in locate_names(text, names) for p in places]
    assert len(set(taken)) == len(taken)


# -- reading


def test_every_layer_is_read():
    answer = {
        "summary": " Two people. ",
        "mentions": [{"id": "m1", "text": "Ada", "label": "PER"}, {"id": "m2", "text": "Rome", "label": "LOC"},
                     {"id": "m3", "text": "She", "label": "PER"}, {"id": "m4", "text": "Zed", "label": "PER"}],
        "chains": [{"id": "c1", "label": "PER", "mentions": ["m1", "m3"]}],
        "relations": [{"head": "m3", "tail": "m2", "label": "lives_in"},
                      {"head": "c1", "tail": "Rome", "label": "lives_in"}],
        "boxes": [{"image": 2, "box": [1, 2, 90, 20], "label": "PER", "of": "m1"}],
    }  # fmt: skip
    document = Document(
        id="d", text="Ada likes Rome . She", images=[image(id="a"), image(50, 40, id="f", kind="frame")]
    )
    found = one(answer, document)
    assert found.summary == "Two people." and not found.errors
    assert spans(found) == [
        ("Ada", 0, "PER", "located"),
        ("Rome", 10, "LOC", "located"),
        ("She", 17, "PER", "located"),
        ("Zed", 0, "PER", "unlocated"),
    ]
    assert found.chains == (Chain(id="c0", mentions=("m0", "m2"), label="PER"),)
    assert found.relations == (Relation(head="c0", tail="m1", label="lives_in"),)
    (region,) = found.regions
    assert (region.image, region.box, region.of) == ("f", (1, 2, 50, 20), "c0") and not found.dangling()


def test_what_is_outside_the_schema_is_a_record_and_the_rest_stands():
    mentions = [
        {"id": "m1", "text": "Ada", "label": "per"},
        {"id": "m2", "text": "Bo", "label": "DOG"},
        "Rome",
        {"id": "m3", "label": "PER"},
        {"id": "m1", "text": "Rome", "label": "LOC"},
        {"text": "", "label": "PER"},
    ]
    relations = [
        {"head": "m1", "tail": "m2", "label": "peer"},
        {"head": "m1", "tail": "Rome", "label": "eats"},
        {"head": "m1", "tail": "m1", "label": "peer"},
        {"head": "m1", "tail": "Rome", "label": "lives_in"},
    ]
    boxes = [{"image": 3, "box": [1, 2, 3, 4], "label": "PER"}, {"image": 1, "box": [9, 9, 9, 2], "label": "PER"},
             {"image": 1, "box": [1, 2, 3, float("nan")], "label": "PER"},
             {"image": True, "box": [1, 2, 3, 4], "label": "PER"},
             {"bbox_2d": [1, 2, 30, 40], "label": "LOC", "of": "m9"}]  # fmt: skip
    answer = {
        "mentions": mentions,
        "relations": relations,
        "boxes": boxes,
        "chains": {},
        "url": "http://x",
        "summary": [1],
    }
    found = one(answer, Document(id="d", text="Ada, Bo, Rome", images=[image(id="a")]))
    assert [(m.text, m.label) for m in found.mentions] == [("Ada", "PER"), ("Rome", "LOC")]
    assert [(r.label, found.find(r.tail).text) for r in found.relations] == [("lives_in", "Rome")]
    assert [(r.box, r.of) for r in found.regions] == [((1, 2, 30, 40), "")] and not found.summary
    assert len(found.errors) == 16 and all(e.where.startswith("document d, answer") for e in found.errors)


@pytest.mark.parametrize("around", [
    "{}", "```json\n{}\n```", "Sure! Here it is:\n\n{}\n\nI hope it helps {{:-)",
    '<think>{{"mentions": [9]}}</think>{}', 'An example is {{"mentions": []}}. The answer:\n{}',
])  # fmt: skip
def test_json_is_found_in_what_surrounds_it(around):
    said = '{"mentions": [{"id": "m1", "text": "Ada {", "label": "PER"}]}'
    found = one(around.format(said), Document(id="d", text="Ada { lives"), tasks="ner")
    assert spans(found) == [("Ada {", 0, "PER", "located")]
    assert len(found.errors) == ("example" in around)


@pytest.mark.parametrize(("said", "kept", "records"), [
    ('{"mentions": [{"id": "m1", "text": "Ada", "label": "PER"}, {"id": "m2", "text": "Ro', ["Ada"], 1),
    ('{"mentions": [{"id": "m1", "text": "Ada", "label": "PER"}, {"text": "Rome", "label": "LOC"', ["Ada"], 1),
    ("{'mentions': [{'id': 'm1', 'text': 'Ada', 'label': 'PER',},],}", ["Ada"], 1),
    ('{"mentions": [{"text": "Ada "the" Bo", "label": "PER"}, {"text": "Rome", "label": "LOC"}]}', ["Rome"], 1),
    ('[{"text": "Ada", "label": "PER"}]', ["Ada"], 0), ("no names at all", [], 1), ("", [], 1), ("{" * 99999, [], 1),
    ('{"mentions": ' + "[" * 99999, [], 1), ('{"mentions": [{"text": 1' + "1" * 9999 + "}]}", [], 1),
    ('{"mentions": null}', [], 1), ("[]", [], 0),
    ('{"mentions": [{"text": "\\ud800", "label": "PER"}]}', ["\ufffd"], 0),
])  # fmt: skip
def test_cut_or_broken_json_keeps_what_can_be_read(said, kept, records):
    found = one(said, Document(id="d", text="Ada in Rome"), tasks="ner")
    assert [m.text for m in found.mentions] == kept and len(found.errors) >= records
    found.to_json().encode()


def test_an_answer_cut_at_its_length_is_a_record_however_it_ends():
    said = Answer(text='{"summary": "Ada is", "mentions": []', finish="length")
    assert one(said, Document(id="d", text="Ada"), tasks="ner,summary").summary == "Ada is"
    for text in ('{"mentions": []}', '{"summary": "Ada is'):
        found = one(Answer(text=text, finish="length"), Document(id="d", text="Ada"), tasks="ner,summary")
        assert "cut at its length" in str(found.errors[0])
    assert found.summary == "Ada is"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}[]\":,\\'m1ae \n", max_size=60))
def test_no_answer_raises(said):
    for text in (said, '{"mentions": [' + said, '{"relations": [{"head": "m1", ' + said):
        document = one(text, Document(id="d", text="Ada m1 e"), tasks="ner,re")
        assert {m.label for m in document.mentions} <= {"PER", "LOC"}


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
        max_leaves=8,
    ),
    st.integers(0, 80),
)
def test_the_tolerant_parser_is_the_standard_one_on_json_and_a_prefix_of_it_when_cut(value, cut):
    text = json.dumps({"a": [value, value]}, ensure_ascii=False)
    loose = _TolerantParser(text, 0)
    assert loose.value(0) == json.loads(text) and not loose.skipped
    part = _TolerantParser(text[:cut], 0).value(0)
    if isinstance(part, dict) and isinstance(part.get("a"), list):
        assert part["a"] == [value, value][: len(part["a"])]


# -- long texts and many frames


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab \n日", max_size=400), st.integers(20, 90), st.integers(0, 9))
def test_windows_cover_the_text_and_cut_no_name(text, size, overlap):
    found = split_windows(text, size, overlap)
    assert found[0][0] == 0 and found[-1][1] == len(text) and all(b - a <= size for a, b in found)
    assert all(a < c <= b - overlap and b < d for (a, b), (c, d) in pairwise(found))
    for start in range(len(text) - overlap + 1):  # each span of `overlap` characters lies whole in one window
        assert any(a <= start and start + overlap <= b for a, b in found)


def test_a_name_at_the_very_end_of_a_long_text_is_found():
    """R6: 50,000 characters, names planted anywhere and last; a stub that reads what it is shown."""
    draw = random.Random(5)
    words = [draw.choice(["lorem", "ipsum", "dolor"]) for _ in range(8600)]
    for n in range(40):
        words[draw.randrange(len(words))] = f"Zorvane{n}x"
    words.append("Finis")
    document = Document.from_words("long", words)
    assert len(document.text) > 50_000

    def reads(request):
        named = [w for w in fenced(request.prompt)[-1].split() if w[0] in "ZF"]
        return {"mentions": [{"id": f"m{i}", "text": w, "label": "PER"} for i, w in enumerate(named)]}

    for size, overlap in ((8000, 800), (3000, 40), (400, 100)):
        backend = Stub(reads)
        (found,) = predict(backend, [document], labels=["PER"], options=PromptOptions(window=size, overlap=overlap))
        assert sorted(m.start for m in found.mentions) == [
            w.start for w in document.words if document.text[w.start] in "ZF"
        ]
        assert found.mentions[-1].end == len(document.text) and not found.errors
        assert len(backend.asked) > 50_000 / size and "Part 1 of" in backend.asked[0].prompt


def test_windows_are_joined_each_thing_once():
    text = "Ada met Bo . " + "x " * 20 + "Ada and Rome ."
    boxes = {"boxes": [{"image": 1, "box": [0, 0, 30, 30], "label": "PER", "of": "c1"}]}

    def reads(request):
        shown = fenced(request.prompt)[-1].split()
        mentions = [
            {"id": f"m{i}", "text": w, "label": "PER"} for i, w in enumerate(shown) if w in ("Ada", "Bo", "Rome")
        ]
        ids = [m["id"] for m in mentions]
        return {
            "mentions": mentions,
            "chains": [{"id": "c1", "label": "PER", "mentions": ids[:1]}],
            "summary": "S",
            "relations": [{"head": ids[0], "tail": ids[-1], "label": "peer"}] if len(ids) > 1 else [],
            **boxes,
        }

    document = Document(id="d", text=text, images=[image(id="i")])
    (found,) = predict(Stub(reads), [document], "schema", ALL, EVERY, PromptOptions(window=40, overlap=14))
    assert [m.text for m in found.mentions] == ["Ada", "Bo", "Ada", "Rome"] and found.summary == "S"
    assert len({m.id for m in found.mentions} | {c.id for c in found.chains}) == 4 + len(found.chains)
    assert not found.dangling() and [c.mentions for c in found.chains] == [("m0",), ("m2",)]
    assert len(found.relations) == 2 and len(found.regions) == 2


def test_two_windows_that_disagree_leave_a_record():
    def reads(request):
        label = "PER" if "Part 1" in request.prompt else "LOC"
        return {"mentions": [{"id": "m", "text": "Ada", "label": label}] if "Ada" in fenced(request.prompt)[-1] else []}

    text = "x " * 12 + "Ada " + "x " * 14
    (found,) = predict(
        Stub(reads), [Document(id="d", text=text)], labels=["PER", "LOC"], options=PromptOptions(window=40, overlap=19)
    )
    assert [m.label for m in found.mentions] == ["PER"] and "LOC in one part" in str(found.errors[0])


def test_many_frames_are_sampled_evenly_with_a_record():
    frames = [image(id=f"f{i}", kind="frame", time=float(i)) for i in range(20)]
    backend = Stub(lambda r: {"boxes": [{"image": 3, "box": [0, 0, 9, 9], "label": "PER"}]})
    (found,) = predict(
        backend, [Document(id="d", images=frames)], labels=["PER"], tasks="boxes", options=PromptOptions(images=5)
    )
    assert [f"at {t} s" in backend.asked[0].prompt for t in (0, 5, 9, 14, 19)] == [True, True, False, True, True]
    assert found.regions[0].image == "f10" and "15 were not shown" in str(found.errors[0])
    assert [len(evenly_spaced(frames, n)) for n in (0, 1, 2, 19, 20, 30)] == [0, 1, 2, 19, 20, 20]


def test_an_image_that_cannot_be_read_is_a_record_and_the_others_keep_their_names(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    images = [Image(id="a", path=str(tmp_path / "broken.png")), image(id="b")]
    backend = Stub(lambda r: {"boxes": [{"image": 1, "box": [0, 0, 9, 9], "label": "PER"}]})
    (found,) = predict(backend, [Document(id="d", images=images)], labels=["PER"], tasks="boxes")
    assert found.regions[0].image == "b" and len(found.errors) == 1 and "broken.png" in str(found.errors[0])


# -- given layers


def test_relations_without_ner_are_asked_between_given_mentions():
    mnre = Document(
        id="d",
        text="Ada met Bo",
        mentions=[Mention(id="h", start=0, end=3), Mention(id="t", start=8, end=10)],
        relations=[Relation(head="h", tail="t", label="peer"), Relation(head="t", tail="h", label="None")],
    )
    labels = {"relations": ["None", "peer"]}
    backend = Stub(
        lambda r: {
            "relations": [{"head": "m1", "tail": "m2", "label": "peer"}, {"head": "m2", "tail": "m1", "label": "None"}]
        }
    )
    (found,) = predict(backend, [mnre], labels=labels, tasks="re")
    assert "(m1, m2), (m2, m1)" in backend.asked[0].prompt and not found.errors
    assert found.relations == mnre.relations and found.mentions == mnre.mentions
    assert metrics.relations([mnre], [found]).f1 == 100 and metrics.relations([mnre], [found]).accuracy == 100
    enum = backend.asked[0].schema["properties"]["relations"]["items"]["properties"]["head"]["enum"]
    assert enum == ["m1", "m2"]
    (silent,) = predict(Stub(lambda r: {"relations": []}), [mnre], labels=labels, tasks="re")
    assert len(silent.errors) == 2 and not silent.relations
    (free,) = predict(backend, [mnre.replace(relations=())], labels=labels, tasks="re")
    assert [r.label for r in free.relations] == ["peer"]


def test_given_chains_are_the_ends_of_relations():
    document = Document(
        id="d",
        text="Ada met Bo , she said",
        relations=[Relation(head="x", tail="y", label="peer")],
        mentions=[Mention(id="1", start=0, end=3), Mention(id="2", start=8, end=10), Mention(id="3", start=13, end=16)],
        chains=[Chain(id="x", mentions=("1", "3"), label="PER"), Chain(id="y", mentions=("2",), label="PER")],
    )
    backend = Stub(lambda r: {"relations": [{"head": "m3", "tail": "c2", "label": "peer"}]})
    (found,) = predict(backend, [document], labels=ALL, tasks="re")
    assert found == document and '{"id": "c1", "label": "PER", "mentions": ["m1", "m3"]}' in backend.asked[0].prompt
    backend = Stub(lambda r: {"chains": [{"id": "c1", "label": "PER", "mentions": ["m1", "m3"]}]})
    (found,) = predict(backend, [document], labels=ALL, tasks="chains")
    assert [c.mentions for c in found.chains] == [("1", "3")] and found.mentions == document.mentions
    assert not found.relations


def test_pairs_too_far_apart_for_a_window_are_told():
    text = "Ada " + "x " * 60 + "Bo"
    document = Document(
        id="d",
        text=text,
        mentions=[Mention(id="h", start=0, end=3), Mention(id="t", start=124, end=126)],
        relations=[Relation(head="h", tail="t", label="None")],
    )
    backend = Stub(lambda r: {"relations": []})
    (found,) = predict(
        backend,
        [document],
        labels={"relations": ["None", "peer"]},
        tasks="re",
        options=PromptOptions(window=50, overlap=5),
    )
    assert not backend.asked and "not asked" in str(found.errors[0])


def test_gold_of_what_is_asked_is_never_read():
    """Deleting it changes no prompt."""
    documents = list(diorama.generate(diorama.Config(seed=1), "dev", 6))
    asked = []
    for some in (documents, [d.without_gold() for d in documents]):
        backend = Stub(lambda r: {})
        list(predict(backend, some, labels=diorama.LABELS, tasks="summary,joint,boxes"))
        asked.append([(r.prompt, r.schema) for r in backend.asked])
    assert asked[0] == asked[1] and len(asked[0]) == 6


# -- one for one


def test_one_document_for_one_whatever_happens():
    broken = ErrorRecord(where="row 2", found="no JSON")

    def says(request):
        text = fenced(request.prompt)[-1]
        return (
            ErrorRecord(where="model", found="no answer")
            if text == "fail"
            else {"mentions": [{"id": "m", "text": text, "label": "PER"}]}
        )

    items = [
        Document(id="a", text="Ada"),
        broken,
        Document(id="empty"),
        Document(id="b", text="fail"),
        Document(id="c", text="Cleo"),
        broken,
        Document(id="none"),
    ]
    found = list(predict(Stub(says), items, labels=["PER"]))
    assert [d.id for d in found] == ["a", "unread-2", "empty", "b", "c", "unread-6", "none"]
    assert [len(d.errors) for d in found] == [0, 1, 0, 1, 0, 1, 0]
    assert found[3].errors[0].where == "document b, model" and found[4].mentions[0].text == "Cleo"

    class Short(Stub):
        def answers(self, requests):
            for answer, _ in zip(super().answers(requests), range(1)):
                yield answer
            list(requests)

    assert [len(d.errors) for d in predict(Short(says), items, labels=["PER"])] == [0, 1, 0, 1, 1, 1, 0]


def test_documents_are_taken_as_answers_are_needed():
    taken = []

    def documents():
        for i in range(100):
            taken.append(i)
            yield Document(id=f"d{i}", text="Ada")

    found = predict(Stub(lambda r: {"mentions": []}), documents(), labels=["PER"])
    assert not taken and next(found).id == "d0" and len(taken) <= 2


def test_a_perfect_model_scores_100_by_the_scorers_of_trained_systems():
    """Gold of Diorama, said by a stub that is asked for everything at once, is gold again."""
    gold = list(diorama.generate(diorama.Config(seed=3), "dev", 30))
    by_text = {d.text: d for d in gold}

    def says(request):
        written = fenced(request.prompt)
        d = by_text[written[-1]]
        return {
            "summary": d.summary, "mentions": [{"id": m.id, "text": m.text, "label": m.label} for m in d.mentions],
            "relations": [{"head": r.head, "tail": r.tail, "label": r.label} for r in d.relations],
            "boxes": [{"image": 1, "box": list(r.box), "label": r.label, "of": r.of} for r in d.regions],
        }  # fmt: skip

    shown = [d for d in gold if d.text and d.main_image]
    found = list(predict(Stub(says), shown, labels=diorama.LABELS, tasks="summary,joint,boxes"))
    for task in ("ner", "joint", "boxes", "grounded"):
        assert next(iter(metrics.score(shown, found, task, bootstrap=0).values())).f1 == 100, task  # type: ignore[arg-type]
    assert [d.summary for d in found] == [d.summary for d in shown]


def test_iou_is_that_of_the_metric():
    assert (
        box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3) and box_iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0
    )


# -- in PFA

PATCHES = [image(id="main"), Image(id="p0", kind="patch", parent="main", box=(0, 0, 20, 20)),
           Image(id="p1", kind="patch", parent="main", box=(30, 10, 60, 40))]  # fmt: skip


def test_pfa_asks_in_its_own_prompt_with_the_text_fenced_and_reads_letters():
    document = Document(id="d", text="Ada in Rome", images=PATCHES, summary="gold")
    said = "Task 1 Answer: A dome.\nTask 2 Answer: NER: :PER;Ada:LOC;Rome:PER;Zed\nimage-entity pair: {'b': 'Ada'}"
    backend = Stub(lambda r: said)
    (found,) = predict(backend, [document], "pfa", {"PER": "a person", "LOC": "a place"})
    (request,) = backend.asked
    assert [p.size for p in request.images] == [(64, 48), (20, 20), (30, 30)] and request.schema is not None
    assert fenced(request.prompt) == ["Ada in Rome"] and "PER (a person)" in request.prompt
    assert spans(found) == [("Ada", 0, "PER", "located"), ("Rome", 7, "LOC", "located"), ("Zed", 0, "PER", "unlocated")]
    assert found.summary == "A dome." and not found.errors
    assert [(r.image, r.box, found.find(r.of).text) for r in found.regions] == [("main", (30, 10, 60, 40), "Ada")]
    as_trained = Stub(lambda r: said)
    list(
        predict(
            as_trained,
            [document],
            "pfa",
            {"PER": "a person"},
            options=PromptOptions(injection_guard=False, constrained=False),
        )
    )
    request = pfa.prompt(document, {"PER": "a person"})
    assert as_trained.asked[0].prompt == request.prompt and as_trained.asked[0].schema is None


def test_pfa_of_gold_is_gold_again_by_the_scorers():
    gold = [d for d in diorama.generate(diorama.Config(seed=2), "dev", 30) if d.text and d.main_image]
    by_text = {d.text: d for d in gold}
    labels = diorama.LABELS.mentions
    backend = Stub(lambda r: pfa.render(by_text[fenced(r.prompt)[-1]], labels))
    found = list(predict(backend, gold, "pfa", diorama.LABELS))
    assert metrics.spans(gold, found).f1 == 100 and metrics.mre(gold, found).accuracy == 100
    assert [d.summary for d in found] == [d.summary for d in gold] and not any(d.errors for d in found)


def test_pfa_reads_a_long_text_to_its_end_and_leaves_out_images_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    images = [PATCHES[0], Image(id="bad", kind="patch", path=str(tmp_path / "broken.png"), parent="main"), PATCHES[2]]
    document = Document(id="d", text="lorem ipsum " * 900 + "Zorvane", images=images)

    def reads(request):
        named = "".join(f":PER;{w}" for w in fenced(request.prompt)[-1].split() if w[0] == "Z")
        return f"Task 1 Answer: S\nTask 2 Answer: NER: {named}\nimage-entity pair: " + (
            "{'a': 'Zorvane'}" if named else "{}"
        )

    (found,) = predict(Stub(reads), [document], "pfa", ["PER"], options=PromptOptions(window=3000))
    assert spans(found) == [("Zorvane", 10800, "PER", "located")] and found.summary == "S"
    assert [(r.box, r.of) for r in found.regions] == [((30, 10, 60, 40), found.mentions[0].id)]
    assert len(found.errors) == 1 and "image bad" in found.errors[0].where
    (cut,) = predict(
        Stub(lambda r: Answer(text="Task 1 Answer: S\nTask 2 Answer: NER: :PER;Zor", finish="length")),
        [Document(id="d", text="Zorvane")],
        "pfa",
        ["PER"],
    )
    assert "cut at its length" in str(cut.errors[0])


@pytest.mark.parametrize(
    ("tasks", "labels", "told"),
    [
        ("re", {"relations": ["peer"]}, "pfa does not support"),
        ("boxes", ["PER"], "pfa does not support"),
        ("ner", [], "No labels"),
    ],
)
def test_what_pfa_does_not_hold_is_an_error(tasks, labels, told):
    with pytest.raises(RecipeError, match=told):
        predict(Stub(lambda r: ""), [], "pfa", labels, tasks)


def test_grammars_are_sent_to_models_here_and_to_no_server_unasked():
    backend = Stub(lambda r: "")
    backend.dialect = "openai"  # as servers have

    class Memory(Stub):
        def __init__(self):
            super().__init__(lambda r: "")
            self.backend = backend

    for constrained, expected in ((None, False), (True, True)):
        memory = Memory()
        list(
            predict(
                memory, [Document(id="d", text="A")], "pfa", ["PER"], options=PromptOptions(constrained=constrained)
            )
        )
        assert (memory.asked[0].schema is not None) == expected


@pytest.mark.real
def test_answers_can_say_the_gold_of_real_corpora(corpora):
    """What a perfect model reaches: names stand where they are looked for, given pairs are all asked and read."""
    gmner = list(islice(load(f"gmner:{corpora / 'gmner'}").dev, 200))
    gmner = [d.replace(images=()) for d in gmner if d.text.strip()]
    told = iter(gmner)

    def says(request):
        ordered = sorted(next(told).mentions, key=lambda m: m.start)
        return {"mentions": [{"id": m.id, "text": m.text, "label": m.label} for m in ordered]}

    labels = ["PER", "LOC", "ORG", "OTHER"]
    assert metrics.spans(gmner, predict(Stub(says), gmner, labels=labels)).f1 > 99.5
    mnre = [d.replace(images=()) for d in islice(load(f"mnre:{corpora / 'mnre'}").dev, 200)]
    rows = iter(mnre)

    def judges(request):
        d = next(rows)
        names = {m.id: f"m{n}" for n, m in enumerate(sorted(d.mentions, key=lambda m: (m.start, m.end)), 1)}
        return {"relations": [{"head": names[r.head], "tail": names[r.tail], "label": r.label} for r in d.relations]}

    found = list(predict(Stub(judges), mnre, labels=Labels.of(mnre), tasks="re"))
    assert metrics.relations(mnre, found).accuracy == 100 and not any(d.errors for d in found)


def test_the_family_of_a_folder_is_that_of_its_config(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_vl"}', encoding="utf8")
    backend = Stub(lambda r: {"boxes": [{"image": 1, "box": [0, 0, 500, 1000], "label": "PER"}]}, "my-model")
    document = Document(id="d", images=[image(id="i")])
    with pytest.raises(RecipeError, match="my-model"):
        predict(backend, [document], labels=["PER"], tasks="boxes")
    backend.model = tmp_path
    (found,) = predict(backend, [document], labels=["PER"], tasks="boxes")
    assert found.regions[0].box == (0, 0, 32, 48) and "0 to 1000" in backend.asked[0].prompt
    assert "64 x 48" not in backend.asked[0].prompt
    (found,) = predict(backend, [document], labels=["PER"], tasks="boxes", options=PromptOptions(family="gemini"))
    assert found.regions[0].box == (0, 0, 64, 24) and "[top, left" in backend.asked[-1].prompt
    big = Document(id="d", images=[image(1000, 800, id="i")])
    asking = PromptOptions(family="qwen2.5-vl", max_pixels=200_704)  # seen as 476 x 392
    (found,) = predict(backend, [big], labels=["PER"], tasks="boxes", options=asking)
    assert found.regions[0].box == pytest.approx((0, 0, 1000, 800))
    with pytest.raises(RecipeError, match="max_pixels"):
        predict(backend, [big], labels=["PER"], tasks="boxes", options=PromptOptions(family="gemini", max_pixels=9))
