"""Coreference of names by their words."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from openmie.base.name_chains import chains_of, name_words


class Name(NamedTuple):
    start: int
    end: int
    label: str


def chains(text: str, *names: tuple[str, str]) -> list[list[str]]:
    found, at = [], 0
    for name, label in names:
        at = text.index(name, at)
        found.append(Name(at, at + len(name), label))
        at += len(name)
    return [[text[found[i].start : found[i].end] for i in chain] for chain in chains_of(text, found)]


def test_a_surname_is_the_person_named_before() -> None:
    text = "Ada Lovelace met Charles Babbage. Lovelace wrote, Babbage built."
    names = [("Ada Lovelace", "PER"), ("Charles Babbage", "PER"), ("Lovelace", "PER"), ("Babbage", "PER")]
    assert chains(text, *names) == [["Ada Lovelace", "Lovelace"], ["Charles Babbage", "Babbage"]]


def test_a_shared_surname_is_the_last_one_named() -> None:
    text = "Ann Byron, then Ada Byron. Byron left."
    names = [("Ann Byron", "PER"), ("Ada Byron", "PER"), ("Byron", "PER")]
    assert chains(text, *names) == [["Ada Byron", "Byron"]]


@pytest.mark.parametrize(
    ("first", "second"),
    [("World Health Organization", "WHO"), ("University of New Turin", "UNT"), ("Acme Inc.", "Acme"),
     ("The Blue Band", "Blue Band")],
)  # fmt: skip
def test_organizations_are_known_by_initials_and_without_legal_forms(first: str, second: str) -> None:
    assert chains(f"{first} and {second}", (first, "ORG"), (second, "ORG")) == [[first, second]]
    assert chains(f"{second} and {first}", (second, "ORG"), (first, "ORG")) == [[second, first]]


def test_labels_case_accents_titles_and_possessives() -> None:
    assert chains("José and JOSE", ("José", "PER"), ("JOSE", "PER")) == [["José", "JOSE"]]
    assert chains("Turin the place, Turin the club", ("Turin", "LOC"), ("Turin", "ORG")) == []
    names = ("Dr. Ada Byron", "Byron's")
    assert chains(" ... ".join(names), *((name, "PER") for name in names)) == [list(names)]


def test_names_in_any_script_and_names_of_no_letters() -> None:
    assert chains("王明到了。王明说", ("王明", "PER"), ("王明", "PER")) == [["王明", "王明"]]
    assert chains("🎉 and 🎉 and ✨", ("🎉", "MISC"), ("🎉", "MISC"), ("✨", "MISC")) == [["🎉", "🎉"]]
    assert name_words("Mr", "PER") == ("mr",)  # a title alone is its own name


def test_the_order_of_the_mentions_does_not_matter() -> None:
    text = "Ada Lovelace. Lovelace. Turin. Turin."
    names = [Name(0, 12, "PER"), Name(14, 22, "PER"), Name(24, 29, "LOC"), Name(31, 36, "LOC")]
    assert chains_of(text, names) == [[0, 1], [2, 3]]
    assert chains_of(text, names[::-1]) == [[2, 3], [0, 1]]
    assert chains_of("", []) == []
