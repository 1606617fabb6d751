"""A grammar of the Prompt Format Adapter's answers, for constrained generation: what follows it parses cleanly.

In Lark's notation as llguidance reads it. The answer is two terminals, up to the list of entities and from there, that
is, regular expressions: a name may hold colons and semicolons as long as they do not make a separator, and no lexer has
to guess where it ends. With
`text`, entities are substrings of the text, so that each can be located; without it a model can still name what the
text does not have (kept as `unlocated`), and read beside its text, an answer with a label that nobody asked for is then
a record. Names in the pairs are not tied to those of the list: no regular expression can. A pair of a name that the
answer does not have is left out by `parse`, with a record of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from openmie.errors import OpenMIEError
from openmie.lvlm.generate import Grammar
from openmie.lvlm.pfa_labels import Labels, label_text, names_of
from openmie.lvlm.pfa_reading import NER, ONE, PAIR, TASKS, TWO, check_tasks
from openmie.metrics.patches import LETTER, letter

_LINE = r"[^\n\r\x0b\x0c\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}]"
_HEADER = r"[ \t>*#_`]*(?i:task)[ _]?[12](?i:[ _]?answer)?[ \t>*#_`]*[:\x{ff1a}]"


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long the parts of an answer may be, so that a model that repeats itself comes to an end."""

    summary: int = 2000  # characters
    entity: int = 200  # characters of a name, in the list and in the pairs
    entities: int = 64
    shown: int = 8  # entities of one patch


def grammar(labels: Labels, patches: int | Sequence[str], tasks: Sequence[str] = TASKS, text: str | None = None, *,
            plain: bool = False, bounds: Bounds | None = None) -> Grammar:
    """The grammar of the answers to `tasks` with these labels and patches (their number, or their letters).

    All that `pfa.render` writes within the bounds follows it; with `text`, what it writes of names that are in the text
    and need no code. Errors: labels, tasks or letters that are none, `text` without a character that could be named.
    """
    names, tasks, bounds = names_of(labels), check_tasks(tasks), bounds or Bounds()
    letters = [letter(n) for n in range(patches)] if isinstance(patches, int) else list(patches)
    if any(not LETTER.fullmatch(x) for x in letters) or len(set(letters)) < len(letters):
        raise OpenMIEError(f"patches {letters}"[:200], expected="a number, or different letters a, b, ..., z, aa, ...",
                           where="grammar", remedy="openmie.metrics.patches.letter names the n-th")
    lines = ["%llguidance {}"]
    summary, ner = "summary" in tasks, "ner" in tasks
    if plain:
        listed = (f'ENTRY{{0,{bounds.entities}}} ' if names else "") + '"\\n" PAIRS'
        lines += ["start: ANSWER", "ANSWER: " + ' "\\n" '.join(["SUMMARY?"] * summary + [listed] * ner)]
    else:
        listed = f'(" " ENTRY{{1,{bounds.entities}}})? ' if names else ""
        heads = [f'{_quoted(ONE.name)} (" " SUMMARY)?'] * summary + [_quoted(f"{TWO.name} {NER.name}")] * ner
        lines += ["start: FIRST" + " SECOND" * ner, "FIRST: " + ' "\\n" '.join(heads)]
        lines += [f'SECOND: {listed}{_quoted(chr(10) + PAIR.name + " ")} PAIRS'] * ner
    lines += _summary(names if plain and ner else (), plain, bounds) if summary else []
    lines += [*_entities(names, text, bounds), *_pairs(letters, text, bounds)] if ner else []
    return Grammar("\n".join(lines) + "\n")


def _summary(names: Sequence[str], plain: bool, bounds: Bounds) -> list[str]:
    """Any text that does not begin blank and has no line that would be read as something else."""
    forbidden = r"[ \t]*" + _separator(names) if plain else _HEADER
    size = f"/(?s:\\S.{{0,{bounds.summary - 1}}})/"
    if plain and not names:
        return [f"SUMMARY: {size}"]
    return [f"SUMMARY: {size} & LINES", 'LINES: LINE ("\\n" LINE)*', f"LINE: /[^\\n]*/ & ~/{forbidden}[^\\n]*/"]


def _entities(names: Sequence[str], text: str | None, bounds: Bounds) -> list[str]:
    """`:label;entity`, the entity on one line and without anything that would be read as a separator."""
    if not names:
        return []
    labels = " | ".join(_quoted(label_text(n)) for n in names)
    size = f"/\\S{_LINE}{{0,{bounds.entity - 1}}}/"
    lines = ['ENTRY: ":" LABEL ";" ENTITY', f"LABEL: {labels}"]
    inside = "" if text is None else "TEXT & "
    return [*lines, *_text(text), f"ENTITY: {inside}{size} & ~/(?s:.*{_separator(names)}.*)/"]


def _text(text: str | None) -> list[str]:
    if text is None:
        return []
    if not text.strip():
        raise OpenMIEError("an empty text", expected="a text that has entities", where="grammar",
                           remedy="leave `text` out, or do not ask")
    return [f"TEXT: %regex {json.dumps({'substring_chars': text})}"]


def _pairs(letters: Sequence[str], text: str | None, bounds: Bounds) -> list[str]:
    """A dict whose keys are letters, in order, each once."""
    if not letters:
        return ['PAIRS: "{}"']
    lines = ['PAIRS: "{" FROM_0? "}"', *_value(text, bounds)]
    for n, name in enumerate(letters):
        item = f'{_quoted(f"{name!r}: ")} VALUE'
        more = f"FROM_{n + 1}" if n + 1 < len(letters) else ""
        lines.append(f'FROM_{n}: {item} (", " {more})? | {more}' if more else f"FROM_{n}: {item}")
    return lines


def _value(text: str | None, bounds: Bounds) -> list[str]:
    lines = [f'VALUE: ONE | "[" ONE (", " ONE){{1,{max(bounds.shown - 1, 1)}}} "]"',
             r"ONE: SINGLE | DOUBLE | /[1-9][0-9]{0,2}/"]
    for kind, quote in (("SINGLE", "'"), ("DOUBLE", '"')):
        if text is None:
            escaped = r"\\[^\n]"
            inside = f"/([^{quote}\\\\\\n]|{escaped}){{0,{2 * bounds.entity}}}/"
        else:
            inside = f"(TEXT & /[^{quote}\\\\\\n]{{1,{bounds.entity}}}/)"
        lines.append(f"{kind}: {_quoted(quote)} {inside} {_quoted(quote)}")
    return lines


def _separator(names: Sequence[str]) -> str:
    """What `pfa_labels.Names` takes for a separator, for the regular expressions of llguidance."""
    written = sorted({*(n for n in names if "\\" not in n), *map(label_text, names)}, key=len, reverse=True)
    one_of = "|".join("".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in w) for w in written)
    return f"[:\\x{{ff1a}}]\\s{{0,3}}(?i:{one_of})\\s{{0,3}}[;\\x{{ff1b}}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
