"""Cached states of a frozen text encoder: with entity markers each pair has tokens, and so states, of its own."""

import sys

import pytest
import torch

from openmie.model.pretrained import Model
from openmie.train import fit
from openmie.train.feature_cache import cache_frozen
from tests.fixtures import small

CONTEXTS = {
    "none": {},
    "in one pass": {"encode__context": "c"},
    "in a pass of its own": {"encode__context": "c", "encode__separate_context_pass": "true"},
}


def recipe(name, context, **changes):
    frozen = {"encode__text__name": name, "encode__text__freeze": "true"}
    return small.recipe("re", **frozen, **CONTEXTS[context], **changes)


def documents(n):
    """Every other one the words of the one before: its pairs, and so its markers, are others."""
    found = small.documents(n)
    for i in range(1, n, 2):
        turned = [r.model_copy(update={"head": r.tail, "tail": r.head}) for r in found[i - 1].relations]
        found[i] = found[i - 1].replace(id=f"d{i}", relations=turned, captions={"c": "another picture"})
    return found


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("text", ["tiny", "bert"])
def test_states_predictions_and_gradients_are_those_without_a_cache(text, context, bert, tmp_path):
    torch.manual_seed(0)
    model = Model.new(recipe(bert if text == "bert" else text, context))
    assert model.featurizer.markers
    docs = documents(8)
    fresh, kept = (model.featurizer.featurize(docs, gold=True) for _ in range(2))
    assert len(fresh) == sum(len(d.relations) for d in docs)  # an encoded document for each pair
    rows = {tuple(tokens) for e in fresh for tokens, _ in e.rows}
    assert len(rows) > len({d.text for d in docs})
    assert cache_frozen(model, kept, tmp_path / "f.sqlite", batch_size=3) >= len(rows)
    called = []
    model.extractor.encode.text.register_forward_hook(lambda *_: called.append(1))
    model.extractor.train()
    found = {}
    for name, examples in (("cached", kept), ("fresh", fresh)):
        called.clear()
        batch = model.featurizer.collate(examples)
        torch.manual_seed(1)  # dropout behind the encoder; the frozen one has none
        assert ("text_states" in batch.inputs) == (name == "cached")
        out = model.extractor(batch)
        model.extractor.zero_grad()
        sum(out.losses.values()).backward()
        gradients = {n: p.grad.clone() for n, p in model.extractor.named_parameters() if p.grad is not None}
        found[name] = out.streams, out.losses, gradients, len(called)
    (a, a_losses, a_gradients, a_calls), (b, b_losses, b_gradients, b_calls) = found["cached"], found["fresh"]
    assert a_calls < b_calls and (context == "in a pass of its own" or a_calls == 0)
    assert a.keys() == b.keys() and a_losses.keys() == b_losses.keys() and a_gradients.keys() == b_gradients.keys()
    for role in a:
        torch.testing.assert_close(a[role].tokens, b[role].tokens, atol=1e-5, rtol=0)
        assert torch.equal(a[role].mask, b[role].mask)
    for one, other in ((a_losses, b_losses), (a_gradients, b_gradients)):
        assert one
        for name in one:
            torch.testing.assert_close(one[name], other[name], atol=1e-5, rtol=1e-4)
    scores = [model.predict_encoded(examples)["predicted"] for examples in (kept, fresh)]
    assert [d.relations for d in scores[0]] == [d.relations for d in scores[1]]


def test_training_with_the_cache_is_training_without(bert, tmp_path, monkeypatch):
    frozen, train, dev = recipe(bert, "in one pass", training__epochs="2"), documents(12), documents(4)

    def losses(out):
        return [e.values["loss"] for e in fit(frozen, train, dev, out=tmp_path / out, seed=3) if e.kind == "step"]

    cached = losses("cached")
    assert (tmp_path / "cached" / "features.sqlite").exists()
    monkeypatch.setattr(sys.modules[fit.__module__], "cache_frozen", lambda *_: 0)
    assert losses("fresh") == pytest.approx(cached, abs=1e-5) and cached[-1] < cached[0]
    assert not (tmp_path / "fresh" / "features.sqlite").exists()
