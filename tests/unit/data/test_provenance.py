"""Which models made a prediction: one key of `source`, beside the user's own columns, through every format."""

import json

import pytest

from openmie.data import provenance as of
from openmie.data.document import Document
from openmie.formats import registry

TOLD = of.provenance([{"name": "openmie-base", "version": "1.0", "query": "12"}], "0.1.0", "2026-11-30T10:40:12Z")


def stamped(source):
    (document,) = of.stamp([Document(id="a", text="Ada", source=source)], TOLD)
    return document


def test_it_stands_beside_the_columns_of_a_user():
    found = stamped({"url": "u", "model": "Nikon", "when": "today"})
    assert of.read_provenance(found) == TOLD and of.own_columns(found) == {
        "url": "u",
        "model": "Nikon",
        "when": "today",
    }


@pytest.mark.parametrize("own", ["yes", 1, ["x"], {"models": 3}, {"models": ["x"]}, {"models": [{"n": 1}]}, None])
def test_a_column_of_the_same_name_is_kept(own):
    found = stamped({"openmie": own, "openmie_": "too"})
    assert of.own_columns(found) == {"openmie__": own, "openmie_": "too"} and of.read_provenance(found) == TOLD


def test_a_second_prediction_replaces_the_first():
    again = of.provenance([{"name": "runs/other"}], "0.1.0")
    (found,) = of.stamp([stamped({"url": "u"})], again)
    assert found.source == {"url": "u", "openmie": again}


def test_a_document_that_no_file_can_hold_ends_no_job():
    bad = Document(id="a", text="Ada").model_copy(update={"text": "x \ud800"})
    assert of.read_provenance(next(of.stamp([bad], TOLD))) == TOLD


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_formats_that_hold_a_source_hold_it(format, tmp_path):
    registry.write([stamped({"url": "u"})], tmp_path / f"a.{format}")
    (found,) = registry.read(tmp_path / f"a.{format}")
    assert of.read_provenance(found) == TOLD


def test_addresses_carry_no_keys():
    assert of.public_address("https://me:secret@h.org:8000/v1?key=secret#secret") == "https://h.org:8000/v1"


def test_hashes_know_the_order_of_nothing_and_every_value():
    assert (
        of.digest({"a": 1, "b": "é"}) == of.digest(json.loads('{"b":"\\u00e9","a":1}')) != of.digest({"a": 1, "b": 2})
    )


def test_the_line_for_people(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796035212")
    told = of.provenance(
        [{"name": "openmie-base", "version": "1.0"}, {"name": "mine", "recipe": "ab"}], "0.1.0", of.now()
    )
    assert of.describe(told) == "openmie-base 1.0 then mine recipe ab, 2026-11-30 10:40 UTC"
