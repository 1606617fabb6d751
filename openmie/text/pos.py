"""Parts of speech of given words, as the 17 tags of Universal Dependencies: a channel of the heads of Shap-CA (3.6).

    tag([["Messi", "scores", "!"]])                                 -> [("PROPN", "VERB", "PUNCT")]
    name = resolve("en"); tag(texts, lang="en", tagger=name)        a model runs with the tagger it was trained with

Rules come first, alike for all taggers (`openmie.text.pos_rules`): addresses, @names, #tags, numbers, punctuation,
emoji. The other words are tagged by one of

* `spacy:MODEL` (the extra `pos`): the default for English where spaCy and en_core_web_sm, the paper's, are installed,
* `hanta:en`, built in: the default for English otherwise,
* `jieba:zh` (the extra `zh`): the default for Chinese.

A recipe that names a tagger always gets that one. Any other language gets X for every word, so that no prediction fails
for it; `covers` says so. Nothing is imported before the first use. Loaded taggers are only read: threads may share
them, and a fork may inherit them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

from openmie.errors import CorpusError
from openmie.text.pos_rules import TAGS, Tagger, Words, rule_based_tag

__all__ = ["TAGS", "covers", "ids", "resolve", "tag"]

_IDS = {name: i for i, name in enumerate(TAGS, 1)}
_SPACY, _HANTA, _JIEBA = "spacy:en_core_web_sm", "hanta:en", "jieba:zh"


def ids(tags: Sequence[str]) -> list[int]:
    """The id of each tag: its index in TAGS, from 1; 0 for "" (padding) and unknown tags."""
    return [_IDS.get(name, 0) for name in tags]


def resolve(lang: str = "en") -> str:
    """The name of the default tagger of a language, to be stored with a model.

    Args:
        lang: a language code; "en-US" counts as en, "zh_Hans" as zh, "" as English.

    Returns:
        A name that `tag` accepts; "" where there is no tagger.
    """
    code = _language(lang)
    if code == "en":
        return _SPACY if _installed("spacy") and _installed("en_core_web_sm") else _HANTA
    return _JIEBA if code == "zh" else ""


def covers(lang: str) -> bool:
    """Whether `tag` returns more than X for a language, with what is installed here."""
    name = resolve(lang)
    return bool(name) and (name != _JIEBA or _installed("jieba"))


def tag(texts: Sequence[Sequence[str]], lang: str = "", tagger: str = "") -> list[tuple[str, ...]]:
    """Tag the words of texts.

    Args:
        texts: a sequence of words per text; any words.
        lang: the language of the texts; "": that of the tagger, English by default.
        tagger: a name that `resolve` returned, or several separated by commas, one per language; "": the default.

    Returns:
        One tag of `TAGS` per word. A text in a language that no tagger is for gets X for every word.

    Raises:
        CorpusError: a name that is no tagger, or a tagger that is needed and not installed.
    """
    names = [name.strip() for name in tagger.split(",")] if tagger else [resolve(lang)]
    code = _language(lang) if lang else ""
    fits = [name for name in names if name and code in ("", _tagger_language(name))]
    if not fits:
        return [("X",) * len(words) for words in texts]
    _load(fits[0])
    return [_cached_tags(fits[0], tuple(words)) for words in texts]


@lru_cache(maxsize=1 << 14)  # a corpus is read again each epoch; texts of some 20 words: about 30 MB when full
def _cached_tags(name: str, words: Words) -> tuple[str, ...]:
    ruled = [rule_based_tag(word) for word in words]
    if all(ruled):
        return tuple(ruled)
    return tuple(known or guess for known, guess in zip(ruled, _load(name)(words), strict=True))


def _language(lang: str) -> str:
    return re.split("[-_]", lang.strip().lower(), maxsplit=1)[0] or "en"


def _tagger_language(name: str) -> str:
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
def _load(name: str) -> Tagger:
    engine, _, model = name.partition(":")
    try:
        if engine == "spacy":
            from openmie.text.pos_spacy import load_spacy

            return load_spacy(model)
        if engine == "jieba":
            from openmie.text.pos_chinese import load_jieba

            return load_jieba()
        from openmie.text.pos_english import load_hanta

        return load_hanta()
    except (ImportError, OSError) as error:
        install = {"hanta": "pip install hanta", "jieba": "pip install 'openmie[zh]'"}.get(
            engine, f"pip install 'openmie[pos]' && python -m spacy download {model}"
        )
        raise CorpusError(
            f"no part-of-speech tagger {name} ({error})",
            expected="it is installed",
            remedy=f"{install}; or retrain with another tagger",
        ) from error
