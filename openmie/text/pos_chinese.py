"""Chinese parts of speech by jieba (the extra `zh`).

A run of words of one character each is joined and cut by jieba, and each word takes the tag of the segment that it lies
in. A longer word is tagged by itself; where jieba cuts it, the longest segment decides, of equally long ones the last
(Chinese heads come last).
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from openmie.text.pos_rules import Tagger, Words, rule_based_tag, starts_nominal

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
_MAX_CHARACTERS = 256  # characters that jieba cuts at once: its cost is more than linear where no punctuation stops it


def load_jieba() -> Tagger:
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
    return partial(_tag_words, posseg.dt.cut)


def _tag_words(cut: Callable[[str], Any], words: Words) -> list[str]:
    tags = ["X"] * len(words)
    start = 0
    while start < len(words):
        end = start + 1
        if len(words[start]) == 1 and not rule_based_tag(words[start]):
            while (
                end < min(len(words), start + _MAX_CHARACTERS)
                and len(words[end]) == 1
                and not rule_based_tag(words[end])
            ):
                end += 1
        segments = _tagged_segments(cut, "".join(words[start:end]))
        if end == start + 1:
            tags[start] = max(enumerate(segments), key=lambda p: (len(p[1][0]), p[0]), default=(0, ("", "X")))[1][1]
        else:
            spread = [name for segment, name in segments for _ in segment]
            tags[start:end] = spread if len(spread) == end - start else ["X"] * (end - start)
        start = end
    return tags


def _tagged_segments(cut: Callable[[str], Any], text: str) -> list[tuple[str, str]]:
    """Segments of a text by jieba with their UD tags; 这 and similar words are DET before a nominal, else PRON."""
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
    for i, (segment, _) in enumerate(found):
        if _POINTING.fullmatch(segment):
            found[i] = (segment, "DET" if starts_nominal([name for _, name in found[i + 1 : i + 2]]) else "PRON")
    return found
