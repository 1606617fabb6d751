"""Long documents in parts: what is predicted is what the whole document gives, and never more is read at once."""

import pytest
import torch

from openmie.data.document import Document, Mention, Relation
from openmie.model import long_documents
from openmie.model.features import pairs as pair_features
from openmie.model.pretrained import Model
from openmie.nn.decode import spans
from openmie.nn.decode.spans import limit_of_pairs, near_pairs, ordered_pairs
from tests.fixtures import small


def without_context(model):
    """The model with an encoder that gives each word the same state wherever it stands: known answers for any cut."""
    with torch.no_grad():
        bert = model.text.model
        bert.embeddings.position_embeddings.weight.zero_()
        bert.embeddings.token_type_embeddings.weight.zero_()
        for layer in bert.encoder.layer:
            layer.attention.output.dense.weight.zero_()
            layer.attention.output.dense.bias.zero_()
    return model


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(1)
    tasks = {
        "ner": ("ner", {}),
        "joint": ("joint", {}),
        "re": ("re", {}),
        "shared": ("re", {"heads__0__markers": "false"}),
    }
    return {name: without_context(Model.new(small.recipe(task, "text", **how))) for name, (task, how) in tasks.items()}


def story(n, every=7):
    words = [(*small.NAMES, *small.PLACES)[i // every % 10] if i % every == 0 else f"w{i * i % 97}" for i in range(n)]
    document = Document.from_words("long", words)
    mentions = [
        Mention(id=f"m{i}", start=w.start, end=w.end, label="PER") for i, w in enumerate(document.words[::every])
    ]
    return document.replace(mentions=tuple(mentions))


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr(long_documents, "WORDS", 60)
    monkeypatch.setattr(long_documents, "OVERLAP", 15)


def widest(model, monkeypatch):
    """What batches the model was given: words and rows of each."""
    seen, collate = [], model.featurizer.collate

    def recorded(documents):
        batch = collate(documents)
        seen.append((batch.inputs["words"].shape[1], len(batch.inputs["input_ids"]), sum(d.words for d in documents)))
        return batch

    monkeypatch.setattr(model.featurizer, "collate", recorded)
    return seen


def test_a_text_in_segments_has_the_mentions_of_the_whole(models, short_segments, monkeypatch):
    model, document = models["ner"], story(230)
    (whole,) = model.predict_encoded(model.featurizer.featurize([document]))["predicted"]
    seen = widest(model, monkeypatch)
    (found,) = model.predict([document])
    assert whole.mentions and found.mentions == whole.mentions and found.errors == ()
    assert found.text == document.text and found.words == document.words
    assert max(words for words, *_ in seen) <= 64 and sum(n for *_, n in seen) <= 2.2 * 230  # work grows with the text


def test_work_grows_with_the_text_and_no_batch_does(models, monkeypatch):
    monkeypatch.setattr(long_documents, "WORDS", 60)
    monkeypatch.setattr(long_documents, "OVERLAP", 15)
    model, read = models["ner"], []
    for n in (240, 480):
        with monkeypatch.context() as patch:
            seen = widest(model, patch)
            model.predict([story(n)])
        read.append((max(w for w, *_ in seen), sum(total for *_, total in seen)))
    assert read[1][0] <= read[0][0] + 2 and 1.8 < read[1][1] / read[0][1] < 2.2


def test_a_short_text_is_predicted_as_before(models):
    model, documents = models["joint"], small.documents(4)
    expected = model.predict_encoded(model.featurizer.featurize(documents))["predicted"]
    assert model.predict(documents) == expected


def test_relations_of_segments_are_those_of_the_whole_that_are_near(models, short_segments, monkeypatch):
    monkeypatch.setattr(spans, "MOST_PAIRS", 10_000)
    model, document = models["joint"], story(200, every=9)
    (whole,) = model.predict_encoded(model.featurizer.featurize([document]))["predicted"]
    (found,) = model.predict([document])
    assert found.mentions == whole.mentions
    place = {m.id: m.start for m in whole.mentions}
    ends = [m.id for m in whole.mentions]
    far = {r for r in whole.relations if abs(ends.index(r.head) - ends.index(r.tail)) > 2}
    assert whole.relations and set(found.relations) <= set(whole.relations)
    near = {r for r in whole.relations if abs(place[r.head] - place[r.tail]) < 30}
    assert near <= set(found.relations) and far - set(found.relations)
    (note,) = [e for e in found.errors if e.where.endswith("text")]
    assert note.note and "segments" in note.remedy


@pytest.mark.parametrize("name", ["re", "shared"])
def test_pairs_in_blocks_have_the_labels_of_all_at_once(models, name, short_segments, monkeypatch):
    model, document = models[name], story(70)
    (whole,) = model.predict_encoded(model.featurizer.featurize([document]))["predicted"]
    for module in ("MARKED_AT_ONCE", "PAIRS_AT_ONCE"):
        monkeypatch.setattr(pair_features, module, 40)
        monkeypatch.setattr(long_documents, module, 40)
    monkeypatch.setattr(pair_features, "LONG_REACH", 9)
    monkeypatch.setattr(pair_features, "MARKED_REACH", 9)
    seen = widest(model, monkeypatch)
    (found,) = model.predict([document])
    assert len(found.relations) == 90 and found.relations == whole.relations
    assert [round(r.score, 5) for r in found.relations] == [round(r.score, 5) for r in whole.relations]
    assert found.mentions == document.mentions and found.words == document.words and found.text == document.text
    assert max(words for words, *_ in seen) <= 50


def test_the_nearest_pairs_are_labelled_and_the_record_says_so(models, monkeypatch):
    monkeypatch.setattr(spans, "MOST_PAIRS", 20)
    monkeypatch.setattr(spans, "PAIRS_PER_SPAN", 2)
    model, document = models["re"], story(70)
    (found,) = model.predict([document])
    assert {(r.head, r.tail) for r in found.relations} == {
        (f"m{i}", f"m{j}") for i in range(10) for j in (i - 1, i + 1) if 0 <= j < 10
    } | {("m0", "m2"), ("m2", "m0")}
    (note,) = found.errors
    assert note.note and "90 ordered pairs of 10 mentions" in note.found and "20" in note.expected
    given = document.replace(relations=(Relation(head="m0", tail="m9"),))
    (listed,) = model.predict([given])
    assert [(r.head, r.tail) for r in listed.relations] == [("m0", "m9")] and listed.errors == ()


def test_near_pairs_are_all_below_the_limit_and_the_nearest_beyond():
    few = torch.tensor([[i, i] for i in range(0, 120, 3)])
    pairs = near_pairs(few).tolist()
    assert pairs == [[a, b] for a in range(40) for b in range(40) if a != b]
    places = torch.randint(0, 4000, (90,), generator=torch.Generator().manual_seed(0)).sort().values
    many = torch.stack([places, places + 1], 1)
    found = near_pairs(many)
    assert len(found) == limit_of_pairs(90) == 4096
    gap = (many[:, None, 0] - many[None, :, 1]).clamp_min(0)
    between = torch.maximum(gap, gap.T)
    chosen = torch.zeros(90, 90, dtype=torch.bool)
    chosen[found[:, 0], found[:, 1]] = True
    rest = ~chosen & ~torch.eye(90, dtype=torch.bool)
    assert torch.equal(chosen, chosen.T) and between[chosen].max() <= between[rest].min()


def test_a_batch_has_the_pairs_of_each_row():
    rows = torch.tensor([[[0, 0], [2, 3], [5, 5]], [[1, 1], [0, 0], [0, 0]]])
    pairs, real = ordered_pairs(rows, torch.tensor([[True, True, True], [True, False, False]]))
    assert pairs.shape == (2, 6, 4) and real.tolist() == [[True] * 6, [False] * 6]
    assert pairs[0, 1].tolist() == [0, 0, 5, 5]
