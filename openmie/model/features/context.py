"""The caption generator that a context of `*` stands for: one for a whole corpus, chosen once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from openmie.data.document import Document

ANY = "*"


def context_generator(name: str, documents: Iterable[Document]) -> str:
    """The generator whose captions are read as context.

    `*` is the generator whose caption stands first in most documents, of several the one that is met first; readers
    put attached captions, in the order of the option, before a row's own. A document that lacks that generator's has
    no context, whatever others it has.

    Args:
        name: `encode.context` of a recipe: a generator, `*`, or "" for none.
        documents: those that `*` is decided by: of a training all of train, else those that are predicted together.

    Returns:
        The name; `*` remains where no document has a caption.
    """
    if name != ANY:
        return name
    first = (next((who for who, text in d.captions.items() if text.strip()), "") for d in documents)
    votes = Counter(who for who in first if who)
    return votes.most_common(1)[0][0] if votes else name
