"""The grammar of the Prompt Format Adapter's answers, for constrained decoding: what follows it parses cleanly.

In Lark's notation as llguidance reads it. A name may contain colons and semicolons as long as they form no separator.
With `text`, entities are substrings of the text, so that each can be located; without it a model can name what the text
does not have (kept as `unlocated`). Names in the pairs are not tied to the names of the list, which no context-free
grammar can do: `parse` leaves out a pair with a name that the answer does not have, with a record. A text that itself
contains `:label;` can make an answer ambiguous; `parse` records that in any case.

Lines and names are bounded (`Bounds`), so that a model that repeats itself comes to an end. Negated expressions below
are short: at every token llguidance follows a negated or intersected expression to its end, and gives up where that is
far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openmie.errors import OpenMIEError
from openmie.metrics.patches import LETTER, letter
from openmie.vlm.generate import Grammar
from openmie.vlm.pfa.labels import MentionLabels, label_names, label_set, label_text
from openmie.vlm.pfa.parsing import (
    LINE_BREAK,
    NER_HEADER,
    PAIRS_HEADER,
    TASK_1_HEADER,
    TASK_2_HEADER,
    TASKS,
    check_tasks,
)

_BREAKS = r"\n\r\x0b\x0c\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}"
_SURROGATES = re.compile("[\ud800-\udfff]+")  # lone ones, which no model can generate
_COLON, _SEMICOLON = r":\x{ff1a}", r";\x{ff1b}"
_HEADER = r"[ \t>*#_`]{0,8}(?i:task)[ _]?[12](?i:[ _]?answer)?[ \t>*#_`]{0,8}"  # up to its colon
_LONGEST = 29  # characters of such a header


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long the parts of an answer may be.

    Args:
        line: characters of a line of the summary.
        lines: lines of the summary.
        entity: characters of a name between two colons in the list, and of a name in the pairs.
        entities: entities of the list.
        entities_per_patch: entities that one patch shows.
    """

    line: int = 1000
    lines: int = 12
    entity: int = 200
    entities: int = 64
    entities_per_patch: int = 8


def grammar(
    labels: MentionLabels,
    patches: int | Sequence[str],
    tasks: Sequence[str] = TASKS,
    text: str | None = None,
    *,
    plain: bool = False,
    bounds: Bounds | None = None,
) -> Grammar:
    """Build the grammar of answers.

    All that `pfa.render` writes within the bounds follows it; with `text`, all that it writes of names that occur in
    the text and need no escape.

    Args:
        labels: labels of mentions.
        patches: number or letters of the image patches.
        tasks: "summary", "ner" or both.
        text: the text whose substrings entities are; None: any names.
        plain: the variant without PFA (`openmie.vlm.pfa`).
        bounds: lengths of the parts.

    Raises:
        OpenMIEError: invalid labels, tasks or letters, or a `text` without a character that could be in a name.
    """
    names, tasks, bounds = label_names(labels), check_tasks(tasks), bounds or Bounds()
    letters = [letter(n) for n in range(patches)] if isinstance(patches, int) else list(patches)
    if any(not LETTER.fullmatch(x) for x in letters) or len(set(letters)) < len(letters):
        raise OpenMIEError(
            f"invalid patches {letters}"[:200],
            expected="a number, or different letters such as a, b and aa",
            where="grammar",
            remedy="use openmie.metrics.patches.letter(n) for the n-th",
        )
    summary, ner = "summary" in tasks, "ner" in tasks
    lines = ["%llguidance {}", f"start: {_start(summary, ner, plain)}"]
    if summary:
        lines += _summary(bounds) + (_plain_line(bounds) if plain and ner else _line(bounds))
    if ner:
        lines += [*_list(names, text, bounds), *_pairs(letters, text, bounds)]
    if ner or plain:
        lines += _after_colon(names, bounds)
    return Grammar("\n".join(lines) + "\n")


def _start(summary: bool, ner: bool, plain: bool) -> str:
    if plain:
        return r' "\n" '.join(["summary?"] * summary + [r'LIST? "\n" PAIRS'] * ner)
    heads = [f'{_quoted(TASK_1_HEADER.name)} (" " summary)?'] * summary + [
        _quoted(f"{TASK_2_HEADER.name} {NER_HEADER.name}")
    ] * ner
    pairs = _quoted(f"\n{PAIRS_HEADER.name} ")
    return r' "\n" '.join(heads) + f' (" " LIST)? {pairs} PAIRS' * ner


def _summary(bounds: Bounds) -> list[str]:
    return [rf'summary: LINE ("\n" LINE?){{0,{bounds.lines - 1}}}']


def _line(bounds: Bounds) -> list[str]:
    """A line that is no header of a task: it has none of its words before its first colon."""
    return [
        f"LINE: /[^\\n{_COLON}]{{1,{bounds.line}}}/ | WORDS /[{_COLON}][^\\n]{{0,{bounds.line}}}/",
        f"WORDS: SHORT | /[^\\n{_COLON}]{{{_LONGEST + 1},{bounds.line}}}/",
        f"SHORT: /[^\\n{_COLON}]{{0,{_LONGEST}}}/ & ~/{_HEADER}/",
    ]


def _plain_line(bounds: Bounds) -> list[str]:
    """A line that begins neither as the list of entities nor as the pairs."""
    most = f"{{0,{bounds.line}}}"
    return [
        f"LINE: /[ \\t]{{0,8}}/ (/[^ \\t\\n{{{_COLON}][^\\n]{most}/ | /[{_COLON}]/ BEHIND (/[{_COLON}][^\\n]{most}/)?)",
    ]


def _list(names: Sequence[str], text: str | None, bounds: Bounds) -> list[str]:
    """`:label;entity`, the entity on one line and without anything that would be read as a separator."""
    if not names:
        return ["LIST: /[^\\x00-\\x{10ffff}]/"]
    lines = [
        f"LIST: ENTRY{{1,{bounds.entities}}}",
        'ENTRY: ":" LABEL ";" ENTITY',
        "LABEL: " + " | ".join(_quoted(label_text(n)) for n in names),
    ]
    if text is None:
        first = f"/[^\\s{_BREAKS}{_COLON}][^{_BREAKS}{_COLON}]{{0,{bounds.entity}}}/"
        return [*lines, f"ENTITY: {first} PART{{0,8}} | PART{{1,8}}", f"PART: /[{_COLON}]/ BEHIND"]
    terminals = _substrings("T", sorted({*_unseparated(text, names)}))
    if not terminals:
        raise OpenMIEError(
            "a text of blanks alone",
            expected="a text that can contain entities",
            where="grammar",
            remedy="leave `text` out",
        )
    return [*lines, *terminals, "ENTITY: T & /(?s:.*\\S.*)/"]


def _after_colon(names: Sequence[str], bounds: Bounds) -> list[str]:
    """What may follow a colon, up to the next one: no label with a semicolon."""
    written = sorted({*(n for n in names if "\\" not in n and ":" not in n), *map(label_text, names)})
    longest = max(map(len, written), default=0) + 6
    one_of = "|".join("".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in w) for w in written)
    other, most = f"[^{_BREAKS}{_COLON}{_SEMICOLON}]", f"{{0,{bounds.entity}}}"
    label = rf" & ~/[\s\x{{1c}}-\x{{1f}}]{{0,3}}(?i:{one_of})[\s\x{{1c}}-\x{{1f}}]{{0,3}}/" if written else ""
    return [
        f"BEHIND: /{other}{most}/ | BEFORE /[{_SEMICOLON}][^{_BREAKS}{_COLON}]{most}/",
        f"BEFORE: (/{other}{{0,{longest}}}/{label}) | /{other}{{{longest + 1},{longest + bounds.entity}}}/",
    ]


def _unseparated(text: str, names: Sequence[str]) -> Iterator[str]:
    """The longest substrings of a text that contain neither a line break nor a whole separator."""
    separator = label_set(tuple(names)).separator
    for line in LINE_BREAK.split(text):
        begin = at = 0
        while match := separator.search(line, at):
            yield line[begin : match.end() - 1]
            begin, at = match.start() + 1, match.start() + 1
        yield line[begin:]


def _substrings(name: str, texts: Sequence[str]) -> list[str]:
    """A terminal for the substrings of the texts; none where there are only blanks."""
    kept = [part for s in texts for part in _SURROGATES.split(s) if part.strip()]
    each = [f"{name}{n}: %regex {json.dumps({'substring_chars': s})}" for n, s in enumerate(kept)]
    return [*each, f"{name}: " + " | ".join(f"{name}{n}" for n in range(len(kept)))] if kept else []


def _pairs(letters: Sequence[str], text: str | None, bounds: Bounds) -> list[str]:
    """A dict whose keys are letters, in order, each once."""
    if not letters:
        return ['PAIRS: "{}"']
    lines = ['PAIRS: "{" FROM_0? "}"', *_value(text, bounds)]
    for n, name in enumerate(letters):
        item = f"{_quoted(f'{name!r}: ')} VALUE"
        more = f"FROM_{n + 1}" if n + 1 < len(letters) else ""
        lines.append(f'FROM_{n}: {item} (", " {more})? | {more}' if more else f"FROM_{n}: {item}")
    return lines


def _value(text: str | None, bounds: Bounds) -> list[str]:
    """A name, a number, or a list of them; the name a Python string on one line."""
    lines, ones = [], ["/[1-9][0-9]{0,2}/"]
    for kind, quote in (("SINGLE", "'"), ("DOUBLE", '"')):
        inside = [f"{kind}T: /([^{quote}\\\\\\n]|\\\\[^\\n]){{0,{bounds.entity}}}/"]
        if text is not None:
            inside = _substrings(f"{kind}T", sorted({*re.split(rf"[{quote}\\\r\n]", text)}))
        if inside:
            lines += [*inside, f"{kind}: {_quoted(quote)} {kind}T {_quoted(quote)}"]
            ones.append(kind)
    return [
        f'VALUE: ONE | "[" ONE (", " ONE){{1,{max(bounds.entities_per_patch - 1, 1)}}} "]"',
        "ONE: " + " | ".join(ones),
        *lines,
    ]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
