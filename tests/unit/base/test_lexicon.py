"""Types of a small lexicon in WordNet's format, written for this test."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from openmie.base import lexicon


def noun(place: int, file: str, words: str, above: str, gloss: str) -> str:
    names, pointers = words.split(), above.split()
    links = " ".join(f"{p[:-8]} {p[-8:]} n 0000" for p in pointers)
    shown = " ".join(f"{name} 0" for name in names)
    return f"{place:08d} {file} n {len(names):02x} {shown} {len(pointers):03d} {links} | {gloss}  "


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    rows = ["  1 a line of the licence begins with blanks"]
    rows.append(noun(1, "03", "entity", "", "that which is"))
    rows.append(noun(2, "18", "poet", "@00000001", 'a writer of poems; "she is a poet"'))
    rows.append(noun(3, "17", "river stream_of_water", "@00000001", "a large natural stream"))
    rows += [noun(10 + i, "18", f"Poet{i}_Name", "@i00000002", f"poet number {i}") for i in range(9)]
    rows += [noun(30 + i, "17", f"River{i}", "@i00000003", f"river number {i}") for i in range(8)]
    rows.append(noun(50, "18", "River0", "@i00000002", "a poet who is called as a river"))
    (tmp_path / "data.noun").write_text("\n".join(rows) + "\n", "utf8")
    return tmp_path


def test_types_are_senses_with_enough_below_them(folder: Path) -> None:
    found = lexicon.Lexicon(lexicon.read(folder))
    assert set(found.labels) == {"poet", "river"}  # `entity` says nothing
    assert found.labels["river"].texts == ("river", "stream of water", "river: a large natural stream")
    assert found.labels["poet"].coarse == {"person"} and found.labels["poet"].lexical


def test_a_word_may_be_of_all_of_its_senses(folder: Path) -> None:
    found = lexicon.Lexicon(lexicon.read(folder))
    assert found.possible["river0"] == {"poet", "river"}
    words, span = found.span("00000030", "River0", 4)
    assert words == ["River0"] and (span.start, span.end) == (4, 5)
    assert span.labels == {"river"} and span.possible == {"poet", "river"}


def test_definitions_and_enumerations_mark_the_names(folder: Path) -> None:
    words = lexicon.Lexicon(lexicon.read(folder))
    examples = lexicon.build(words, 0, 60)
    assert len(examples) == 60 and set(words.labels) == {"poet", "river"}
    for example in examples:
        assert example.guideline == "lexicon" and not example.annotated
        for span in example.spans:
            name = " ".join(example.words[span.start : span.end])
            assert name.startswith(("Poet", "River")) == bool(span.labels)
    assert any(len(e.spans) > 2 for e in examples) and any("number" in e.words for e in examples)


def test_types_are_drawn_alike_however_many_senses_they_have(folder: Path) -> None:
    """A river's type has eight senses, a poet's ten, and each is half of what is drawn."""
    found = lexicon.Lexicon(lexicon.read(folder))
    drawn = random.Random(0)
    places = [lexicon.draw(found.usable, drawn) for _ in range(600)]
    rivers = sum("river" in found.held(place) for place in places)
    assert 260 < rivers < 340


def test_the_same_seed_draws_the_same(folder: Path) -> None:
    words = lexicon.Lexicon(lexicon.read(folder))
    assert lexicon.build(words, 3, 40) == lexicon.build(words, 3, 40)
    assert lexicon.build(words, 3, 40) != lexicon.build(words, 4, 40)


def test_underscores_are_blanks_and_examples_of_use_are_left_out(folder: Path) -> None:
    found = lexicon.read(folder)
    assert found["00000010"].words == ("Poet0 Name",) and found["00000010"].instance
    assert found["00000002"].gloss == "a writer of poems"
    example = lexicon.Lexicon(found).definition("00000010", random.Random(0))
    assert example.spans[0].end - example.spans[0].start == 2


def test_a_sense_that_is_asked_for_is_a_type_whatever_is_below_it(folder: Path) -> None:
    found = lexicon.Lexicon(lexicon.read(folder), ["00000030", "00000001"])
    assert set(found.labels) == {"poet", "river"}  # a name is none, and "entity" still says nothing
    (folder / "data.noun").write_text(noun(2, "18", "poet", "", "a writer") + "\n", "utf8")
    assert set(lexicon.Lexicon(lexicon.read(folder), ["00000002"]).labels) == {"poet"}


def test_a_sense_is_compatible_with_what_is_above_and_below_it(folder: Path) -> None:
    found = lexicon.Lexicon(lexicon.read(folder))
    assert found.compatible("00000030") == found.compatible("00000003") == {"river"}
    assert found.compatible("00000001") == {"poet", "river"}
    assert lexicon.singular("streams") == ["streams", "stream"] and "party" in lexicon.singular("parties")


def test_senses_go_by_how_frequent_they_are(folder: Path) -> None:
    lines = ["  1 a line of the licence", "poet n 1 1 @ 1 1 00000002", "stream_of_water n 2 1 @ 2 0 00000003 00000001"]
    (folder / "index.noun").write_text("\n".join(lines) + "\n", "utf8")
    assert lexicon.read_order(folder) == {"poet": ["00000002"], "stream of water": ["00000003", "00000001"]}
