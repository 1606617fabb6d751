"""What integers cannot represent of a document, and why."""

from __future__ import annotations

from typing import Any, NamedTuple


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
