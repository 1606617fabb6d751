"""Cases: the documents on which runs differ, of one system or of several, side by side with their pictures."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from openmie import corpora, report
from openmie import recipe as recipes
from openmie.bench import system
from openmie.bench.run_grid import row_name
from openmie.bench.run_spec import RunSpec, read
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.errors import TrainError
from openmie.report.comparison import NO_RELATION, compare

MAX_DOCUMENTS = 60  # documents on the page; the lines hold all
SIDES = "ABCDEFGH"  # letters of the runs, in the order in which they are named


@dataclass(frozen=True)
class Cases:
    """What runs were found to differ in."""

    page: Path
    lines: Path
    counts: dict[str, int] = field(default_factory=dict)  # kind of difference -> documents

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {kind}" for kind, n in self.counts.items())
        return f"{counts}\n{self.page}\n{self.lines}"


@dataclass(frozen=True)
class _Run:
    name: str
    cell: RunSpec
    record: dict[str, Any]
    predicted: dict[str, Document]


def cases(out: str | Path, *names: str, paper: str = "") -> Cases:
    """Write `OUT/cases--*.jsonl` (all documents that differ) and `.html` (the first 60, with pictures).

    Args:
        out: folder of the runs.
        names: of two to eight runs, of one system or of several: a run's folder or JSON file, or any part of its name
            that no other run of `out` has.
        paper: the system whose runs a part of a name means, where it has one of that name.

    Raises:
        TrainError: fewer than two runs or more than eight; no run of a name, or several; runs of different test
            documents or tasks (entities of a joint system may be compared); a corpus that has changed since.
    """
    if not 2 <= len(names) <= len(SIDES):
        raise TrainError(
            f"{len(names)} runs to compare", expected=f"2 to {len(SIDES)}", remedy="name them: --cases A --cases B"
        )
    runs = [_find(Path(out), text, paper) for text in names]
    task = _task(runs)
    gold = _gold(runs)
    found = list(_compare(gold, runs, task, _symmetric(runs[0].record)))
    kinds = _kinds(len(runs))
    found.sort(key=lambda f: kinds.index(f.kind))  # stable: document order within a kind
    titles = _titles(runs)
    digest = hashlib.sha256(" ".join(r.name for r in runs).encode("utf8", "surrogatepass")).hexdigest()[:8]
    stem = Path(out) / f"cases--{digest}"
    tally = Counter(f.kind for f in found)
    counts = {kind: tally[kind] for kind in kinds if tally[kind] or len(runs) == 2}
    text = "".join(json.dumps(_line(f, titles, task), ensure_ascii=False) + "\n" for f in found)
    writing.replace_text(stem.with_suffix(".jsonl"), text, errors="backslashreplace")
    page = _page(stem.with_suffix(".html"), runs, titles, counts, found[:MAX_DOCUMENTS], task)
    same = "the same in both" if len(runs) == 2 else "the same in all"
    return Cases(page, stem.with_suffix(".jsonl"), {**counts, same: len(gold) - len(found)})


@dataclass(frozen=True)
class Difference:
    """A document on which runs differ, all as far as the task goes."""

    kind: str
    gold: Document
    answers: list[Document]  # of each run
    right: tuple[bool, ...]


def _kind(right: tuple[bool, ...]) -> str:
    """Which runs are right: `only A right`, `A and C right`; none of them: that their answers are not alike."""
    sides = [side for side, one in zip(SIDES, right) if one]
    if not sides:
        return "both wrong, each its own way" if len(right) == 2 else "none right, not alike"
    return f"only {sides[0]} right" if len(sides) == 1 else f"{', '.join(sides[:-1])} and {sides[-1]} right"


def _kinds(runs: int) -> list[str]:
    """All kinds in the order of the page: one run right, two, ..., none."""
    patterns = sorted(product((True, False), repeat=runs), key=lambda p: (sum(p) or runs, [not x for x in p]))
    return [_kind(p) for p in patterns if not all(p)]


def _titles(runs: list[_Run]) -> list[str]:
    """As short as tells the runs apart: variant and seed, the system before it, or the name of the folder."""
    plain = [f"{r.cell.row}, seed {r.cell.seed}" for r in runs]
    if len({r.cell.paper for r in runs}) > 1:
        plain = [f"{system.full_name(r.cell.paper)} {name}" for r, name in zip(runs, plain)]
    return plain if len({*plain}) == len(runs) else [r.name for r in runs]


def _compare(gold: list[Document], runs: list[_Run], task: str, symmetric: Collection[str]) -> Iterator[Difference]:
    for document in gold:
        known = _task_layers(document, task)
        answers = [_comparable(r.predicted.get(document.id), document, task) for r in runs]
        right = tuple(_right(known, answer, symmetric) for answer in answers)
        alike = all(_facts(answer, task) == _facts(answers[0], task) for answer in answers[1:])
        if any(right) != all(right) or not (any(right) or alike):
            yield Difference(_kind(right), known, answers, right)


def _task_layers(document: Document, task: str) -> Document:
    """Gold as far as a task goes; a relation None is no relation."""
    relations = tuple(r for r in document.relations if r.label != NO_RELATION) if task != "ner" else ()
    return document.replace(relations=relations, chains=(), regions=(), summary="")


def _comparable(predicted: Document | None, gold: Document, task: str) -> Document:
    """A prediction with its document's pictures, as far as a task goes."""
    if predicted is None:
        return _task_layers(gold.replace(mentions=(), relations=()), task)
    whole = predicted.replace(images=gold.images, captions=gold.captions, text=gold.text)
    return _task_layers(whole, task)


def _right(gold: Document, predicted: Document, symmetric: Collection[str]) -> bool:
    view = compare((gold, predicted), symmetric)
    verdicts = [part.verdict for part in (*view.spans, *view.unlocated)] + [link.verdict for link in view.links]
    return all(verdict == "right" for verdict in verdicts)


def _facts(document: Document, task: str) -> list[dict[str, Any]]:
    """What a document says, as data, in an order of its own."""
    named = {m.id: m for m in document.mentions}
    facts: list[dict[str, Any]] = []
    if task != "re":
        facts += [{"text": m.text, "label": m.label, "start": m.start, "end": m.end} for m in document.mentions]
    for r in document.relations:
        ends = [named.get(end) for end in (r.head, r.tail)]
        facts.append(
            {
                "relation": r.label,
                "head": ends[0].text if ends[0] else r.head,
                "tail": ends[1].text if ends[1] else r.tail,
            }
        )
    return sorted(facts, key=lambda fact: json.dumps(fact, sort_keys=True))


def _line(case: Difference, titles: list[str], task: str) -> dict[str, Any]:
    gold = case.gold
    found = {
        side: {"run": title, "right": right, "found": _facts(answer, task)}
        for side, title, answer, right in zip(SIDES, titles, case.answers, case.right)
    }
    return {
        "id": gold.id,
        "text": gold.text,
        "images": [i.path or i.id for i in gold.images if i.kind == "main"],
        "captions": gold.captions,
        "difference": case.kind,
        "gold": _facts(gold, task),
        **found,
    }


def _said(facts: list[dict[str, Any]]) -> str:
    """Facts in a cell of a table: `Ada PER, Rome LOC; Ada lives in Rome`."""
    named = ", ".join(f"{f['text']} {f['label']}".strip() for f in facts if "text" in f)
    linked = ", ".join(f"{f['head']} – {f['relation']} – {f['tail']}" for f in facts if "relation" in f)
    return "; ".join(filter(None, (named, linked))) or "nothing"


def _side_by_side(found: list[Difference], task: str) -> report.Table:
    """A row a document: gold, and of each run that it is right or what it says instead."""
    rows: list[list[Any]] = []
    for case in found:
        said = ["✓" if r else f"✗ {_said(_facts(a, task))}" for a, r in zip(case.answers, case.right)]
        rows.append([case.gold.id, case.gold.text, _said(_facts(case.gold, task)), *said])
    sides = SIDES[: len(found[0].answers)] if found else ""
    return report.Table(title="Side by side", columns=["document", "text", "gold", *sides], rows=rows)


def _page(
    path: Path, runs: list[_Run], titles: list[str], counts: dict[str, int], found: list[Difference], task: str
) -> Path:
    documents = []
    for case in found:
        for side, title, answer in zip(SIDES, titles, case.answers):
            id = f"{case.gold.id} · {side}: {title}"
            documents.append((case.gold.replace(id=id), answer.replace(id=id)))
    one = runs[0]
    metric = "entities" if task == "ner" and one.record["task"] == "joint" else one.record["metric"]
    rows: list[list[Any]] = []
    for side, title, r in zip(SIDES, titles, runs):
        name = metric if metric in r.record["scores"] else r.record["metric"]
        rows.append([f"{side}: {title}", system.full_name(r.cell.paper), row_name(r.cell), name])
        rows[-1].append(r.record["scores"][name]["f1"])
    tables = [
        report.Table(title="The runs", columns=["run", "system", "variant", "score", "test F1, %"], rows=rows),
        report.Table(
            title="Documents that differ", columns=["difference", "documents"], rows=[[k, n] for k, n in counts.items()]
        ),
        _side_by_side(found, task),
    ]
    total, where = sum(counts.values()), one.cell.test or one.cell.corpus
    intro = (
        f"{total} of {one.record['documents']} test documents of {where} differ; {len(found)} of them are shown, "
        "once for each run."
    )
    return report.write(
        path,
        title="Where runs differ",
        intro=intro,
        tables=tables,
        documents=documents,
        symmetric=_symmetric(one.record),
    )


def _symmetric(record: dict[str, Any]) -> frozenset[str]:
    if "heads" not in record["recipe"]:  # of a generative system
        return frozenset()
    found: frozenset[str] = recipes.load(record["recipe"]).symmetric_labels
    return found


def _task(runs: list[_Run]) -> str:
    """What all runs can be compared by: their task, or the entities where some find relations beside them."""
    tasks, data = {r.record["task"] for r in runs}, {r.record["data"] for r in runs}
    if len(data) > 1 or (len(tasks) > 1 and tasks != {"ner", "joint"}):
        raise TrainError(
            ", and ".join(dict.fromkeys(f"task {r.record['task']} on {r.record['test']['name']}" for r in runs)),
            expected="runs with one task on the same test documents",
            remedy="choose those of one column",
        )
    return tasks.pop() if len(tasks) == 1 else "ner"


def _gold(runs: list[_Run]) -> list[Document]:
    """The test documents of all."""
    one = runs[0].record
    cell, digest = runs[0].cell, hashlib.sha256()
    gold = list(corpora.load(cell.test or cell.corpus).test)
    for document in gold:
        digest.update(document.to_json().encode("utf8", "surrogatepass"))
    if digest.hexdigest() != one["data"]:
        raise TrainError(
            "other test documents than those that were scored",
            expected="the same",
            where=cell.corpus,
            remedy="the corpus has changed since: bench into another --out",
        )
    return gold


def _find(out: Path, text: str, paper: str) -> _Run:
    """The one run that a text names: among those of the paper, or where none of these has the name, among all."""
    every = sorted(out.glob("*/run*.json"))
    own = [p for p in every if paper and p.parent.name.startswith(f"{paper}-")]
    every = own if any(text in f"{p.parent.name}/{p.stem}" for p in own) else every
    requested = Path(text)
    exact = [p for p in every if requested in (p, p.parent) or text == p.parent.name]
    found = exact or [p for p in every if text in f"{p.parent.name}/{p.stem}"]
    if requested.is_file() or (requested / "run.json").is_file():
        found = [requested if requested.is_file() else requested / "run.json"]
    if len(found) > 1 and (own := [p for p in found if p.stem == "run"]):
        found = own
    if len(found) != 1:
        known = [str(p.relative_to(out)) for p in (found or every)][:12]
        raise TrainError(
            f"{len(found)} runs of the name {text!r}",
            expected="one of " + (", ".join(known) or "no runs"),
            where=str(out),
            remedy="give the folder of the run, or a part of its name that no other has",
        )
    record = read(found[0]) or {}
    predictions = found[0].with_name(found[0].name.replace("run", "predictions", 1)).with_suffix(".jsonl")
    return _Run(
        found[0].parent.name, RunSpec.load(record["cell"]), record, {d.id: d for d in corpora.read(predictions)}
    )
