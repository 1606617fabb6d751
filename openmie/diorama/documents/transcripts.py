"""The transcripts' languages, each a module of the same names, and how a template becomes text.

Slots: F, P and H are the main person in full, the main person in any form, and the birthplace; x and y new entities of
a clear sentence; a and b ambiguous names; q an entity named before; n a name in a clause; T a month or year, D a day.
Each is a mention. {role} and {r}, the main person's and x's occupation, and {c}, a colour, are not.
"""

from __future__ import annotations

import re
from types import ModuleType

from openmie.diorama.documents import transcripts_en, transcripts_zh

LANGUAGES: dict[str, ModuleType] = {"en": transcripts_en, "zh": transcripts_zh}
_SLOT = re.compile(r"\{(\w+)\}")
_MENTIONS = frozenset("FPHxyabqnTD")


def count_mentions(template: str) -> int:
    """Number of mentions in a template."""
    return sum(slot in _MENTIONS for slot in _SLOT.findall(template))


def split_template(template: str) -> list[str]:
    """Plain text and slots in turn: text at even indices, slots at odd ones."""
    return _SLOT.split(template)
