"""What counts as a name, and when two names are equal: the rules by which mentions of several documents are merged.

A mention is a name unless it is a pronoun, or an article, demonstrative or possessive and words in lower case ("the
painter"). Names are compared in Unicode form NFKC without case, with single blanks, without quotation marks and
punctuation at either end, without `#`, `@` and "the" before them and "'s" behind them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_PRONOUNS = """
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours
ourselves they them their theirs themselves who whom whose which this that these those here there one someone
somebody everyone everybody nobody ich du er sie es wir ihr mich dich ihn uns euch ihm ihnen sein seine mein
meine 我 你 您 他 她 它 我们 你们 他们 她们 它们 咱们 自己 这 那 这里 那里 谁 其
本人
"""
PRONOUNS = frozenset(_PRONOUNS.split())
_DETERMINERS = """
the a an this that these those my your his her its our their some any every each another der die das ein eine
einen dem den des
"""
DETERMINERS = frozenset(_DETERMINERS.split())
REMEMBERED = 1 << 15  # names whose form is remembered
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)


@lru_cache(REMEMBERED)
def normalise_name(text: str) -> str:
    """The form in which two names are equal; "" where nothing is left."""
    name = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    name = _POSSESSIVE.sub("", _EDGES.sub("", name))
    name = _EDGES.sub("", name)
    return name.removeprefix("the ") or name


@lru_cache(REMEMBERED)
def is_name(text: str) -> bool:
    """Whether a mention is a name, and no pronoun or description such as "the painter"."""
    words = text.split()
    if not words or not normalise_name(text):
        return False
    if _EDGES.sub("", text.casefold()) in PRONOUNS:
        return False
    described = len(words) > 1 and words[0].casefold() in DETERMINERS
    return not (described and all(word == word.lower() and word.isalpha() for word in words[1:]))


def main_name(texts: Iterable[str]) -> str:
    """The longest name among mentions, the first of equals; "" where none is a name."""
    return max((text for text in texts if is_name(text)), key=len, default="")
