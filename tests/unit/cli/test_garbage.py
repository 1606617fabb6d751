"""The garbage collector rests while a command loads its models, and goes on afterwards, after an error too."""

import gc

import pytest

from openmie.cli import base_options
from openmie.cli.extract_predictor import ExtractPredictor
from openmie.cli.garbage import collector_paused


def test_the_collector_rests_and_goes_on(monkeypatch):
    before = gc.get_freeze_count()
    try:
        with pytest.raises(KeyError), collector_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() and gc.get_freeze_count() > 0
        gc.disable()
        with collector_paused():
            pass
        assert not gc.isenabled()  # as it was
    finally:
        gc.enable()
        if not before:
            gc.unfreeze()


def test_models_of_extract_are_loaded_without_it(monkeypatch):
    states = []
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: states.append(gc.isenabled()) or [object()])
    predictor = ExtractPredictor.__new__(ExtractPredictor)
    predictor.request, predictor._models = None, []
    predictor.given = dict.fromkeys(("system", "model", "label", "relation", "labels", "threshold", "parts"))
    predictor.load()
    assert states == [False] and gc.isenabled()
