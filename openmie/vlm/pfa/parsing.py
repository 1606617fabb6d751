"""Parses an answer of the Prompt Format Adapter: from any text to summary, entities, pairs and error records.

    Task 1 Answer: <summary>
    Task 2 Answer: NER: :label;entity:label;entity
    image-entity pair: {'a': 'entity'}

A header is searched at the beginning of a line, then anywhere, in either spelling (`image entities pair` too), with or
without markdown. An entity begins after `:label;` with a requested label and ends at the next one or with its line; `:`
and `;` inside belong to it. Nothing is raised: what is missing, repeated, left over or guessed becomes a record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openmie.errors import ErrorRecord, OpenMIEError
from openmie.vlm.pfa.image_entity_pairs import ImageEntityPair, ReportProblem, parse_pairs
from openmie.vlm.pfa.labels import OCCURRENCE, LabelSet, unescape

TASKS = ("summary", "ner")
ANSWER_PLACE = "PFA answer"  # the end of `where` in records of answers that are not in the format
_MARKDOWN = r"[ \t>*#_`]{0,8}"
_CODE_FENCE = re.compile(r"(?m)^[ \t]{0,8}(?:```|~~~)[\w-]{0,20}[ \t]{0,8}$\n?")
LINE_BREAK = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_BRACE = re.compile(r"(?m)^[ \t]*\{")
_UNKNOWN_LABEL = re.compile(r"[:：]\s{0,3}[^\W\d][\w /&-]{0,40}[;；]")
_MAX_QUOTE = 300  # characters of the answer that a record quotes


class Header(NamedTuple):
    """The patterns of a header at the beginning of a line, and anywhere; `name` is its exact spelling."""

    line: re.Pattern[str]
    anywhere: re.Pattern[str]
    name: str


def _header(name: str, words: str, loose: str = "", end: str = "[:：]") -> Header:
    line = re.compile(rf"(?im)^{_MARKDOWN}(?:{loose or words}){_MARKDOWN}(?:{end})[*_`]{{0,3}}")
    return Header(line, re.compile(rf"(?i)\b(?:{words}){_MARKDOWN}[:：][*_`]{{0,3}}"), name)


TASK_1_HEADER = _header("Task 1 Answer:", r"task[ _]?1[ _]?answer", r"task[ _]?1(?:[ _]?answer)?")
TASK_2_HEADER = _header("Task 2 Answer:", r"task[ _]?2[ _]?answer", r"task[ _]?2(?:[ _]?answer)?")
NER_HEADER = _header("NER:", r"(?-i:NER)", "NER")
PAIRS_HEADER = _header(  # algorithm 1's pattern has no colon
    "image-entity pair:", r"images?[ _-]{0,3}entit(?:y|ies)[ _-]{0,3}pairs?", end=r"[:：]|(?=\{)"
)


class AnswerEntity(NamedTuple):
    """A name with its label; `nth` is the occurrence that the answer means, where it says so (0: none)."""

    label: str
    text: str
    nth: int | None = None


@dataclass(frozen=True)
class PfaAnswer:
    """The content of an answer."""

    summary: str = ""
    entities: tuple[AnswerEntity, ...] = ()
    pairs: tuple[ImageEntityPair, ...] = ()
    errors: tuple[ErrorRecord, ...] = ()


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks in their order. Raises `OpenMIEError` for no task or an unknown one."""
    if isinstance(tasks, str) or not tasks or set(tasks) - set(TASKS):
        raise OpenMIEError(
            f"invalid tasks {tasks!r}"[:200],
            expected=f"some of {', '.join(TASKS)}",
            where="PFA",
            remedy='write ("summary", "ner") for both, or one of them in a tuple',
        )
    return tuple(t for t in TASKS if t in tasks)


def parse_pfa_answer(
    text: str,
    names: LabelSet,
    tasks: Sequence[str],
    *,
    plain: bool = False,
    source: str | None = None,
    id: str = "answer",
) -> PfaAnswer:
    """Parse an answer; no text raises.

    Args:
        text: the answer.
        names: the labels that were requested.
        tasks: "summary", "ner" or both.
        plain: the variant without headers.
        source: the document's text, which decides where an entity ends that is ambiguous.
        id: the document's id, for error records.
    """
    errors: list[ErrorRecord] = []

    def report(found: str, expected: str) -> None:
        more = f" (+{len(found) - _MAX_QUOTE} characters)" if len(found) > _MAX_QUOTE else ""
        errors.append(
            ErrorRecord(
                where=f"document {id}, {ANSWER_PLACE}",
                found=repr(found[:_MAX_QUOTE]) + more,
                expected=expected,
                remedy="what could be parsed was kept; check the answer",
            )
        )

    text = _CODE_FENCE.sub("", text)
    parts = _plain(text, names, tasks, report) if plain else _sections(text, names, tasks, report)
    entities = _entities(parts.ner, names, report, source) if "ner" in tasks else ()
    pairs = parse_pairs(parts.pairs, report) if "ner" in tasks and parts.pairs is not None else []
    return PfaAnswer(unescape(parts.summary.strip()), entities, tuple(pairs), tuple(errors))


class _Parts(NamedTuple):
    summary: str = ""
    ner: str = ""
    pairs: str | None = None


def _find(header: Header, text: str) -> re.Match[str] | None:
    return header.line.search(text) or header.anywhere.search(text)


def _sections(text: str, names: LabelSet, tasks: Sequence[str], report: ReportProblem) -> _Parts:
    """Split an answer at its headers; one without any is parsed as the plain variant."""
    two = _find(TASK_2_HEADER, text) if "ner" in tasks else TASK_2_HEADER.line.search(text)
    before, body = (text[: two.start()], text[two.end() :]) if two else (text, "")
    if two is None and "ner" in tasks:
        text = _without_truncated_header(text, report)
        report("no header", TASK_2_HEADER.name)
        start = NER_HEADER.line.search(text) or PAIRS_HEADER.line.search(text)
        if start is None:
            one = _find(TASK_1_HEADER, text)
            return _plain(text[one.end() :] if one else text, names, tasks, report)
        before, body = text[: start.start()], text[start.start() :]
    body, again = _repeated(body, report)
    summary = _summary(before, again, tasks, report)
    if "ner" in tasks:
        return _body(body, summary, report)
    if body.strip():
        report(body.strip(), "the summary alone")
    return _Parts(summary)


def _without_truncated_header(text: str, report: ReportProblem) -> str:
    """The text without a last line that is the beginning of a header, as in a truncated answer."""
    head, end, last = text.rstrip().rpartition("\n")
    if not last.strip() or not any(h.name.startswith(last.strip()) for h in (TASK_1_HEADER, TASK_2_HEADER)):
        return text
    report(last.strip(), "a complete header")
    return head + end


def _summary(before: str, again: str, tasks: Sequence[str], report: ReportProblem) -> str:
    """The summary before task 2, or after it where the tasks were answered in the other order."""
    one = _find(TASK_1_HEADER, before)
    if "summary" not in tasks:
        if before.strip():
            report(before.strip(), "task 2 alone")
        return ""
    if one is None and again:
        if before.strip():
            report(before.strip(), TASK_1_HEADER.name)
        return again
    if one is None:
        report("no header", TASK_1_HEADER.name)
        return before
    if before[: one.start()].strip():
        report(before[: one.start()].strip(), f"{TASK_1_HEADER.name} first")
    summary, _ = _repeated(before[one.end() :], report)
    return summary


def _repeated(text: str, report: ReportProblem) -> tuple[str, str]:
    """(text up to a repeated header of a task, text of a repeated task 1)."""
    again = [m for m in (TASK_1_HEADER.line.search(text), TASK_2_HEADER.line.search(text)) if m]
    if not again:
        return text, ""
    first = min(again, key=lambda m: m.start())
    report(text[first.start() :].strip(), "each header once, task 1 first")
    second = text[first.end() :] if "1" in first[0] else ""
    cut = TASK_2_HEADER.line.search(second)
    return text[: first.start()], second[: cut.start()] if cut else second


def _body(body: str, summary: str, report: ReportProblem) -> _Parts:
    """Split task 2 into entities and pairs."""
    pair = _find(PAIRS_HEADER, body)
    if pair is None:
        report("no header", PAIRS_HEADER.name)
        brace = _BRACE.search(body)
        head, tail = (body[: brace.start()], body[brace.start() :]) if brace else (body, None)
    else:
        head, tail = body[: pair.start()], body[pair.end() :]
    ner = NER_HEADER.line.search(head) or NER_HEADER.anywhere.search(head)
    if ner is None:
        report("no header", NER_HEADER.name)
        return _Parts(summary, head, tail)
    if head[: ner.start()].strip():
        report(head[: ner.start()].strip(), f"{NER_HEADER.name} first")
    return _Parts(summary, head[ner.end() :], tail)


def _plain(text: str, names: LabelSet, tasks: Sequence[str], report: ReportProblem) -> _Parts:
    """Split an answer without headers: pairs from the first line that begins with {, entities before them."""
    if "ner" not in tasks:
        return _Parts(text)
    brace = _BRACE.search(text)
    head, pairs = (text[: brace.start()], text[brace.start() :]) if brace else (text, None)
    if pairs is None:
        report("no pairs", "a last line {'a': 'entity'}, or {}")
    lines = head.rstrip().split("\n")
    at = len(lines) - 1
    if at < 0 or not names.separator.match(lines[at].strip()):
        ner = ""
    else:
        while at and names.separator.match(lines[at - 1].strip()):
            at -= 1
        ner, head = "\n".join(lines[at:]), "\n".join(lines[:at])
    if "summary" not in tasks and head.strip():
        report(head.strip(), "entities and pairs alone")
        head = ""
    return _Parts(head, ner, pairs)


def _entities(text: str, names: LabelSet, report: ReportProblem, source: str | None) -> tuple[AnswerEntity, ...]:
    """Parse `:label;entity` with the requested labels."""
    separators = list(names.separator.finditer(text))
    head = text[: separators[0].start()] if separators else text
    if head.strip():
        report(head.strip(), ":label;entity with a requested label")
    entities: list[AnswerEntity] = []
    in_text = {source[max(m.start() - 1, 0) : m.end() + 1] for m in names.separator.finditer(source or "") if source}
    for n, separator in enumerate(separators):
        raw = text[separator.end() : separators[n + 1].start() if n + 1 < len(separators) else len(text)]
        label, exact = names.label_of(separator)
        around = text[max(separator.start() - 1, 0) : separator.end() + 1]
        if label is None or not exact or (n and len(around) > len(separator[0]) + 1 and around in in_text):
            report(around + raw[1:], "a label spelled as requested, and not part of the text itself")
        entity = _entity(raw, label or "", names, report, source)
        if label is not None and entity is not None:
            entities.append(entity)
    return tuple(entities)


def _entity(raw: str, label: str, names: LabelSet, report: ReportProblem, source: str | None) -> AnswerEntity | None:
    """One entity: up to the end of its line, or to a truncated or unknown label, as the source decides."""
    raw = raw.strip()
    line, unknown, cut = LINE_BREAK.search(raw), _UNKNOWN_LABEL.search(raw), names.truncated_separator(raw)
    end = line.start() if line else len(raw)
    if source is not None and "\\" not in raw:
        ends = [len(raw), end, *([unknown.start()] if unknown else []), *([cut] if cut is not None else [])]
        if min(ends) < len(raw):
            end = next((e for e in ends if raw[:e].strip() and raw[:e].strip() in source), end)
    if raw[end:].strip():
        report(raw[end:].strip(), f"one entity of {label!r}, or another with a requested label")
    text = raw[:end].strip()
    marked = OCCURRENCE.search(text)
    if not text:
        report(f"empty entity of {label!r}", "a name from the text")
        return None
    return (
        AnswerEntity(label, unescape(text[: marked.start()]), int(marked[1]))
        if marked
        else AnswerEntity(label, unescape(text))
    )
