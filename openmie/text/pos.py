"""Parts of speech of given words, as the 17 tags of Universal Dependencies: a channel of the heads of Shap-CA (3.6).

    tag([["Messi", "scores", "!"]])                                 -> [("PROPN", "VERB", "PUNCT")]
    name = resolve("en"); tag(texts, lang="en", tagger=name)        a model runs with the tagger it was trained with

Rules come first, alike for all taggers (`rule`): addresses, @names, #tags, numbers, punctuation, emoji. Then

* `spacy:MODEL`: English by default where spaCy and en_core_web_sm, the paper's, are installed; never downloaded,
* `hanta:en`, built in: the Hanover Tagger (Wartena, 2019), a trigram model over morphemes; its British National Corpus
  tags are mapped to UD's. It unpickles the model that its own package ships, named by its full path, and nothing else.
* `jieba:zh` (the extra `zh`): words of one character in a row are joined, cut by jieba, and each takes the tag of the
  piece that it lies in; a longer word is tagged alone, and where jieba cuts it the longest piece counts, of equals the
  last (Chinese heads are last).

Any other language gets X throughout, so that no prediction fails for it; `covers` tells. Nothing is imported before the
first use. Loaded taggers are only read: threads may share them, and a fork may inherit them.
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from html import unescape
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from unicodedata import normalize

from openmie.errors import CorpusError
from openmie.text.pos_rules import rule_based_tag

TAGS: tuple[str, ...] = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
_IDS = {name: i for i, name in enumerate(TAGS, 1)}
_SPACY, _HANTA, _JIEBA = "spacy:en_core_web_sm", "hanta:en", "jieba:zh"
_Words = tuple[str, ...]
_Tagger = Callable[[_Words], Sequence[str]]


def ids(tags: Sequence[str]) -> list[int]:
    """The id of each tag: its place in TAGS, counted from 1; 0 is for none and for padding."""
    return [_IDS.get(name, 0) for name in tags]


def resolve(lang: str = "en") -> str:
    """The tagger that `tag` takes by default for a language, as a name to store; "" where there is none.

    "en-US" and "zh_Hans" are en and zh; a document that does not say its language counts as English.
    """
    code = _language(lang)
    if code == "en":
        return _SPACY if _installed("spacy") and _installed("en_core_web_sm") else _HANTA
    return _JIEBA if code == "zh" else ""


def covers(lang: str) -> bool:
    """Whether `tag` gives more than X for a language, as things are installed here."""
    name = resolve(lang)
    return bool(name) and (name != _JIEBA or _installed("jieba"))


def tag(texts: Sequence[Sequence[str]], lang: str = "", tagger: str = "") -> list[tuple[str, ...]]:
    """One tag of TAGS for each word of each text, whatever the words.

    `lang`: "" for what the tagger is for, English by default.
    `tagger`: a name that `resolve` gave, or several with commas between them, a language each; "" for the default.
    A text in a language that none of them is for gets X throughout. CorpusError: a name that is no tagger, or a tagger
    that is needed and is not installed.
    """
    names = [name.strip() for name in tagger.split(",")] if tagger else [resolve(lang)]
    code = _language(lang) if lang else ""
    fits = [name for name in names if name and code in ("", _tagged(name))]
    if not fits:
        return [("X",) * len(words) for words in texts]
    _load(fits[0])
    return [_cached(fits[0], tuple(words)) for words in texts]


@lru_cache(maxsize=1 << 14)  # a corpus is read again each epoch; texts of some 20 words: about 30 MB when full
def _cached(name: str, words: _Words) -> tuple[str, ...]:
    ruled = [rule_based_tag(word) for word in words]
    if all(ruled):
        return tuple(ruled)
    return tuple(known or guess for known, guess in zip(ruled, _load(name)(words), strict=True))


def _language(lang: str) -> str:
    return re.split("[-_]", lang.strip().lower(), maxsplit=1)[0] or "en"


def _tagged(name: str) -> str:
    """The language that a tagger is for."""
    engine, _, model = name.partition(":")
    if name in (_HANTA, _JIEBA) or (engine == "spacy" and model):
        return model.split("_")[0]
    raise CorpusError(
        f"part-of-speech tagger {name!r}",
        expected=f"{_HANTA}, {_JIEBA} or spacy:MODEL",
        remedy="leave it out for the default of the language",
    )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@lru_cache(maxsize=8)
def _load(name: str) -> _Tagger:
    engine, _, model = name.partition(":")
    try:
        return {"hanta": _load_hanta, "jieba": _load_jieba}[engine]() if engine != "spacy" else _load_spacy(model)
    except (ImportError, OSError) as error:
        install = {"hanta": "pip install hanta", "jieba": "pip install 'openmie[zh]'"}.get(
            engine, f"pip install spacy && python -m spacy download {model}"
        )
        raise CorpusError(
            f"no part-of-speech tagger {name} ({error})",
            expected="it is installed",
            remedy=f"{install}; or retrain with another tagger",
        ) from error


# English -------------------------------------------------------------------------------------------------------------

_C5 = {  # the British National Corpus's tags that HanTa 1.2 emits -> UD; do, have, determiners: see _english_tags
    "ADJ": "AJ0 AJC AJS ORD",
    "ADP": "PRF PRP AVP IN",
    "ADV": "AV0 AVQ",
    "AUX": "VBB VBD VBG VBI VBN VBZ VM0",
    "CCONJ": "CJC",
    "DET": "AT0 DT0 DTQ",
    "INTJ": "ITJ",
    "NOUN": "NN NN0 NN1 NN2",
    "NUM": "CRD",
    "PART": "POS TO0 XX0",
    "PRON": "DPS EX0 PNI PNP PNQ",
    "PROPN": "NP0",
    "PUNCT": "PUL PUN PUQ PUR",
    "SCONJ": "CJS CJT",
    "VERB": "VDB VDD VDG VDI VDN VDZ VHB VHD VHG VHI VHN VHZ VVB VVD VVG VVI VVN VVZ",
    "X": "UNC ZZ0 !!!",
}
_FROM_C5 = {code: name for name, codes in _C5.items() for code in codes.split()}
_SPELLED = {
    "u": "you",
    "ur": "your",
    "r": "are",
    "im": "i",
    "ive": "i",
    "youre": "you",
    "thats": "that",
    "ya": "you",
    "yall": "you",
    "y'all": "you",
    "thx": "thanks",
    "pls": "please",
    "plz": "please",
    "bc": "because",
    "w": "with",
    "w/": "with",
    "b4": "before",
    "2nite": "tonight",
    "tmrw": "tomorrow",
    "ppl": "people",
    "dont": "do",
    "doesnt": "does",
    "didnt": "did",
    "cant": "can",
    "wont": "will",
    "isnt": "is",
    "wasnt": "was",
    "gonna": "going",
    "wanna": "want",
    "gotta": "got",
    "tho": "though",
    "cuz": "because",
    "em": "them",
    "cannot": "can",
}
_OWN = {"today": "NOUN", "tonight": "NOUN", "tomorrow": "NOUN", "yesterday": "NOUN", "pm": "NOUN"}
_CRY = re.compile("lol|lmf?ao|rofl|omg|w[oa]w|yay|(?:ha){2,}h?|yea+h?|yep|nope|nah|hey+|hi|hello|o+h+|aw+|ugh|wtf|hm+")
_AFTER_AT = frozenset(("the", "a", "an", "my", "our", "your", "his", "her", "their", "this", "that", "work", "home"))
_CLITICS = frozenset(("s", "m", "t", "re", "ve", "ll", "d"))
_CONTRACTED = re.compile(r"(\w+?)(?:n't|'(?:s|m|re|ve|ll|d))", re.I)
_STAND_IN = {"PROPN": "John", "NUM": "10", "ADJ": "first", "CCONJ": "and"}  # what HanTa reads for a word told by rule
_LONGEST = 32  # characters of one word that HanTa reads: its cost is quadratic


def _load_hanta() -> _Tagger:
    from HanTa import HanoverTagger

    # by its full path: for a bare name HanTa would rather unpickle a file of that name in the current folder
    model = HanoverTagger.HanoverTagger(str(Path(HanoverTagger.__file__).parent / "morphmodel_en.pgz"))
    return partial(_hanta, model)


def _hanta(model: Any, words: _Words) -> list[str]:
    seen = _english_view(words)
    where = [i for i, text in enumerate(seen) if text]
    kept = [seen[i] for i in where]
    letters = "".join(word for word in words if not rule_based_tag(word))
    cased = any(map(str.islower, letters)) and any(map(str.isupper, letters))  # else case says nothing: a headline
    try:
        codes = model.tag_sent(kept, taglevel=0, casesensitive=cased)
    except (KeyError, IndexError):  # no path through the trigrams: each word by itself
        codes = [model.tag_word(text, casesensitive=cased)[0][0] for text in kept]
    tags = [rule_based_tag(word) for word in words]
    for i, name in zip(where, _english_tags(codes), strict=True):
        tags[i] = tags[i] or _own(words[i], name)
    return _names(words, tags) if cased else tags


def _own(word: str, guess: str) -> str:
    """What the word itself says about its tag, else the guess of its context."""
    if not _latin(word):
        return "X"  # another script: a foreign word
    if guess == "X" and len(word) > 1:  # unclassified: a new word
        guess = "NOUN"
    return "INTJ" if _CRY.fullmatch(word.lower()) else _OWN.get(word.lower(), guess)


def _latin(word: str) -> bool:
    return any("A" <= c <= "ɏ" or "Ḁ" <= c <= "ỿ" for c in normalize("NFKC", word))


def _names(words: _Words, tags: list[str]) -> list[str]:
    """HanTa tags a known noun as a noun where it is part of a name too (Trump, Park).

    A capitalised noun is PROPN beside a capitalised PROPN, or where it alone is all capitals (NBA), or where most words
    of the text are lower case and it does not begin a sentence.
    """

    def shouted(i: int) -> bool:
        return any(word.isupper() and len(word) > 1 for word in (*words[max(0, i - 1) : i], *words[i + 1 : i + 2]))

    capital = [word[:1].isupper() for word in words]
    plain = 2 * sum(capital) < sum(word[:1].isalpha() for word in words)
    for order in (range(len(words)), reversed(range(len(words)))):
        for i in order:
            if capital[i] and tags[i] in ("NOUN", "NUM"):
                beside = {j for j in (i - 1, i + 1) if 0 <= j < len(words) and capital[j] and tags[j] == "PROPN"}
                inside = i > 0 and tags[i - 1] not in ("PUNCT", "SYM", "X")
                if beside or (plain and inside) or (words[i].isupper() and len(words[i]) > 1 and not shouted(i)):
                    tags[i] = "PROPN"
    return tags


def _english_view(words: _Words) -> list[str]:
    """What HanTa reads in place of each word, "" for a word that it does not read."""
    seen = [_english_word(word) for word in words]
    for i, (mark, clitic) in enumerate(pairwise(words)):
        if mark == "@" and clitic.lower() not in _AFTER_AT and not rule_based_tag(clitic):
            seen[i + 1] = "John"
        if i and mark in ("'", "’") and clitic.lower() in _CLITICS:  # cut in three, as corpora of tweets do: don ' t
            seen[i], seen[i + 1] = "", "'" + clitic.lower()
            if clitic.lower() == "t":
                seen[i - 1], seen[i + 1] = seen[i - 1].removesuffix("n") or "n", "n't"
    return seen


@lru_cache(maxsize=1 << 16)
def _english_word(word: str) -> str:
    told, plain = rule_based_tag(word), normalize("NFKC", unescape(word)).strip().replace("’", "'")
    if plain.startswith("#") and told == "X":
        plain = plain[1:]
    elif plain in ("#", "@", "RT", "rt"):
        return ""
    elif told:
        return _STAND_IN.get(told, "." if plain[-1:] in (".", "!", "?") else ",")
    elif not _latin(word):
        return "John"
    plain = _SPELLED.get(plain.lower(), plain)
    if contracted := _CONTRACTED.fullmatch(plain):
        plain = contracted[1]
    return plain if len(plain) <= _LONGEST else plain[0] + plain[1 - _LONGEST :]


def _english_tags(codes: Sequence[str]) -> list[str]:
    """UD has AUX for do before an infinitive and have before a participle, and DET only where a nominal follows."""
    tags = [_FROM_C5.get(code, "X") for code in codes]
    for i, code in enumerate(codes):
        after = [(c, tags[j]) for j, c in enumerate(islice(codes, i + 1, i + 5), i + 1) if c not in ("AV0", "XX0")]
        verb = next((c for c, _ in after if c != "PNP"), "")
        if (code[:2] == "VD" and verb[2:] == "I") or (code[:2] == "VH" and verb in ("VVN", "VBN", "VHN", "VDN")):
            tags[i] = "AUX"
        elif code in ("DT0", "DTQ") and not _nominal([t for _, t in after]):
            whole = code == "DT0" and bool(after) and after[0][0] in ("AT0", "DPS")  # all the, such a
            tags[i] = "DET" if whole else "PRON"
    return tags


def _nominal(tags: Sequence[str]) -> bool:
    return bool(tags) and tags[0] in ("ADJ", "NOUN", "PROPN", "NUM")


def _load_spacy(model: str) -> _Tagger:
    import spacy
    from spacy.tokens import Doc

    return partial(_spacy, spacy.load(model, exclude=["parser", "ner", "lemmatizer"]), Doc)


def _spacy(pipeline: Any, document: Any, words: _Words) -> list[str]:
    """The words stay as they are given: spaCy's own splitting is never used."""
    given = [word.encode("utf8", "replace").decode("utf8") if word.strip() else "," for word in words]
    return [token.pos_ if token.pos_ in _IDS else "X" for token in pipeline(document(pipeline.vocab, words=given))]


# Chinese -------------------------------------------------------------------------------------------------------------

_FLAGS = {  # jieba's flags -> UD; a flag that is not here goes by its first letter, and then X
    "ADJ": "a ag b z",
    "ADP": "f p",
    "ADV": "ad d",
    "AUX": "ug ul uz",
    "CCONJ": "c",
    "INTJ": "e o",
    "NUM": "m",
    "NOUN": "an g l n q s t vn zg",
    "PART": "h k u y",
    "PRON": "r",
    "PROPN": "j nr ns nt nz",
    "VERB": "i v",
    "X": "eng x",
}
_FROM_FLAG = {flag: name for name, flags in _FLAGS.items() for flag in flags.split()}
_CLOSED = {  # words of closed classes where the dictionary's flag misleads
    "AUX": "是 能 会 可以 要 应该 应当 必须 可能 能够 可 须 肯 敢",
    "ADV": "很 较 仍 甚 反 更",
    "PART": "啊 吗 呢 吧 们",
    "SCONJ": "如果 因为 虽然 虽 由于 即使 尽管 只要 除非 若 假如 既然",
    "PRON": "您",
    "ADP": "往 在",
    "VERB": "没有 有",
}
_FROM_CLOSED = {word: name for name, words in _CLOSED.items() for word in words.split()}
_POINTING = re.compile("[这那哪](?:个|些|样|种)?|此|每|各|该|某|任何|所有|一切")
_RUN = 256  # characters that jieba cuts at once: its cost is more than linear where no punctuation stops it


def _load_jieba() -> _Tagger:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as private:
        warnings.simplefilter("ignore")  # its sources predate raw strings for patterns
        import jieba

        jieba.setLogLevel(logging.WARNING)
        jieba.dt.tmp_dir = private  # else it would trust a cache that anybody could have put in the shared one
        try:
            from jieba import posseg

            jieba.dt.check_initialized()
        finally:
            jieba.dt.tmp_dir = None
    return partial(_chinese, posseg.dt.cut)


def _chinese(cut: Callable[[str], Any], words: _Words) -> list[str]:
    tags = ["X"] * len(words)
    start = 0
    while start < len(words):
        end = start + 1
        if len(words[start]) == 1 and not rule_based_tag(words[start]):
            while end < min(len(words), start + _RUN) and len(words[end]) == 1 and not rule_based_tag(words[end]):
                end += 1
        pieces = _pieces(cut, "".join(words[start:end]))
        if end == start + 1:
            tags[start] = max(enumerate(pieces), key=lambda p: (len(p[1][0]), p[0]), default=(0, ("", "X")))[1][1]
        else:
            spread = [name for piece, name in pieces for _ in piece]
            tags[start:end] = spread if len(spread) == end - start else ["X"] * (end - start)
        start = end
    return tags


def _pieces(cut: Callable[[str], Any], text: str) -> list[tuple[str, str]]:
    """jieba's pieces of a text with their UD tags; 这 and its like are DET before a nominal, else PRON."""
    found = [
        (
            pair.word,
            _FROM_CLOSED.get(pair.word)
            or _FROM_FLAG.get(pair.flag)
            or _FROM_FLAG.get(pair.flag[:2])
            or _FROM_FLAG.get(pair.flag[:1], "X"),
        )
        for pair in cut(text)
    ]
    for i, (piece, _) in enumerate(found):
        if _POINTING.fullmatch(piece):
            found[i] = (piece, "DET" if _nominal([name for _, name in found[i + 1 : i + 2]]) else "PRON")
    return found
