"""Parts of speech: one tag a word whatever the words, easy sentences as anybody would tag them, and which tagger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.errors import CorpusError
from openmie.text import pos, pos_chinese, pos_english
from openmie.text.pos_rules import rule_based_tag

HANTA, JIEBA = "hanta:en", "jieba:zh"
ODD = [
    "",
    " ",
    "\u200d",
    "\ufe0f",
    "\u0301",
    "\ud800",
    "\x00",
    "'",
    "’",
    "t",
    "n",
    "&nbsp;",
    "&amp;",
    "#",
    "@",
    "RT",
    "@a",
    "#b",
    "👩‍👩‍👧‍👦",
    "🇫🇷",
    "1️⃣",
    "ß",
    "ﬁ",
    "ﷺ",
    "שלום",
    "مرحبا",
    "नमस्ते",
    "日本",
    "𝐁𝐨𝐥𝐝",
    "a" * 5000,
    "中" * 600,
    "½",
    "n't",
]
words = st.lists(
    st.one_of(
        st.sampled_from(ODD),
        st.text(max_size=8),
        st.text(alphabet="aStn'@#.:1中 ", max_size=5),
        st.characters(codec=None),
    ),
    max_size=9,
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    pos._load.cache_clear()
    pos._cached_tags.cache_clear()


def english(text: str) -> str:
    return " ".join(pos.tag([text.split()], "en", HANTA)[0])


def test_tags_are_the_seventeen_and_the_channel_has_a_row_for_each() -> None:
    from openmie.nn.decode.channels import Channels

    assert len(pos.TAGS) == 17 and list(pos.TAGS) == sorted(set(pos.TAGS))
    assert Channels().num_tags == len(pos.TAGS) + 1
    assert pos.ids(pos.TAGS) == list(range(1, 18)) and pos.ids(["", "nothing"]) == [0, 0] and pos.ids([]) == []


@pytest.mark.parametrize(
    "tables",
    [
        (pos_english._FROM_C5, pos_english._C5),
        (pos_chinese._FROM_FLAG, pos_chinese._FLAGS),
        (pos_chinese._FROM_CLOSED, pos_chinese._CLOSED),
    ],
)
def test_a_table_maps_each_tag_once_and_to_a_tag(tables: tuple[dict[str, str], dict[str, str]]) -> None:
    found, table = tables
    assert set(found.values()) <= set(pos.TAGS)
    assert len(found) == sum(len(names.split()) for names in table.values())


def test_every_tag_that_hanta_emits_is_mapped() -> None:
    model: Any = pos._load(HANTA).args[0]  # type: ignore[attr-defined]
    assert {model.int2tag[number] for number in model.LP_wtag} == set(pos_english._FROM_C5)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, max_size=3))
def test_one_tag_a_word_whatever_the_words_in_english(texts: list[list[str]]) -> None:
    found = pos.tag(texts, "en", HANTA)
    assert [len(tags) for tags in found] == [len(text) for text in texts]
    assert {name for tags in found for name in tags} <= set(pos.TAGS)
    assert all(
        name == rule_based_tag(word)
        for text, tags in zip(texts, found)
        for word, name in zip(text, tags)
        if rule_based_tag(word)
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(words, max_size=3))
def test_one_tag_a_word_whatever_the_words_in_chinese(texts: list[list[str]]) -> None:
    pytest.importorskip("jieba", reason="jieba, of the extra zh, is not installed")
    found = pos.tag(texts, "zh", JIEBA)
    assert [len(tags) for tags in found] == [len(text) for text in texts]
    assert {name for tags in found for name in tags} <= set(pos.TAGS)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("https://t.co/Ab1", "X"),
        ("http", "X"),
        ("www.example.org", "X"),
        ("bit.ly/2x", "X"),
        ("a.b@example.com", "X"),
        ("#MondayMood", "X"),
        ("RT", "X"),
        ("", "X"),
        (" \t", "X"),
        ("\u200b", "X"),
        ("\ufe0f", "X"),
        ("@anna_k", "PROPN"),
        ("#", "SYM"),
        ("@", "SYM"),
        ("%", "SYM"),
        ("$", "SYM"),
        ("🎉", "SYM"),
        ("👩‍👩‍👧‍👦", "SYM"),
        ("🇫🇷", "SYM"),
        ("1️⃣", "SYM"),
        ("👍🏽", "SYM"),
        ("❤️", "SYM"),
        ("\U0001faff", "SYM"),
        (":)", "SYM"),
        (":-D", "SYM"),
        ("<3", "SYM"),
        ("^_^", "SYM"),
        ("&", "CCONJ"),
        ("&amp;", "CCONJ"),
        (".", "PUNCT"),
        ("...", "PUNCT"),
        ("…", "PUNCT"),
        ("?!", "PUNCT"),
        ("“", "PUNCT"),
        ("''", "PUNCT"),
        ("`", "PUNCT"),
        ("、", "PUNCT"),
        ("-", "PUNCT"),
        ("7", "NUM"),
        ("2017", "NUM"),
        ("3-2", "NUM"),
        ("1,000.50", "NUM"),
        ("19:30", "NUM"),
        ("12/05/2017", "NUM"),
        ("$75", "NUM"),
        ("50%", "NUM"),
        ("½", "NUM"),
        ("٣", "NUM"),
        ("#1", "NUM"),
        ("1st", "ADJ"),
        ("22nd", "ADJ"),
        ("110th", "ADJ"),
        ("Trump", ""),
        ("don't", ""),
        ("U.S.", ""),
        ("a", ""),
        ("日", ""),
    ],
)
def test_rules(word: str, expected: str) -> None:
    assert rule_based_tag(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The old man bought two red apples .", "DET ADJ NOUN VERB NUM ADJ NOUN PUNCT"),
        ("She has never seen Paris .", "PRON AUX ADV VERB PROPN PUNCT"),
        ("They have a house in London", "PRON VERB DET NOUN ADP PROPN"),
        ("Do you like it ?", "AUX PRON VERB PRON PUNCT"),
        ("We did the work and he did not help", "PRON VERB DET NOUN CCONJ PRON AUX PART VERB"),
        ("This is my dog", "PRON AUX PRON NOUN"),
        ("This dog wants to eat", "DET NOUN VERB PART VERB"),
        ("John 's sister must go now", "PROPN PART NOUN AUX VERB ADV"),
        ("I know that he won because he ran quickly", "PRON VERB SCONJ PRON VERB SCONJ PRON VERB ADV"),
        ("Barack Obama met Donald Trump in Barlow Park", "PROPN PROPN VERB PROPN PROPN ADP PROPN PROPN"),
        ("I don ' t know", "PRON AUX PUNCT PART VERB"),
        ("He won ’ t come", "PRON AUX PUNCT PART VERB"),
        ("I don't know", "PRON AUX VERB"),
        ("It ' s cold today", "PRON PUNCT AUX ADJ NOUN"),
        ("u dont know", "PRON AUX VERB"),
        ("RT @ anna : wow , all my friends won ! 🎉", "X SYM PROPN PUNCT INTJ PUNCT DET PRON NOUN VERB PUNCT SYM"),
        ("@anna loves # London https://t.co/x", "PROPN VERB SYM PROPN X"),
        ("He works for NASA in Houston", "PRON VERB ADP PROPN ADP PROPN"),
        ("THE MAN BOUGHT A HOUSE", "DET NOUN VERB DET NOUN"),
        ("He sent the слово to 東京", "PRON VERB DET X ADP X"),
    ],
)
def test_easy_english_sentences(text: str, expected: str) -> None:
    assert english(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (list("我爱北京天安门。"), "PRON VERB PROPN PROPN PROPN PROPN PROPN PUNCT"),
        (list("他在学校学习"), "PRON ADP NOUN NOUN VERB VERB"),
        (list("这是我的狗"), "PRON AUX PRON PART NOUN"),
        (["他", "非常", "喜欢", "上海", "，", "因为", "2017"], "PRON ADV VERB PROPN PUNCT SCONJ NUM"),
        (["北京大学", "的", "学生们", "🎉"], "PROPN PART NOUN SYM"),
        (["我", "用", "blorfix", "مرحبا"], "PRON ADP X X"),
    ],
)
def test_easy_chinese_sentences(text: list[str], expected: str) -> None:
    pytest.importorskip("jieba", reason="jieba, of the extra zh, is not installed")
    assert " ".join(pos.tag([text], "zh")[0]) == expected


def test_a_word_tagged_alone_goes_by_its_longest_piece_the_last_of_equals() -> None:
    cut = {"abcde": [("abc", "v"), ("de", "n")], "wxyz": [("wx", "v"), ("yz", "n")]}

    def fake(text: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(word=word, flag=flag) for word, flag in cut[text]]

    assert pos_chinese._tag_words(fake, ("abcde", "wxyz")) == ["VERB", "NOUN"]


def test_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pos, "_installed", lambda name: False)
    assert [pos.resolve(lang) for lang in ("", "en", "EN-us", "zh", "zh_Hans", "fr", "english?")] == [
        HANTA,
        HANTA,
        HANTA,
        JIEBA,
        JIEBA,
        "",
        "",
    ]
    assert [pos.covers(lang) for lang in ("", "en", "zh", "fr")] == [True, True, False, False]
    monkeypatch.setattr(pos, "_installed", lambda name: True)
    assert pos.resolve("en") == "spacy:en_core_web_sm" and pos.covers("zh")
    monkeypatch.setattr(pos, "_installed", lambda name: name == "spacy")
    assert pos.resolve("en") == HANTA, "spaCy without its model is not used, and nothing is downloaded"


def test_a_language_without_a_tagger_gets_x_and_no_error() -> None:
    assert pos.tag([["Guten", "Tag"], []], "de") == [("X", "X"), ()]
    assert pos.tag([["Guten", "Tag"]], "de", HANTA) == [("X", "X")], "the model never learnt the tags of this language"
    assert pos.tag([], "de") == [] and pos.tag([[]]) == [()]


def test_several_taggers_a_language_each() -> None:
    pytest.importorskip("jieba", reason="jieba, of the extra zh, is not installed")
    both = f"{HANTA}, {JIEBA}"
    assert pos.tag([["the"]], "en", both) == [("DET",)]
    assert pos.tag([["北京"]], "zh", both) == pos.tag([["北京"]], "", JIEBA) == [("PROPN",)]


@pytest.mark.parametrize("name", ["hanta:de", "spacy", "spacy:", "nltk", "hanta:en,other:en", "HANTA:en"])
def test_an_unknown_tagger_is_an_error(name: str) -> None:
    with pytest.raises(CorpusError, match="Expected hanta:en, jieba:zh or spacy:MODEL"):
        pos.tag([], "en", name)


@pytest.mark.parametrize(
    ("name", "module", "remedy"),
    [
        (HANTA, "HanTa", "pip install hanta"),
        (JIEBA, "jieba", r"pip install 'openmie\[zh\]'"),
        ("spacy:en_core_web_sm", "spacy", "python -m spacy download en_core_web_sm"),
    ],
)
def test_a_tagger_that_is_not_installed_says_how_to_install_it(
    name: str, module: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pos._load.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match=remedy):
        pos.tag([], "", name)
    monkeypatch.undo()


def stub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A spaCy of our own, in its place: title-case words are PROPN, "?" is a tag that UD does not have."""
    calls: list[tuple[str, ...]] = []
    modules = {name: ModuleType(name) for name in ("spacy", "spacy.tokens", "en_core_web_sm")}
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)

    def pipeline(given: tuple[str, ...]) -> list[SimpleNamespace]:
        calls.append(given)
        return [SimpleNamespace(pos_="PROPN" if w.istitle() else "SPACE" if w == "gap" else "NOUN") for w in given]

    def load(model: str, exclude: list[str]) -> object:
        if model != "en_core_web_sm":
            raise OSError(f"can't find model {model}")
        calls.append((model, *exclude))
        pipeline.vocab = "vocab"  # type: ignore[attr-defined]
        return pipeline

    def document(vocab: str, words: list[str]) -> tuple[str, ...]:
        assert vocab == "vocab"
        return tuple(words)

    modules["spacy"].load = load  # type: ignore[attr-defined]
    modules["spacy.tokens"].Doc = document  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    pos._load.cache_clear()
    pos._cached_tags.cache_clear()
    return calls


def test_spacy_is_preferred_and_gets_the_words_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stub(monkeypatch)
    assert pos.resolve("en") == "spacy:en_core_web_sm"
    text = ["Ann", "don't", "gap", "", "\ud800s", "@Bob", "🎉"]
    assert pos.tag([text, text]) == [("PROPN", "NOUN", "X", "X", "NOUN", "PROPN", "SYM")] * 2
    assert calls == [
        ("en_core_web_sm", "parser", "ner", "lemmatizer"),
        ("Ann", "don't", "gap", ",", "?s", "@Bob", "🎉"),
    ]
    assert pos.tag([["Ann"]], "en", HANTA) == [("PROPN",)] and len(calls) == 2, "a name forces its tagger"
    with pytest.raises(CorpusError, match="spacy download de_core_news_sm"):
        pos.tag([["Tag"]], "de", "spacy:de_core_news_sm")


def test_a_real_spacy_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is the user's to install")
    blank = spacy.blank("en")
    blank.add_pipe("attribute_ruler").add([[{"LOWER": "the"}]], {"POS": "DET"})
    monkeypatch.setattr(spacy, "load", lambda model, exclude: blank)
    pos._load.cache_clear()
    assert pos.tag([["The", "don't", "", "x y", "."]], "en", "spacy:en_blank") == [("DET", "X", "X", "X", "PUNCT")]
    assert [len(tags) for tags in pos.tag([ODD], "en", "spacy:en_blank")] == [len(ODD)]


def test_deterministic_across_calls_threads_and_processes() -> None:
    texts = [
        f"The {a} man from {b} saw Grelbo {a} times".split() for a in ("old", "two", "zorfish") for b in ("Rome", "us")
    ]
    expected = pos.tag(texts, "en", HANTA)
    pos._cached_tags.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: pos.tag(texts, "en", HANTA), range(8)):
            assert found == expected
    code = f"import json; from openmie.text import pos; print(json.dumps(pos.tag({texts!r}, 'en', {HANTA!r})))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert [tuple(tags) for tags in json.loads(out)] == expected


def test_a_model_file_in_the_current_folder_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HanTa would unpickle it."""
    (tmp_path / "morphmodel_en.pgz").write_bytes(b"not a model")
    monkeypatch.chdir(tmp_path)
    pos._load.cache_clear()
    assert english("the dog") == "DET NOUN"


def test_importing_it_imports_no_tagger_and_jieba_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import sys, os, tempfile\nfrom openmie.text import pos\n"
        "assert pos.resolve('en') and not pos.covers('fr')\n"
        "assert not {'spacy', 'HanTa', 'jieba', 'torch', 'numpy'} & set(sys.modules)\n"
        "if pos.covers('zh'):\n    pos.tag([['中国']], 'zh')\nassert 'torch' not in sys.modules\n"
        "assert not os.listdir(tempfile.gettempdir()), os.listdir(tempfile.gettempdir())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3]), "PATH": ""},
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.real
def test_real_posts_are_tagged_with_all_but_a_few_words_known(corpora: Path) -> None:
    from openmie.datasets import twitter

    documents = list(twitter.load_twitter(corpora / "twitter2017").dev)[:300]
    texts = [[d.text[w.start : w.end] for w in d.words] for d in documents]
    found = pos.tag(texts, "en", HANTA)
    assert [len(tags) for tags in found] == [len(text) for text in texts]
    flat = [name for tags in found for name in tags]
    assert set(flat) >= set(pos.TAGS) - {"INTJ"} and flat.count("X") < 0.05 * len(flat)
