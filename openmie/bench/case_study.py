"""Cases: the documents on which two runs differ, right or wrong, with their pictures."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openmie import corpora, report
from openmie import recipe as recipes
from openmie.bench.run_grid import row_name
from openmie.bench.run_spec import RunSpec, read
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.errors import TrainError
from openmie.report.comparison import NO_RELATION, compare

MAX_DOCUMENTS = 60  # documents on the page; the lines hold all
KINDS = ("only A right", "only B right", "both wrong, each its own way")


@dataclass(frozen=True)
class Cases:
    """What two runs were found to differ in."""

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


def cases(out: str | Path, a: str, b: str, *, paper: str = "") -> Cases:
    """Write `OUT/cases--*.jsonl` (all documents that differ) and `.html` (the first 60, with pictures).

    `a` and `b` name a run: its folder or JSON file, or any part of its name that no other run of `out` has. Errors: no
    such run, more than one, runs of different test documents or tasks, a corpus that has changed since.
    """
    runs = [_find(Path(out), text, paper) for text in (a, b)]
    gold, symmetric = _gold(runs), _symmetric(runs[0].record)
    found = list(_compare(gold, runs, runs[0].record["task"], symmetric))
    found.sort(key=lambda f: KINDS.index(f[0]))  # stable: document order within a kind
    names = [f"{r.cell.row}, seed {r.cell.seed}" for r in runs]
    if len({*names}) == 1:
        names = [r.name for r in runs]
    digest = hashlib.sha256(f"{runs[0].name} {runs[1].name}".encode("utf8", "surrogatepass")).hexdigest()[:8]
    stem = Path(out) / f"cases--{digest}"
    tally = Counter(kind for kind, _, _ in found)
    counts = {kind: tally[kind] for kind in KINDS}
    text = "".join(json.dumps(_line(*f, names, runs[0].record["task"]), ensure_ascii=False) + "\n" for f in found)
    writing.replace_text(stem.with_suffix(".jsonl"), text, errors="backslashreplace")
    page = _page(stem.with_suffix(".html"), runs, names, counts, found[:MAX_DOCUMENTS])
    return Cases(page, stem.with_suffix(".jsonl"), {**counts, "the same in both": len(gold) - len(found)})


Difference = tuple[str, Document, list[Document]]  # kind, gold, what each run predicted, all as far as the task goes


def _compare(gold: list[Document], runs: list[_Run], task: str, symmetric: Collection[str]) -> Iterator[Difference]:
    for document in gold:
        known = _task_layers(document, task)
        answers = [_comparable(r.predicted.get(document.id), document, task) for r in runs]
        right = [_right(known, answer, symmetric) for answer in answers]
        if right[0] != right[1]:
            yield KINDS[0 if right[0] else 1], known, answers
        elif not right[0] and _facts(answers[0], task) != _facts(answers[1], task):
            yield KINDS[2], known, answers


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


def _line(kind: str, gold: Document, answers: list[Document], names: list[str], task: str) -> dict[str, Any]:
    found = {
        side: {"run": name, "right": kind == f"only {side} right", "found": _facts(answer, task)}
        for side, name, answer in zip("AB", names, answers)
    }
    return {
        "id": gold.id,
        "text": gold.text,
        "images": [i.path or i.id for i in gold.images if i.kind == "main"],
        "captions": gold.captions,
        "difference": kind,
        "gold": _facts(gold, task),
        **found,
    }


def _page(path: Path, runs: list[_Run], names: list[str], counts: dict[str, int], found: list[Difference]) -> Path:
    documents = []
    for _, gold, answers in found:
        for side, name, answer in zip("AB", names, answers):
            id = f"{gold.id} · {side}: {name}"
            documents.append((gold.replace(id=id), answer.replace(id=id)))
    one = runs[0]
    metric = one.record["metric"]
    rows: list[list[Any]] = [
        [f"{side}: {row_name(r.cell)}, seed {r.cell.seed}", r.record["scores"][metric]["f1"]]
        for side, r in zip("AB", runs)
    ]
    tables = [
        report.Table(title="The two runs", columns=["run", f"test F1 ({metric}), %"], rows=rows),
        report.Table(
            title="Documents that differ", columns=["difference", "documents"], rows=[[k, n] for k, n in counts.items()]
        ),
    ]
    total, where = sum(counts.values()), one.cell.test or one.cell.corpus
    intro = (
        f"{total} of {one.record['documents']} test documents of {where} differ; {len(found)} of them are shown, "
        "each twice."
    )
    return report.write(
        path,
        title="Where two runs differ",
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


def _gold(runs: list[_Run]) -> list[Document]:
    """The test documents of both."""
    one, other = (r.record for r in runs)
    if (one["data"], one["task"]) != (other["data"], other["task"]):
        raise TrainError(
            f"task {one['task']} on {one['test']['name']}, and task {other['task']} on {other['test']['name']}",
            expected="two runs with one task on the same test documents",
            remedy="choose two of one column",
        )
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
    """The one run that a text names."""
    every = [p for p in sorted(out.glob("*/run*.json")) if not paper or p.parent.name.startswith(f"{paper}-")]
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
