"""Types that sentences say of their names, with a small lexicon that is written for this test."""

from __future__ import annotations

import pytest

from openmie.base.described import Nouns, count, described, noun_of
from openmie.base.examples import Example, Span
from openmie.base.lexicon import Lexicon, Synset


def sense(words: str, file: str, *above: str, instance: bool = False) -> Synset:
    return Synset(tuple(words.split("|")), f"what {words} is", above, file, instance)


SYNSETS = {
    "1": sense("organization", "14"),
    "2": sense("party|political party", "14", "1"),
    "3": sense("party", "11"),
    "4": sense("writer", "18"),
    "5": sense("poet", "18", "4"),
    "6": sense("tennis player", "18"),
    "7": sense("player", "18"),
    "8": sense("Great Party", "14", "2", instance=True),
}
ORDER = {
    "party": ["3", "2"], "political party": ["2"], "poet": ["5"], "writer": ["4"], "tennis player": ["6"],
    "player": ["7"], "great party": ["8"], "organization": ["1"],
}  # fmt: skip
NOUNS = Nouns(SYNSETS, ORDER)
LEXICON = Lexicon(SYNSETS, ["2", "4", "5"])


def found(text: str, start: int, end: int, *coarse: str) -> str | None:
    return noun_of(text.split(), Span(start=start, end=end, labels=frozenset(), coarse=frozenset(coarse)), NOUNS)


@pytest.mark.parametrize(
    "text, end, coarse, place",
    [
        ("Ada is a French poet and a spy", 1, "person", "5"),
        ("Ada , a poet who sings", 1, "person", "5"),
        ("Ada was the tennis player of the year", 1, "person", "6"),  # two words before one
        ("Ada is a party of one", 1, "person", None),  # no person
        ("Ada is a poet", 1, "person", None),  # no end of the noun phrase within the sentence
        ("Ada sang , a poet said .", 1, "person", None),  # not directly behind
        ("the Liberal Party won", 3, "organization", "2"),  # the sense of its kind
        ("the Liberal Party won", 3, "event", "3"),
        ("the Liberal Party won", 3, "", None),  # its kind is not known
        ("the Party of Reform won", 4, "organization", "2"),
        ("the Great Party won", 3, "organization", "2"),  # a name is no noun
        ("Ada Party", 2, "person", None),  # persons are not what their names say
        ("the Parties", 2, "organization", "2"),
    ],
)
def test_nouns_of_names(text: str, end: int, coarse: str, place: str | None) -> None:
    start = 1 if text.startswith("the") else 0
    if text == "the Parties":
        start = 0
    assert found(text, start, end, *filter(None, [coarse])) == place


def test_a_name_has_the_noun_and_all_types_above_it() -> None:
    span = Span(start=0, end=1, labels=frozenset({"person"}), coarse=frozenset({"person"}))
    example = Example(words=("Ada", "is", "a", "poet", "."), spans=(span,))
    assert count([example], NOUNS) == {"5": 1}
    (after,) = described([example], NOUNS, LEXICON, {"person"})
    assert after.spans[0].labels == {"person", "poet", "writer"}
    assert after.spans[0].possible is None  # a poet may be a player, too
    (after,) = described([example], NOUNS, LEXICON, {"person", "writer"})
    assert after.spans[0].labels == {"person", "poet"}  # what corpora annotate is theirs to say


def test_the_noun_narrows_what_a_name_may_be() -> None:
    span = Span(start=1, end=3, labels=frozenset(), coarse=frozenset({"event", "work"}))
    example = Example(words=("the", "Garden", "Party", "ended"), spans=(span,))
    (after,) = described([example], NOUNS, LEXICON, frozenset())
    assert after.spans[0].coarse == {"event"} and after.spans[0].possible == frozenset()  # of the types here, none
    plain = Example(words=("we", "met", "there"), spans=(Span(start=0, end=1, labels=frozenset()),))
    assert described([plain], NOUNS, LEXICON, frozenset()) == [plain]


def test_what_a_relation_says_of_a_name_excludes_other_types_of_the_lexicon() -> None:
    span = Span(start=0, end=1, labels=frozenset({"organization", "party"}), coarse=frozenset({"organization"}))
    (after,) = described([Example(words=("PSOE", "won"), spans=(span,))], NOUNS, LEXICON, {"organization"})
    assert after.spans[0].possible == {"organization", "party"} and after.spans[0].labels == span.labels
    poet = Span(start=0, end=1, labels=frozenset({"poet"}), coarse=frozenset({"person"}))
    assert described([Example(words=("Ada",), spans=(poet,))], NOUNS, LEXICON, frozenset())[0].spans == (poet,)
