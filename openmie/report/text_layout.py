"""Running text broken into lines, for the picture: fonts, widths, words and blanks."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

_ATOM = re.compile(
    r"\n|[^\S\n]+|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\uff00-\uffef]+"
)  # a line break, blanks, one CJK character, or a word


@dataclass
class TextPen:
    """Fonts of one size, in fine pixels."""

    unit: int  # height of the running text
    path: str | None
    fonts: dict[float, Any] = field(default_factory=dict)
    missing: bytes = b""

    def font(self, size: float = 1.0) -> Any:
        from PIL import ImageFont

        if size not in self.fonts:
            pixels = round(self.unit * size)
            self.fonts[size] = ImageFont.truetype(self.path, pixels) if self.path else ImageFont.load_default(pixels)
        return self.fonts[size]

    def width(self, text: str, size: float = 1.0) -> float:
        return self.font(size).getlength(text)

    def drawable(self, text: str) -> str:
        """Without control characters, and without the symbols (emoji above all) that the font does not have."""
        font = self.font()
        self.missing = self.missing or bytes(font.getmask("\U0010fffd"))
        kept = []
        for c in text:
            kind = unicodedata.category(c)
            if kind in ("Cc", "Cf", "Cs", "Co", "Cn") and c != "\n":
                continue
            if kind in ("So", "Sk", "Mn") and bytes(font.getmask(c)) == self.missing:
                continue
            kept.append(c)
        return "".join(kept)


@dataclass(frozen=True)
class Atom:
    """A word, a blank, a badge or a line break (`\\n`) of the running text."""

    text: str
    width: float
    chip: int = -1  # number of the mention that it belongs to
    badge: bool = False


def split_atoms(text: str) -> list[str]:
    """Line breaks, blanks, CJK characters and words, in order; joined they are the text again."""
    return _ATOM.findall(text)


def break_lines(atoms: list[Atom], width: float) -> list[list[tuple[float, Atom]]]:
    """Atoms with their x, line by line; what is not parted by a blank stays together where it fits a line."""
    units: list[list[Atom]] = []
    for atom in atoms:
        loose = atom.text.isspace() or (len(atom.text) == 1 and ord(atom.text) >= 0x2E80)
        if units and not loose and not units[-1][-1].text.isspace():
            units[-1].append(atom)
        else:
            units.append([atom])
    rows: list[list[tuple[float, Atom]]] = [[]]
    x = 0.0
    for unit in units:
        need = sum(a.width for a in unit)
        if unit[0].text == "\n" or (rows[-1] and x + need > width and not unit[0].text.isspace()):
            rows.append([])
            x = 0.0
        if unit[0].text.isspace() and (unit[0].text == "\n" or not rows[-1]):
            continue
        for atom in unit:
            for part in _cut(atom, width):
                if rows[-1] and x + part.width > width and not part.text.isspace():
                    rows.append([])
                    x = 0.0
                rows[-1].append((x, part))
                x += part.width
    return rows


def _cut(atom: Atom, width: float) -> list[Atom]:
    """A word wider than the line, in pieces of equal share."""
    if atom.width <= width or len(atom.text) < 2:
        return [atom]
    size = max(int(len(atom.text) * width / atom.width * 0.9), 1)
    parts = [atom.text[i : i + size] for i in range(0, len(atom.text), size)]
    return [Atom(part, atom.width * len(part) / len(atom.text), atom.chip, atom.badge) for part in parts]
