"""The unigram tokenizer in plain Python: parity with the tokenizers library, and a slow oracle."""

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.model import packed_e5
from openmie.model.unigram import UnigramTokenizer
from openmie.text.words import split_words

POOLS = (  # scripts and signs that normalize, compose, join or are unknown
    "abcdeABC019.,;:!?'’#@&%$_-/",
    "éèüñçßøæœÅÆ½¼²³ªº°µ",
    "e\u0301 n\u0303 a\u0308 \u0336\u20e3\u20dd",
    "我们在北京的天安门广場國㍿㌀㎏",
    "ｆｕｌｌ～ｱｲ｡、。「」ーサーバー",
    "한국어각\u1100\u1161",
    "نَصٌّﷺشالقاهرة\u0640\u200fأ",
    "עִבְרִית\u05b0\u200f",
    "हिन्दीनमस्तेक़",
    "สวัสดีครับน้ำ",
    "𝒜𝓭𝓪𝟙ⅧﬁℌŁ™©㉑①",
    "🎉👩\u200d👧🏳\ufe0f🌈👍🏽🇮🇹1\ufe0f\u20e3",
    "\u200b\u200c\u00ad\ufeff\u2060\x07\x00\t\xa0\u3000\u2028▁",
)


@pytest.fixture(scope="module")
def real():
    return packed_e5.load()


@pytest.fixture(scope="module")
def ours(real):
    return packed_e5.word_tokenizer(real)


def odd_strings(count, seed=0):
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        pools = draw.sample(POOLS, draw.randint(1, 3))
        made.append("".join(draw.choice(draw.choice(pools)) for _ in range(draw.randint(1, 25))))
    return made


def test_pieces_are_those_of_the_tokenizers_library(real, ours):
    theirs = packed_e5.tokenizer(real)
    strings = odd_strings(600)
    strings += [text[a:b] for text in odd_strings(300, 1) for a, b in split_words(text)]
    expected = theirs(strings, add_special_tokens=False)["input_ids"]
    assert [list(ours(text)) for text in strings] == expected
    assert sum(map(len, expected)) > 5_000 and len({i for ids in expected for i in ids}) > 250


def test_no_text_makes_special_tokens(real, ours):
    assert packed_e5.tokenizer(real)("</s>", add_special_tokens=False)["input_ids"] == [2]
    for name in ("<s>", "</s>", "<pad>", "<unk>", "x</s>y"):
        assert not {0, 1, 2} & {*ours(name)} and len(ours(name)) >= 3


def test_nothing_is_read_of_zero_width_blanks_and_controls(ours):
    assert ours("\u200b") == ours("\x07") == ours("") == ours(" ") == ()
    assert ours("\U000107fe\U000107ff") == (ours.ids["▁"], ours.unknown)  # unknown ones in a row are one


LETTERS = "abc"
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "a", "b", "ab", "ba", "▁ab", "bab", "aab", "▁abb"]


def slow_cut(scores, unknown, text):
    """The best score over every way to cut a text; a character that is no piece may stand alone."""
    if not text:
        return 0.0
    ways = [
        scores[text[:i]] + slow_cut(scores, unknown, text[i:]) for i in range(1, len(text) + 1) if text[:i] in scores
    ]
    if text[0] not in scores:
        ways.append(unknown + slow_cut(scores, unknown, text[1:]))
    return max(ways)


@settings(max_examples=200, deadline=None, database=None)
@given(st.text(LETTERS, min_size=1, max_size=9), st.integers(0, 50))
def test_the_pieces_are_the_likeliest_ones(word, seed):
    draw = random.Random(seed)
    values = [0.0] * 4 + [draw.uniform(-9, -1) for _ in PIECES[4:]]
    special = {"bos": 0, "pad": 1, "eos": 2, "unk": 3}
    small = UnigramTokenizer({p: i for i, p in enumerate(PIECES)}, values, special, {})
    scores = dict(zip(PIECES[4:], values[4:]))
    unknown = min(values) - 10
    found = [PIECES[i] for i in small(word)]
    likely = sum(scores[p] for p in found if p != "<unk>")
    likely += unknown * (len(word) + 1 - sum(len(p) for p in found if p != "<unk>"))
    assert likely == pytest.approx(slow_cut(scores, unknown, "▁" + word))
    assert "".join(p for p in found if p != "<unk>") == "▁" + word.replace("c", "")


def test_a_long_word_takes_linear_time(ours):
    ids = ours("ab" * 50_000)
    assert 10_000 < len(ids) < 100_000


def test_normalization_is_nfkc_but_for_what_the_model_reads_otherwise(ours):
    assert ours.normalize("e\u0301½ﬁ") == unicodedata.normalize("NFKC", "e\u0301½ﬁ")
    assert ours.normalize("Ｎ～Ｎ\x07\u200b") == "N～N "
