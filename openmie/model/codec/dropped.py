"""What integers cannot represent of a document, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from openmie.data.document import Document, Mention

CUT = "it does not begin and end where words do"
OVERLAP = "it overlaps another mention"


class Dropped(NamedTuple):
    """An annotation that is not encoded, and the reason: no loss is silent."""

    what: Any  # a Mention, a Relation, or its name, such as `region 2 in f0`
    why: str

    @property
    def name(self) -> str:
        """How records name it; a pair may have several relations, so the label belongs to the name of each."""
        if isinstance(self.what, str):
            return self.what
        what = self.what
        id = what.id if hasattr(what, "id") else f"{what.head} {what.tail} {what.label}"
        return f"{type(self.what).__name__.lower()} {id}"


def dropped_words(document: Document, dropped: Iterable[Dropped]) -> npt.NDArray[np.bool_]:
    """The words of mentions that are dropped because of where they lie: what they are is not known, least of all `O`.

    Args:
        document: whose words.
        dropped: what its codes leave out. A mention whose label is not to be learnt refuses no words.

    Returns:
        (T,), True at each word that shares a character with such a mention.
    """
    spans = [(x.what.start, x.what.end) for x in dropped if isinstance(x.what, Mention) and x.why in (CUT, OVERLAP)]
    found = np.zeros(len(document.words), dtype=bool)
    if spans:
        words = np.array(document.words, dtype=np.int64).reshape(-1, 2)
        for start, end in spans:
            found |= (words[:, 0] < end) & (start < words[:, 1])
    return found
