"""Word splitting: the kinds of words, and the law that every code point but white space lies in exactly one word."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.text.words import split_words
from tests.fixtures.strategies import texts


def words(text: str) -> list[str]:
    return [text[w.start : w.end] for w in split_words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zed met @jack_d (NYC).", ["Zed", "met", "@jack_d", "(", "NYC", ")", "."]),
        ("#Paris2031 rocks!!!", ["#Paris2031", "rocks", "!!!"]),
        ("see https://t.co/ab12. ok", ["see", "https://t.co/ab12", ".", "ok"]),
        ("看http://t.co/abc好的", ["看", "http://t.co/abc", "好", "的"]),
        ("Zora's don't we're O'Neil ’tis", ["Zora", "'s", "don't", "we", "'re", "O'Neil", "’", "tis"]),
        ("Jay-Z at AT&T, U.S. 3,000.5 10:30", ["Jay-Z", "at", "AT&T", ",", "U.S.", "3,000.5", "10:30"]),
        ("a.b@c.org wrote", ["a.b@c.org", "wrote"]),
        ("北京2031年 #大阪", ["北", "京", "2031", "年", "#", "大", "阪"]),
        ("ｱｲ한국어", ["ｱ", "ｲ", "한국어"]),
        ("👨‍👩‍👧‍👦👍🏽😂😂🇫🇷🇩🇪1️⃣❤️🏳️‍🌈", ["👨‍👩‍👧‍👦", "👍🏽", "😂", "😂", "🇫🇷", "🇩🇪", "1️⃣", "❤️", "🏳️‍🌈"]),
        ("Z\u0336o\u0301r 漢\u0301", ["Z\u0336o\u0301r", "漢\u0301"]),
        ("می\u200cخواهم، שלום", ["می\u200cخواهم", "،", "שלום"]),
        ("a\u00a0b\r\nc\u3000d", ["a", "b", "c", "d"]),
        ("\ufeffZed\u200b", ["\ufeff", "Zed", "\u200b"]),
        ("", []),
        (" \r\n\t", []),
    ],
)
def test_kinds(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@settings(max_examples=2000, deadline=None, database=None)
@given(texts | st.text())
def test_every_code_point_in_one_word(text: str) -> None:
    covered = [at for word in split_words(text) for at in range(word.start, word.end)]
    assert covered == [at for at, c in enumerate(text) if not c.isspace()]  # in order, apart, all, nothing else
    assert all(w.start < w.end for w in split_words(text))
    for word in split_words(text):  # a mark opens a word only where nothing stands before it
        if unicodedata.category(text[word.start])[0] == "M":
            assert word.start == 0 or text[word.start - 1].isspace()


PIECES = (".a", "a.b-", "a@", "www.", "http://.", "#", "x", "1,", "'", "\u0301", "👍\u200d", "a.b@c")


@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(piece: str) -> None:
    def seconds(times: int) -> float:
        """Of this process, the least of five: what else the machine does must not count."""
        taken = []
        for _ in range(5):
            began = time.process_time()
            split_words(piece * times)
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(40_000) < max(100 * seconds(2_000), 1.0)  # quadratic would be 400 times
