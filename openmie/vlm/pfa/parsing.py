"""Reading an answer of the Prompt Format Adapter: from any text to summary, entities and pairs, and what was odd.

    Task 1 Answer: <summary>
    Task 2 Answer: NER: :label;entity:label;entity
    image-entity pair: {'a': 'entity'}

A header is looked for at the beginning of a line, then anywhere, in either spelling (`image entities pair` too), with
or without marks of markdown. An entity begins behind `:label;` with a label that was asked for and ends at the next one
or with its line; `:` and `;` inside stay. Nothing is raised: what is missing, repeated, left over or guessed is a
record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openmie.errors import ErrorRecord, OpenMIEError
from openmie.vlm.pfa import image_entity_pairs as pfa_pairs
from openmie.vlm.pfa.image_entity_pairs import Pair, Say
from openmie.vlm.pfa.labels import NTH, Names, decoded

TASKS = ("summary", "ner")
ANSWER = "PFA answer"  # how the `where` of a record ends that says that an answer does not parse
_MARKS = r"[ \t>*#_`]{0,8}"
_FENCE = re.compile(r"(?m)^[ \t]{0,8}(?:```|~~~)[\w-]{0,20}[ \t]{0,8}$\n?")
BREAK = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_BRACE = re.compile(r"(?m)^[ \t]*\{")
_UNKNOWN = re.compile(r"[:：]\s{0,3}[^\W\d][\w /&-]{0,40}[;；]")
_CLIP = 300  # characters of a finding that a record quotes


class Header(NamedTuple):
    """A header at the beginning of a line, and anywhere."""

    line: re.Pattern[str]
    anywhere: re.Pattern[str]
    name: str


def _header(name: str, words: str, loose: str = "") -> Header:
    line = re.compile(rf"(?im)^{_MARKS}(?:{loose or words}){_MARKS}[:：][*_`]{{0,3}}")
    return Header(line, re.compile(rf"(?i)\b(?:{words}){_MARKS}[:：][*_`]{{0,3}}"), name)


ONE = _header("Task 1 Answer:", r"task[ _]?1[ _]?answer", r"task[ _]?1(?:[ _]?answer)?")
TWO = _header("Task 2 Answer:", r"task[ _]?2[ _]?answer", r"task[ _]?2(?:[ _]?answer)?")
NER = _header("NER:", r"(?-i:NER)", "NER")
PAIR = _header("image-entity pair:", r"images?[ _-]{0,3}entit(?:y|ies)[ _-]{0,3}pairs?")


class Entity(NamedTuple):
    """A name with its label; `nth` is the occurrence that is meant, where the answer says so."""

    label: str
    text: str
    nth: int | None = None


@dataclass(frozen=True)
class Reading:
    """What an answer says."""

    summary: str = ""
    entities: tuple[Entity, ...] = ()
    pairs: tuple[Pair, ...] = ()
    errors: tuple[ErrorRecord, ...] = ()


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks in their order. Errors: none, or one that is not known."""
    if isinstance(tasks, str) or not tasks or set(tasks) - set(TASKS):
        raise OpenMIEError(
            f"tasks {tasks!r}"[:200],
            expected=f"some of {TASKS}",
            where="PFA",
            remedy='write ("summary", "ner") for both, or one of them in a tuple',
        )
    return tuple(t for t in TASKS if t in tasks)


def read(
    text: str, names: Names, tasks: Sequence[str], *, plain: bool = False, source: str | None = None, id: str = "answer"
) -> Reading:
    """Read an answer. `source` is the text that it speaks of: it decides where an entity ends that is not clear."""
    errors: list[ErrorRecord] = []

    def say(found: str, expected: str) -> None:
        more = f" (+{len(found) - _CLIP} characters)" if len(found) > _CLIP else ""
        errors.append(
            ErrorRecord(
                where=f"document {id}, {ANSWER}",
                found=repr(found[:_CLIP]) + more,
                expected=expected,
                remedy="what could be told was kept; look at the answer",
            )
        )

    text = _FENCE.sub("", text)
    parts = _plain(text, names, tasks, say) if plain else _sections(text, names, tasks, say)
    entities = _entities(parts.ner, names, say, source) if "ner" in tasks else ()
    pairs = pfa_pairs.read(parts.pairs, say) if "ner" in tasks and parts.pairs is not None else []
    return Reading(decoded(parts.summary.strip()), entities, tuple(pairs), tuple(errors))


class _Parts(NamedTuple):
    summary: str = ""
    ner: str = ""
    pairs: str | None = None


def _find(header: Header, text: str) -> re.Match[str] | None:
    return header.line.search(text) or header.anywhere.search(text)


def _sections(text: str, names: Names, tasks: Sequence[str], say: Say) -> _Parts:
    """The parts of an answer by its headers; one without any is read as the plain variant."""
    two = _find(TWO, text) if "ner" in tasks else TWO.line.search(text)
    before, body = (text[: two.start()], text[two.end() :]) if two else (text, "")
    if two is None and "ner" in tasks:
        text = _uncut(text, say)
        say("no header", TWO.name)
        start = NER.line.search(text) or PAIR.line.search(text)
        if start is None:
            one = _find(ONE, text)
            return _plain(text[one.end() :] if one else text, names, tasks, say)
        before, body = text[: start.start()], text[start.start() :]
    body, again = _repeated(body, say)
    summary = _summary(before, again, tasks, say)
    if "ner" in tasks:
        return _body(body, summary, say)
    if body.strip():
        say(body.strip(), "the summary alone")
    return _Parts(summary)


def _uncut(text: str, say: Say) -> str:
    """The text without a last line that is the beginning of a header, where an answer was cut off there."""
    head, end, last = text.rstrip().rpartition("\n")
    if not last.strip() or not any(h.name.startswith(last.strip()) for h in (ONE, TWO)):
        return text
    say(last.strip(), "a whole header")
    return head + end


def _summary(before: str, again: str, tasks: Sequence[str], say: Say) -> str:
    """The summary from what stands before task 2, or behind it where the tasks were answered in the other order."""
    one = _find(ONE, before)
    if "summary" not in tasks:
        if before.strip():
            say(before.strip(), "task 2 alone")
        return ""
    if one is None and again:
        if before.strip():
            say(before.strip(), ONE.name)
        return again
    if one is None:
        say("no header", ONE.name)
        return before
    if before[: one.start()].strip():
        say(before[: one.start()].strip(), f"{ONE.name} first")
    summary, _ = _repeated(before[one.end() :], say)
    return summary


def _repeated(text: str, say: Say) -> tuple[str, str]:
    """The text up to a header of a task that comes again, and what a header of task 1 begins there."""
    again = [m for m in (ONE.line.search(text), TWO.line.search(text)) if m]
    if not again:
        return text, ""
    first = min(again, key=lambda m: m.start())
    say(text[first.start() :].strip(), "each header once, task 1 first")
    second = text[first.end() :] if "1" in first[0] else ""
    cut = TWO.line.search(second)
    return text[: first.start()], second[: cut.start()] if cut else second


def _body(body: str, summary: str, say: Say) -> _Parts:
    """Entities and pairs of task 2."""
    pair = _find(PAIR, body)
    if pair is None:
        say("no header", PAIR.name)
        brace = _BRACE.search(body)
        head, tail = (body[: brace.start()], body[brace.start() :]) if brace else (body, None)
    else:
        head, tail = body[: pair.start()], body[pair.end() :]
    ner = NER.line.search(head) or NER.anywhere.search(head)
    if ner is None:
        say("no header", NER.name)
        return _Parts(summary, head, tail)
    if head[: ner.start()].strip():
        say(head[: ner.start()].strip(), f"{NER.name} first")
    return _Parts(summary, head[ner.end() :], tail)


def _plain(text: str, names: Names, tasks: Sequence[str], say: Say) -> _Parts:
    """The parts of an answer without headers: pairs from the first line that begins with {, entities before them."""
    if "ner" not in tasks:
        return _Parts(text)
    brace = _BRACE.search(text)
    head, pairs = (text[: brace.start()], text[brace.start() :]) if brace else (text, None)
    if pairs is None:
        say("no pairs", "a last line {'a': 'entity'}, or {}")
    lines = head.rstrip().split("\n")
    at = len(lines) - 1
    if at < 0 or not names.separator.match(lines[at].strip()):
        ner = ""
    else:
        while at and names.separator.match(lines[at - 1].strip()):
            at -= 1
        ner, head = "\n".join(lines[at:]), "\n".join(lines[:at])
    if "summary" not in tasks and head.strip():
        say(head.strip(), "entities and pairs alone")
        head = ""
    return _Parts(head, ner, pairs)


def _entities(text: str, names: Names, say: Say, source: str | None) -> tuple[Entity, ...]:
    """All `:label;entity`, by the labels that were asked for."""
    found = list(names.separator.finditer(text))
    head = text[: found[0].start()] if found else text
    if head.strip():
        say(head.strip(), ":label;entity with a label that was asked for")
    entities: list[Entity] = []
    for n, separator in enumerate(found):
        raw = text[separator.end() : found[n + 1].start() if n + 1 < len(found) else len(text)]
        label, exact = names.of(separator)
        around = text[max(separator.start() - 1, 0) : separator.end() + 1]
        if label is None or not exact or (n and source and len(around) > len(separator[0]) + 1 and around in source):
            say(around + raw[1:], "a label written as it was asked for, and not in the text itself")
        entity = _entity(raw, label or "", names, say, source)
        if label is not None and entity is not None:
            entities.append(entity)
    return tuple(entities)


def _entity(raw: str, label: str, names: Names, say: Say, source: str | None) -> Entity | None:
    """One entity: up to the end of its line, or to a label that is cut or was not asked for, as the text decides."""
    raw = raw.strip()
    line, unknown, cut = BREAK.search(raw), _UNKNOWN.search(raw), names.cut(raw)
    end = line.start() if line else len(raw)
    if source is not None and "\\" not in raw:
        ends = [len(raw), end, *([unknown.start()] if unknown else []), *([cut] if cut is not None else [])]
        end = next((e for e in ends if raw[:e].strip() and raw[:e].strip() in source), end)
    if raw[end:].strip():
        say(raw[end:].strip(), f"one entity of {label!r}, or another with a label that was asked for")
    text = raw[:end].strip()
    marked = NTH.search(text)
    if not text:
        say(f"an empty entity of {label!r}", "the entity as the text has it")
        return None
    return Entity(label, decoded(text[: marked.start()]), int(marked[1])) if marked else Entity(label, decoded(text))
