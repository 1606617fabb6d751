"""English parts of speech by HanTa, and what tweets need besides: spelling, clitics, names, contractions.

The Hanover Tagger (Wartena, 2019) is a trigram model over morphemes. Its British National Corpus tags are mapped to
those of Universal Dependencies. It unpickles the model that its own package ships, named by its full path, and nothing
else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from unicodedata import normalize

from openmie.text.character_references import unescape
from openmie.text.pos_rules import Tagger, Words, rule_based_tag, starts_nominal

_C5 = {  # the British National Corpus's tags that HanTa 1.2 emits -> UD; do, have, determiners: see _universal_tags
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
_TIME_WORDS = {"today": "NOUN", "tonight": "NOUN", "tomorrow": "NOUN", "yesterday": "NOUN", "pm": "NOUN"}
_INTERJECTION = re.compile(
    "lol|lmf?ao|rofl|omg|w[oa]w|yay|(?:ha){2,}h?|yea+h?|yep|nope|nah|hey+|hi|hello|o+h+|aw+|ugh|wtf|hm+"
)
_AFTER_AT = frozenset(("the", "a", "an", "my", "our", "your", "his", "her", "their", "this", "that", "work", "home"))
_CLITICS = frozenset(("s", "m", "t", "re", "ve", "ll", "d"))
_CONTRACTED = re.compile(r"(\w+?)(?:n't|'(?:s|m|re|ve|ll|d))", re.I)
_STAND_IN = {"PROPN": "John", "NUM": "10", "ADJ": "first", "CCONJ": "and"}  # what HanTa reads for a word tagged by rule
_MAX_CHARACTERS = 32  # characters of one word that HanTa reads: its cost is quadratic


def load_hanta() -> Tagger:
    from HanTa import HanoverTagger

    # by its full path: for a bare name HanTa would rather unpickle a file of that name in the current folder
    model = HanoverTagger.HanoverTagger(str(Path(HanoverTagger.__file__).parent / "morphmodel_en.pgz"))
    return partial(_tag_words, model)


def _tag_words(model: Any, words: Words) -> list[str]:
    seen = _normalised_words(words)
    where = [i for i, text in enumerate(seen) if text]
    kept = [seen[i] for i in where]
    letters = "".join(word for word in words if not rule_based_tag(word))
    cased = any(map(str.islower, letters)) and any(map(str.isupper, letters))  # else case says nothing: a headline
    try:
        codes = model.tag_sent(kept, taglevel=0, casesensitive=cased)
    except (KeyError, IndexError):  # no path through the trigrams: each word by itself
        codes = [model.tag_word(text, casesensitive=cased)[0][0] for text in kept]
    tags = [rule_based_tag(word) for word in words]
    for i, name in zip(where, _universal_tags(codes), strict=True):
        tags[i] = tags[i] or _word_tag(words[i], name)
    return _mark_names(words, tags) if cased else tags


def _word_tag(word: str, guess: str) -> str:
    """What the word itself says about its tag, else the guess of its context."""
    if not _is_latin(word):
        return "X"  # another script: a foreign word
    if guess == "X" and len(word) > 1:  # unclassified: a new word
        guess = "NOUN"
    return "INTJ" if _INTERJECTION.fullmatch(word.lower()) else _TIME_WORDS.get(word.lower(), guess)


def _is_latin(word: str) -> bool:
    return any("A" <= c <= "ɏ" or "Ḁ" <= c <= "ỿ" for c in normalize("NFKC", word))


def _mark_names(words: Words, tags: list[str]) -> list[str]:
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


def _normalised_words(words: Words) -> list[str]:
    """What HanTa reads in place of each word, "" for a word that it does not read."""
    seen = [_normalised_word(word) for word in words]
    for i, (mark, clitic) in enumerate(pairwise(words)):
        if mark == "@" and clitic.lower() not in _AFTER_AT and not rule_based_tag(clitic):
            seen[i + 1] = "John"
        if i and mark in ("'", "’") and clitic.lower() in _CLITICS:  # cut in three, as corpora of tweets do: don ' t
            seen[i], seen[i + 1] = "", "'" + clitic.lower()
            if clitic.lower() == "t":
                seen[i - 1], seen[i + 1] = seen[i - 1].removesuffix("n") or "n", "n't"
    return seen


@lru_cache(maxsize=1 << 16)
def _normalised_word(word: str) -> str:
    ruled, plain = rule_based_tag(word), normalize("NFKC", unescape(word)).strip().replace("’", "'")
    if plain.startswith("#") and ruled == "X":
        plain = plain[1:]
    elif plain in ("#", "@", "RT", "rt"):
        return ""
    elif ruled:
        return _STAND_IN.get(ruled, "." if plain[-1:] in (".", "!", "?") else ",")
    elif not _is_latin(word):
        return "John"
    plain = _SPELLED.get(plain.lower(), plain)
    if contracted := _CONTRACTED.fullmatch(plain):
        plain = contracted[1]
    return plain if len(plain) <= _MAX_CHARACTERS else plain[0] + plain[1 - _MAX_CHARACTERS :]


def _universal_tags(codes: Sequence[str]) -> list[str]:
    """UD has AUX for do before an infinitive and have before a participle, and DET only where a nominal follows."""
    tags = [_FROM_C5.get(code, "X") for code in codes]
    for i, code in enumerate(codes):
        after = [(c, tags[j]) for j, c in enumerate(islice(codes, i + 1, i + 5), i + 1) if c not in ("AV0", "XX0")]
        verb = next((c for c, _ in after if c != "PNP"), "")
        if (code[:2] == "VD" and verb[2:] == "I") or (code[:2] == "VH" and verb in ("VVN", "VBN", "VHN", "VDN")):
            tags[i] = "AUX"
        elif code in ("DT0", "DTQ") and not starts_nominal([t for _, t in after]):
            whole = code == "DT0" and bool(after) and after[0][0] in ("AT0", "DPS")  # all the, such a
            tags[i] = "DET" if whole else "PRON"
    return tags
