"""A tokenizer whose pieces are single characters, with the vocabulary of a training text.

MiniLM's vocabulary has few Chinese characters; a text encoder that starts from nothing can have all that it will learn.
A piece is one code point, so letters and digits of a longer word are pieces of their own, and an emoji of several code
points is several. What is not known becomes the unknown piece, one for one, so that no offset moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from openmie.errors import RecipeError

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[unused1]", "[unused2]", "[unused3]", "[unused4]")
LEAST = 2  # times that a character is seen, or it stays unknown: so the unknown piece is learnt too


def vocabulary(texts: Iterable[str], least: int = LEAST) -> str:
    """The characters that occur at least so often, in code point order; blanks stand between words and are none."""
    seen = Counter[str]()
    for text in texts:
        seen.update(text)
    return "".join(sorted(c for c, n in seen.items() if n >= least and not c.isspace() and not _half(c)))


def _half(character: str) -> bool:
    """Half of a UTF-16 pair, which no tokenizer may be given."""
    return "\ud800" <= character <= "\udfff"


def tokenizer(known: str) -> Any:
    """A fast tokenizer of the transformers library. Errors: an empty vocabulary."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if not known:
        raise RecipeError(
            "text encoder `characters` without a vocabulary",
            expected="the characters that it knows",
            where="encode.text.vocabulary",
            remedy="training makes it from its documents; else give openmie.model.char_tokenizer.vocabulary(texts)",
        )
    pieces = {piece: i for i, piece in enumerate([*SPECIALS, *dict.fromkeys(known)])}
    made = Tokenizer(models.WordLevel(pieces, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    ends = [(name, pieces[name]) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)
