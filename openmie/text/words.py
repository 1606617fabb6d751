"""Words of raw text: one regular expression, read left to right.

In order of preference a word is: a URL, an e-mail address, a hashtag or @name, an emoji sequence (skin tones, ZWJ
families, flags and keycaps are one word), a number, an abbreviation (U.S.), a run of letters with inner hyphens and
apostrophes (the English clitics 's 're 've 'll 'd 'm are tokens of their own, so that a name keeps its own boundary),
one CJK character, a run of one punctuation mark, any other code point. Marks, joiners and variation selectors stay with
what they follow. Every code point that is not white space lies in exactly one word, and no word holds white space.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from openmie.data.document import Word

# Han with its extensions, kana, bopomofo; Hangul is written with blanks and stays whole
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u30ff\u3105-\u312f\u3190-\u319f"
    "\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U000323af"
)
_CJK_PUNCTUATION = "\u3001-\u3004\u3008-\u3020\uff01\uff02\uff04-\uff0f\uff1a-\uff1f\uff3b-\uff40\uff5b-\uff65"
_PICTURE = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)
_FLAG, _SKIN, _TAG = "\U0001f1e6-\U0001f1ff", "\U0001f3fb-\U0001f3ff", "\U000e0020-\U000e007f"
_JOINERS = "\u00ad\u200c\u200d\u2060"  # soft hyphen, ZWNJ, ZWJ, word joiner


@cache
def _pattern() -> re.Pattern[str]:
    extend = f"[{_marks()}{_JOINERS}]*"
    letter = rf"(?:(?![{_CJK}{_PICTURE}])\w{extend})"
    emoji = rf"[{_PICTURE}{_SKIN}][\ufe0e\ufe0f]?[{_SKIN}]?[{_TAG}]*"
    url = r"(?:https?://|www\.)[!-~]*[\w/=&#%+$~*-]"
    clitic = r"(?<=\w)['’](?:s|re|ve|ll|d|m|S|RE|VE|LL|D|M)(?!\w)"
    inner = rf"(?!{clitic})['’‐‑&-]{letter}+"
    kinds = (
        rf"(?a:{url})",
        r"(?a:[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]+)+)",
        rf"[#＃@＠]{letter}+",
        rf"[{_FLAG}]{{2}}",
        r"[0-9#*]\ufe0f?\u20e3",
        rf"{emoji}(?:\u200d{emoji})*",
        r"(?<!\w)(?:[^\W\d_]\.){2,}(?:[^\W\d_](?!\w))?",
        r"\d+(?:[.,:/]\d+)+",
        clitic,
        rf"{letter}+(?:{inner})*",
        rf"[{_CJK}]",
        r"([^\w\s])\1*",
        r"\S",
    )
    return re.compile(f"(?:{'|'.join(kinds)}){extend}")


def _marks() -> str:
    """All combining marks, as ranges of a character class; planes 2 to 13 have none."""
    runs: list[list[int]] = []
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(code))[0] == "M":
            if runs and runs[-1][1] == code - 1:
                runs[-1][1] = code
            else:
                runs.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in runs)


@cache
def _cjk() -> re.Pattern[str]:
    return re.compile(f"[{_CJK}{_CJK_PUNCTUATION}]")


def begins_with_cjk(word: str) -> bool:
    """Whether a word begins with a character that is written without blanks: Han, kana, bopomofo, their punctuation."""
    return _cjk().match(word) is not None


def split_words(text: str) -> tuple[Word, ...]:
    """The words of `text` as half-open code-point offsets, in order."""
    return tuple(Word(*m.span()) for m in _pattern().finditer(text))
