"""Vectors of a model's own labels in a file: taken with the weights of then, and with no others."""

import pytest
import torch

from openmie.base import adapter, known_labels, text_files
from openmie.base.labels import LABELS, RELATIONS, described
from openmie.base.text_model import TextModel
from openmie.base.tower import TextTower
from tests.unit.base.tiny import tiny_model, tiny_tower


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A tiny model with its file."""
    monkeypatch.setattr(TextTower, "load", classmethod(lambda cls, *given: tiny_tower()))
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    text_files.save(model, tmp_path)
    known_labels.write(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Texts that a tower encodes."""
    found = []
    encode = TextTower.encode_texts
    monkeypatch.setattr(TextTower, "encode_texts", lambda self, texts: found.extend(texts) or encode(self, texts))
    return found


def test_what_is_read_again_is_what_was_computed(folder, asked):
    labels, relations = described(None), described(None, RELATIONS)
    known = TextModel.load(folder)
    vectors, general = known.tower.encode_labels(labels | relations), known.generality(labels)
    assert asked == [] and len(vectors) == len(LABELS | RELATIONS)
    (folder / known_labels.FILE).unlink()
    anew = TextModel.load(folder)
    assert torch.allclose(anew.tower.encode_labels(labels | relations), vectors, atol=1e-5)
    assert torch.allclose(anew.generality(labels), general, atol=1e-5)
    assert len(asked) == len(vectors)


def test_a_new_label_is_known_without_reading_the_reference_names_again(folder, monkeypatch):
    own = {"spaceship": "a vehicle that flies in space", "菜": ""}
    known = TextModel.load(folder)
    with monkeypatch.context() as patch:
        patch.setattr(TextModel, "encode", lambda *_: pytest.fail("the names are read again"))
        general = known.generality(own)
    (folder / known_labels.FILE).unlink()
    assert torch.allclose(TextModel.load(folder).generality(own), general, atol=1e-3)


def test_with_other_reference_names_they_are_read_again(folder, monkeypatch):
    own = {"spaceship": ""}
    before = TextModel.load(folder).generality(own)
    fewer = [(["Ada", "."], [(0, 1)])]
    monkeypatch.setattr("openmie.base.known_labels.enumerations", lambda: fewer)
    monkeypatch.setattr("openmie.base.text_model.enumerations", lambda: fewer)
    model = TextModel.load(folder)
    assert not torch.allclose(model.generality(own), before, atol=1e-3)
    assert not known_labels.load_into(model, folder)


def test_another_description_is_computed(folder, asked):
    known = TextModel.load(folder)
    known.tower.encode_labels({"PER": "somebody"})
    assert asked == ["PER: somebody"]
    known.generality({**described(None), "PER": "somebody"})
    assert asked == ["PER: somebody"]


def test_with_other_weights_or_a_damaged_file_nothing_is_taken(folder, asked):
    model = TextModel.load(folder)
    path = folder / known_labels.FILE
    whole = path.read_bytes()
    for damaged in (b"", b"{}", whole[:99], whole[:-40]):
        path.write_bytes(damaged)
        assert not known_labels.load_into(model, folder)
    path.write_bytes(whole)
    assert known_labels.load_into(model, folder)
    weights = folder / text_files.FILE
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert not known_labels.load_into(TextModel.load(folder), folder)
    assert TextModel.load(folder).tower.encode_labels(described(None)).shape[0] == len(asked) == len(LABELS)
