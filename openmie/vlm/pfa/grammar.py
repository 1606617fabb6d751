"""A grammar of the Prompt Format Adapter's answers, for constrained generation: what follows it parses cleanly.

In Lark's notation as llguidance reads it. A name may hold colons and semicolons as long as they make no separator. With
`text`, entities are pieces of the text, so that each can be located; without it a model can still name what the text
does not have (kept as `unlocated`), and read beside its text, an answer with a label that nobody asked for is then a
record. Names in the pairs are not tied to those of the list, which no such grammar can do: a pair of a name that the
answer does not have is left out by `parse`, with a record of its own. A text that itself holds `:label;` can make an
answer that reads two ways; `parse` says so, whatever held the answer.

Lines and names are bounded (`Bounds`), so that a model that repeats itself comes to an end. What is negated below is
short: at every token llguidance follows a negated or intersected expression to its end, and gives up where that is far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openmie.errors import OpenMIEError
from openmie.metrics.patches import LETTER, letter
from openmie.vlm.generate import Grammar
from openmie.vlm.pfa.labels import Labels, known_names, label_text, names_of
from openmie.vlm.pfa.parsing import BREAK, NER, ONE, PAIR, TASKS, TWO, check_tasks

_BREAKS = r"\n\r\x0b\x0c\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}"
_NO_CHARACTER = re.compile("[\ud800-\udfff]+")  # halves of a pair, which no model can write
_COLON, _SEMICOLON = r":\x{ff1a}", r";\x{ff1b}"
_HEADER = r"[ \t>*#_`]{0,8}(?i:task)[ _]?[12](?i:[ _]?answer)?[ \t>*#_`]{0,8}"  # up to its colon
_LONGEST = 29  # characters of such a header


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long the parts of an answer may be."""

    line: int = 1000  # characters of a line of the summary
    lines: int = 12
    entity: int = 200  # characters of a name between two colons, in the list, and of one in the pairs
    entities: int = 64
    shown: int = 8  # entities of one patch


def grammar(
    labels: Labels,
    patches: int | Sequence[str],
    tasks: Sequence[str] = TASKS,
    text: str | None = None,
    *,
    plain: bool = False,
    bounds: Bounds | None = None,
) -> Grammar:
    """The grammar of the answers to `tasks` with these labels and patches (their number, or their letters).

    All that `pfa.render` writes within the bounds follows it; with `text`, what it writes of names that are in the text
    and need no code. Errors: labels, tasks or letters that are none, `text` without a character that could be named.
    """
    names, tasks, bounds = names_of(labels), check_tasks(tasks), bounds or Bounds()
    letters = [letter(n) for n in range(patches)] if isinstance(patches, int) else list(patches)
    if any(not LETTER.fullmatch(x) for x in letters) or len(set(letters)) < len(letters):
        raise OpenMIEError(
            f"patches {letters}"[:200],
            expected="a number, or different letters a, b, ..., z, aa, ...",
            where="grammar",
            remedy="openmie.metrics.patches.letter names the n-th",
        )
    summary, ner = "summary" in tasks, "ner" in tasks
    lines = ["%llguidance {}", f"start: {_start(summary, ner, plain)}"]
    if summary:
        lines += _summary(bounds) + (_plain_line(bounds) if plain and ner else _line(bounds))
    if ner:
        lines += [*_list(names, text, bounds), *_pairs(letters, text, bounds)]
    if ner or plain:
        lines += _behind_a_colon(names, bounds)
    return Grammar("\n".join(lines) + "\n")


def _start(summary: bool, ner: bool, plain: bool) -> str:
    if plain:
        return r' "\n" '.join(["summary?"] * summary + [r'LIST? "\n" PAIRS'] * ner)
    heads = [f'{_quoted(ONE.name)} (" " summary)?'] * summary + [_quoted(f"{TWO.name} {NER.name}")] * ner
    pairs = _quoted(f"\n{PAIR.name} ")
    return r' "\n" '.join(heads) + f' (" " LIST)? {pairs} PAIRS' * ner


def _summary(bounds: Bounds) -> list[str]:
    return [rf'summary: LINE ("\n" LINE?){{0,{bounds.lines - 1}}}']


def _line(bounds: Bounds) -> list[str]:
    """A line that is no header of a task: none of its words before its first colon."""
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
    pieces = _substrings("T", sorted({*_windows(text, names)}))
    if not pieces:
        raise OpenMIEError(
            "a text without a name",
            expected="a text that has entities",
            where="grammar",
            remedy="leave `text` out, or do not ask",
        )
    return [*lines, *pieces, "ENTITY: T & /(?s:.*\\S.*)/"]


def _behind_a_colon(names: Sequence[str], bounds: Bounds) -> list[str]:
    """What may stand behind a colon, up to the next one: no label with a semicolon."""
    written = sorted({*(n for n in names if "\\" not in n and ":" not in n), *map(label_text, names)})
    longest = max(map(len, written), default=0) + 6
    one_of = "|".join("".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in w) for w in written)
    other, most = f"[^{_BREAKS}{_COLON}{_SEMICOLON}]", f"{{0,{bounds.entity}}}"
    label = rf" & ~/[\s\x{{1c}}-\x{{1f}}]{{0,3}}(?i:{one_of})[\s\x{{1c}}-\x{{1f}}]{{0,3}}/" if written else ""
    return [
        f"BEHIND: /{other}{most}/ | BEFORE /[{_SEMICOLON}][^{_BREAKS}{_COLON}]{most}/",
        f"BEFORE: (/{other}{{0,{longest}}}/{label}) | /{other}{{{longest + 1},{longest + bounds.entity}}}/",
    ]


def _windows(text: str, names: Sequence[str]) -> Iterator[str]:
    """The longest stretches of a text that hold neither the end of a line nor a whole separator."""
    separator = known_names(tuple(names)).separator
    for line in BREAK.split(text):
        begin = at = 0
        while found := separator.search(line, at):
            yield line[begin : found.end() - 1]
            begin, at = found.start() + 1, found.start() + 1
        yield line[begin:]


def _substrings(name: str, stretches: Sequence[str]) -> list[str]:
    """A terminal for all that lies in one of the stretches; none where there is nothing but blanks."""
    kept = [part for s in stretches for part in _NO_CHARACTER.split(s) if part.strip()]
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
    return [f'VALUE: ONE | "[" ONE (", " ONE){{1,{max(bounds.shown - 1, 1)}}} "]"', "ONE: " + " | ".join(ones), *lines]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
