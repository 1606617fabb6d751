"""A value of a field in a message."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

LONGEST = 80  # signs


def shown(value: Any) -> str:
    """The value about as it is written in JSON, a config by its kind; long ones are cut."""
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        text = f"[{', '.join(shown(x) for x in value[:9])}]"
    elif isinstance(value, int) and abs(value) >= 1 << 256:
        text = "a number of many digits"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
