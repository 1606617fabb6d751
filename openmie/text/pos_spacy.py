"""Parts of speech by a spaCy pipeline (the extra `pos`); pipelines are never downloaded."""

from __future__ import annotations

from functools import partial
from typing import Any

from openmie.text.pos_rules import TAGS, Tagger, Words


def load_spacy(model: str) -> Tagger:
    """Load the tagger of a pipeline, such as en_core_web_sm. OSError: it is not installed."""
    import spacy
    from spacy.tokens import Doc

    return partial(_tag_words, spacy.load(model, exclude=["parser", "ner", "lemmatizer"]), Doc)


def _tag_words(pipeline: Any, document: Any, words: Words) -> list[str]:
    """The words stay as they are given: spaCy's own tokenizer is not used."""
    given = [word.encode("utf8", "replace").decode("utf8") if word.strip() else "," for word in words]
    return [token.pos_ if token.pos_ in TAGS else "X" for token in pipeline(document(pipeline.vocab, words=given))]
