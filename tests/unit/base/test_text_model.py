"""The text model: files, windows, thresholds, and a small language that it learns from sixty sentences."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from openmie.base import adapter, finetune, text_files
from openmie.base.examples import Label, targets
from openmie.base.held_out import SpanCandidates, collect, fitted
from openmie.base.settings import TextSettings
from openmie.base.text_model import Entity, TextModel, word_spans
from openmie.base.tower import TextTower
from openmie.data.document import Document, Mention, Relation
from openmie.errors import CorpusError, ModelError
from tests.unit.base.tiny import tiny_model, tiny_tower

LABELS = {"PER": "a person", "LOC": "a place"}
PERSONS, PLACES = ("Ada", "Byron", "Karl", "Lise"), ("Turin", "Oslo", "Quito", "Lima")


@pytest.fixture()
def tower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextTower, "load", classmethod(lambda cls, name="", mark_cjk=True: tiny_tower()))


def post(number: int, drawn: random.Random) -> Document:
    """A person, perhaps of two words, was in a place: `lives in`; or left a place: no relation."""
    person = drawn.choice(PERSONS) + drawn.choice(["", " " + drawn.choice(PERSONS)])
    verb, place = drawn.choice(["stayed in", "never saw"]), drawn.choice(PLACES)
    text = f"then {person} {verb} {place} again"
    end = 5 + len(person)
    start = text.index(place, end)
    places = {"a": (5, end, "PER"), "b": (start, start + len(place), "LOC")}
    mentions = tuple(Mention(id=i, start=a, end=b, label=label) for i, (a, b, label) in places.items())
    relations = (Relation(head="a", tail="b", label="lives in"),) if verb == "stayed in" else ()
    return Document(id=f"d{number}", text=text, mentions=mentions, relations=relations)


def test_fine_tuning_learns_a_small_language(tower: None, tmp_path: Path) -> None:
    drawn = random.Random(0)
    start = tmp_path / "start"
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    text_files.save(model, start)
    documents = [post(i, drawn) for i in range(60)]
    options = finetune.FinetuneOptions(epochs=40, rate=3e-3, head_rate=3e-3)
    out = tmp_path / "out"
    finetune.finetune(documents, out, dev=[post(i, drawn) for i in range(30)], start=start, options=options)
    model = TextModel.load(out)
    assert model.settings.labels == {"PER": "", "LOC": ""} and model.settings.relations == {"lives in": ""}
    test = [post(i, drawn) for i in range(40)]
    texts = [d.text for d in test]
    found = model.entities(texts, model.settings.labels)
    gold = [{(m.start, m.end, m.label) for m in d.mentions} for d in test]
    right = sum(len(g & {e[:3] for e in f}) for g, f in zip(gold, found))
    assert 2 * right / (sum(map(len, gold)) + sum(map(len, found))) > 0.95
    entities = [[Entity(m.start, m.end, m.label, 1.0) for m in d.mentions] for d in test]
    pairs = model.relations(texts, entities, model.settings.relations)
    wanted = [{(0, 1)} if d.relations else set() for d in test]
    assert sum({(p.head, p.tail) for p in f} == g for f, g in zip(pairs, wanted)) >= 38


def test_what_was_saved_is_what_is_loaded(tower: None, tmp_path: Path) -> None:
    model = tiny_model(threshold=0.2, thresholds={"PER": 0.3}, labels={"PER": "a person"}, guidelines=("names", "web"))
    adapter.adapt(model.upper, 4)
    for parameter in filter(lambda p: p.requires_grad, model.upper.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    text_files.save(model, tmp_path)
    again = TextModel.load(tmp_path)
    assert again.settings == model.settings
    words = [["Ada", "in", "Turin"]]
    torch.testing.assert_close(again.encode(words)[0], model.encode(words)[0], atol=2e-3, rtol=1e-2)  # half precision
    assert not any(p.requires_grad for p in again.parameters())


def test_merged_adapters_are_what_they_were() -> None:
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    for module in model.upper.modules():
        if isinstance(module, adapter.LowRank):
            torch.nn.init.normal_(module.b)
    words = [["Ada", "in", "Turin"]]
    before = model.encode(words)[0]
    names = set(adapter.trained_state(model.upper))
    adapter.merge(model.upper)
    torch.testing.assert_close(model.encode(words)[0], before, atol=1e-5, rtol=1e-4)
    assert names and not any("parametrizations" in name for name in model.state_dict())


def test_weights_are_read_merged_as_adapters_are_merged(
    tower: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    for parameter in filter(lambda p: p.requires_grad, model.upper.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    text_files.save(model, tmp_path)
    slow = tiny_model()
    text_files.load_into(slow, tmp_path, merged=False)
    assert adapter.trained_shapes(tiny_model().upper, 4) == {
        name: value.shape for name, value in adapter.trained_state(slow.upper).items()
    }
    adapter.merge(slow.upper)
    monkeypatch.setattr(adapter, "adapt", lambda *_: pytest.fail("an adapter is drawn that is replaced at once"))
    fast = tiny_model()
    text_files.load_into(fast, tmp_path)
    found, wanted = fast.upper.state_dict(), slow.upper.state_dict()
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("broken", ["no settings", "unknown field", "no weights", "other rank", "no tensors"])
def test_files_that_do_not_fit_are_refused(tower: None, tmp_path: Path, broken: str) -> None:
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    text_files.save(model, tmp_path)
    settings = tmp_path / "text.json"
    if broken == "no settings":
        settings.unlink()
    elif broken == "unknown field":
        settings.write_text(json.dumps({"colour": "blue"}), "utf8")
    elif broken == "no weights":
        (tmp_path / "text.safetensors").unlink()
    elif broken == "other rank":
        settings.write_text(json.dumps({**json.loads(settings.read_text("utf8")), "rank": 5}), "utf8")
    else:
        (tmp_path / "text.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(ModelError):
        TextModel.load(tmp_path)


def test_entities_are_flat_in_order_and_above_the_threshold() -> None:
    model = tiny_model()
    text = "Ada Byron went from Turin to Oslo with Karl and Lise " * 30
    for threshold in (0.0, 0.01, {"PER": 0.02, "LOC": 0.0}):
        (found,) = model.entities([text], LABELS, threshold)
        assert [e.start for e in found] == sorted(e.start for e in found)
        assert all(a.end <= b.start for a, b in pairwise(found))
        for entity in found:
            least = threshold[entity.label] if isinstance(threshold, dict) else threshold
            assert entity.score >= least and text[entity.start : entity.end].strip() == text[entity.start : entity.end]
    assert model.entities([text], LABELS, 0.0)[0] and not model.entities([text], LABELS, 1.0)[0]


def test_a_texts_entities_depend_neither_on_the_batch_nor_on_other_labels() -> None:
    model = tiny_model()
    texts = ["Ada in Turin", "Karl " * 300, "", "😀 🎉", "Lise saw Lima and Oslo and Quito"]
    alone = [model.entities([text], LABELS, 0.01)[0] for text in texts]
    for one, other in zip(alone, model.entities(texts, LABELS, 0.01)):
        assert [e[:3] for e in one] == [e[:3] for e in other]
    assert alone[2] == []
    many = LABELS | {f"label {i}": "" for i in range(200)}
    assert {e.label for e in model.entities(texts[:1], many, 0.0)[0]} <= set(many)
    assert model.entities(texts, {}) == [[], [], [], [], []]


def test_of_two_labels_for_a_span_the_one_that_says_more_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fit the first word, the general one a little better; the other words have none."""
    model = tiny_model()
    logits = torch.full((1, 3, 2, 3), -9.0)
    logits[0, 0] = torch.tensor([[4.0, 9.0, 4.0], [3.5, 9.0, 3.5]])
    monkeypatch.setattr(model.spans, "score", lambda states, vectors: logits)
    common = (torch.zeros(3, 64), torch.zeros(2, 32))
    scale, least = torch.ones(2), torch.zeros(2)
    ((start, end, label, z),) = model.best_spans(*common, torch.tensor([-1.0, -4.0]), scale, least)
    assert (start, end, label) == (0, 1, 1) and z == pytest.approx(7.0, abs=1e-3)
    ((_, _, label, _),) = model.best_spans(*common, torch.tensor([-1.0, -1.5]), scale, least)
    assert label == 0


def test_generality_is_the_share_of_names_that_a_label_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """One label fits every name, one none; what was computed is forgotten when the weights change."""
    model = tiny_model()

    def spans(states: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        sign = torch.tensor([20.0, -20.0])[: len(vectors), None]
        return sign.expand(1, states.shape[1], -1, 3)

    monkeypatch.setattr(model.spans, "forward", spans)
    always, never = model.generality({"a": "", "b": ""}).exp().tolist()
    assert always == pytest.approx(1.001, abs=1e-4) and never == pytest.approx(0.001, abs=1e-4)
    assert model.generality({"a": ""}).exp().item() == always
    monkeypatch.setattr(model.spans, "forward", lambda states, vectors: -spans(states, vectors))
    assert model.generality({"a": ""}).exp().item() == always
    model.forget()
    assert model.generality({"a": ""}).exp().item() == pytest.approx(0.001, abs=1e-4)


def test_spans_of_a_long_text_are_those_of_one_block() -> None:
    model = tiny_model()
    states = torch.randn(700, 64)
    vectors = torch.randn(2, 32)
    found = torch.cat([logits for _, logits in model.span_candidates(states, model.spans.label_vectors(vectors))])
    from openmie.nn.decode.labelled import span_logits

    whole = span_logits(model.spans(states[None], vectors), model.settings.widest)[0]
    torch.testing.assert_close(found, whole, atol=1e-3, rtol=1e-4)


def test_labels_are_projected_once_for_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is the same for all texts of a call is computed once: labels and relations in their common spaces."""
    model, asked = tiny_model(threshold=0.0), list[str]()
    for name, head in (("spans", model.spans), ("pairs", model.pairs)):
        head.labels.register_forward_hook(lambda *_, name=name: asked.append(name))
    texts = ["Ada Lovelace in Turin", "Bob in Rome", "Eve in Oslo"]
    found = [[Entity(0, 3, "PER", 0.9), Entity(text.index(" in ") + 4, len(text), "LOC", 0.9)] for text in texts]
    model.entities(texts, {"PER": ""})
    model.relations(texts, found, {"lives in": ""}, threshold=0.0)
    assert asked == ["spans", "pairs"]


def test_words_of_entities_and_entities_within_words() -> None:
    places = [(0, 3), (4, 9), (10, 12)]
    entities = [Entity(0, 3, "", 1), Entity(4, 12, "", 1), Entity(5, 7, "", 1), Entity(3, 4, "", 1)]
    assert word_spans(places, entities)[:3] == [(0, 1), (1, 3), (1, 2)]
    assert all(a < b <= 3 for a, b in word_spans(places, entities))
    assert word_spans([], []) == []


def test_pairs_far_apart_are_not_asked() -> None:
    model = tiny_model()
    near, far = "Ada in Turin", "Ada " + "x " * 80 + "Turin"
    entities = [[Entity(0, 3, "PER", 1), Entity(t.index("Turin"), len(t), "LOC", 1)] for t in (near, far)]
    found = model.relations([near, far], entities, {"lives in": ""}, 0.0)
    assert len(found[0]) == 2 and found[1] == []
    assert model.relations([near], [entities[0][:1]], {"lives in": ""}) == [[]]
    assert model.relations([near], [entities[0]], {}) == [[]]


def test_documents_become_sentences_that_cut_no_mention() -> None:
    text = " ".join(f"w{i}" for i in range(300))
    start = text.index("w75 ")
    end = text.index("w85 ") - 1
    document = Document(id="d", text=text, mentions=(Mention(id="m", start=start, end=end, label="PER"),))
    found = finetune.sentences_of(document, tiny_tower())
    assert sum(len(s.words) for s in found) == 300 and all(len(s.words) <= 80 for s in found)
    (sentence,) = (s for s in found if s.spans)
    a, b, label = sentence.spans[0]
    assert sentence.words[a:b] == tuple(f"w{i}" for i in range(75, 85)) and label == "PER"


@pytest.mark.parametrize(
    ("edges", "spans", "open_"),
    [("expand", ((0, 1, "LOC"), (2, 3, "LOC")), ()), ("shrink", ((2, 3, "LOC"),), ((0, 1),)),
     ("drop", ((2, 3, "LOC"),), ((0, 1),))],
)  # fmt: skip
def test_a_mention_that_cuts_a_word_follows_the_rule_of_all_training(edges, spans, open_) -> None:
    marked = tuple(Mention(id=f"m{a}", start=a, end=b, label="LOC") for a, b in ((4, 9), (16, 20)))
    document = Document(id="d", text="pre-Turin times Oslo", mentions=marked)
    (sentence,) = finetune.sentences_of(document, tiny_tower(), edges)
    assert sentence.words == ("pre-Turin", "times", "Oslo")  # words as prediction has them
    assert sentence.spans == spans and sentence.open == open_
    data = finetune.training_data(tiny_model(), [sentence], {"LOC": ""}, {})
    _, inside, known = targets(data.examples[0], [Label(key="LOC", texts=("LOC",))])
    assert known[:, 0].tolist() == [not open_, True, True] and inside[2, 0] and not inside[1, 0]


def test_documents_without_mentions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="mention"):
        finetune.finetune([Document(id="d", text="Ada")], tmp_path)


def test_thresholds_are_fitted_on_what_was_found() -> None:
    found = SpanCandidates()
    model = tiny_model()
    collect(model, [(["Ada", "in", "Turin"], {(0, 1, "PER"), (2, 3, "LOC")})], LABELS, found)
    assert len(found.logits) == len(found.right) == len(found.labels)
    assert sum(found.right) + sum(found.missed.values()) == 2
    assert fitted(TextSettings(), SpanCandidates()) == TextSettings()
    clear = SpanCandidates(logits=[-2.0] * 50 + [0.5] * 50, right=[False] * 50 + [True] * 50, labels=["PER"] * 100)
    settings = fitted(TextSettings(), clear)
    assert torch.sigmoid(torch.tensor(-2.0 / settings.temperature)) < settings.thresholds["PER"] < 0.9
    assert settings.calibration["candidates"] == 100
