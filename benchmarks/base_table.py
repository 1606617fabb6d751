"""The table of base: every row with the project's own metrics, and other systems on the same documents.

    python benchmarks/base_table.py --corpora DIR [--model FOLDER] [--rows NAME ...] [--out base.json]
    python benchmarks/base_table.py --corpora DIR --others spacy-sm=FOLDER --out base.json

Scores at the model's own thresholds, and at thresholds chosen on the first 400 documents of the set's dev split; never
on a test split. `--limit` takes the first documents of each set only. `--others NAME=FOLDER` scores what
`benchmarks/base_others.py` predicted. The record has the date, the hash of the weights, the scores with 95% bootstrap
intervals (seed 0), seconds, and each predicted score with whether it was right. It is written after each row; started
again with the same weights, rows that it has are left alone.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from base_rows import ENTITY_ROWS, RELATION_ROWS, WIKIDATA, EntityRow, RelationRow
from base_scoring import (
    LOW,
    Judged,
    Model,
    Remembered,
    gold_documents,
    judge,
    own_thresholds,
    predict_entities,
    predict_relations,
    relation_threshold,
    score_entities,
    with_chains,
    with_entities,
    with_relations,
    without_weak,
)

from openmie import metrics
from openmie.base.calibration import expected_calibration_error
from openmie.base.labels import label_texts, relation_texts
from openmie.corpora import load
from openmie.data.document import Document
from openmie.datasets.mnre import SYMMETRIC
from openmie.formats.registry import read


def documents(corpora: Path, spec: str, limit: int = 0) -> list[Document]:
    """The documents of FORMAT:PATH#SPLIT, or of a single file, below a folder."""
    name, _, split = spec.partition("#")
    kind, _, path = name.partition(":")
    corpus = load(f"{kind}:{corpora / path}")
    found = list(corpus.split(split or next(iter(corpus.sources))))
    return found[:limit] if limit else found


DEV = 400  # documents of a dev split that thresholds are chosen on


def model_labels(row: EntityRow) -> dict[str, str]:
    """Name -> description, for the model."""
    known = label_texts("zh" if row.lang == "zh" else "en")
    return {name: known.get(name, "") for name in dict.fromkeys(row.names.values())}


def entity_row(model: Model, row: EntityRow, corpora: Path, limit: int = 0) -> tuple[dict[str, Any], Judged]:
    """Scores of a row, and the judged predictions at the model's own thresholds."""
    labels = model_labels(row)
    gold = gold_documents(documents(corpora, row.test, limit), row.names)
    started = time.perf_counter()
    found = predict_entities(model, gold, labels)
    seconds = time.perf_counter() - started
    result = {"documents": len(gold), "trained": row.trained, "seconds": round(seconds, 1)}
    result["default"] = shown(score_entities(gold, found))
    if new := set(labels) - taught_names():
        result["names not taught"] = {"names": sorted(new), **shown(score_entities(*_of_labels(gold, found, new)))}
    if row.dev:
        dev = gold_documents(documents(corpora, row.dev, limit or DEV), row.names)
        chosen = own_thresholds(model, dev, labels)
        result["dev_thresholds"] = {k: round(v, 4) for k, v in chosen.items()}
        result["dev"] = shown(score_entities(gold, predict_entities(model, gold, labels, chosen)))
    return result, judge(gold, found)


def taught_names() -> set[str]:
    """Names that training gives to entity types, of corpora and of roles in relations; WordNet's are not among them."""
    from openmie.base.sources import labels

    return {text.partition(":")[0].strip() for label in labels().values() for text in label.texts} | set(label_texts())


def _of_labels(gold: Sequence[Document], found: Any, names: set[str]) -> tuple[list[Document], list[list[Any]]]:
    """Gold and predictions of some labels only."""
    kept = [d.replace(mentions=tuple(m for m in d.mentions if m.label in names), relations=(), chains=()) for d in gold]
    return kept, [[e for e in some if e.label in names] for some in found]


def shown(scores: metrics.Scores) -> dict[str, Any]:
    """Scores as the record has them."""
    made: dict[str, Any] = {k: round(getattr(scores, k), 2) for k in ("precision", "recall", "f1")}
    if scores.interval:
        made["interval"] = [round(x, 2) for x in scores.interval]
    if scores.accuracy is not None:
        made["accuracy"] = round(scores.accuracy, 2)
    if scores.by_label:
        made["by_label"] = {k: [round(s.f1, 1), s.gold] for k, s in scores.by_label.items()}
    return made


def model_relations(row: RelationRow, corpora: Path, gold: Sequence[Document]) -> dict[str, tuple[str, str]]:
    """Label of the set -> name and description for the model."""
    known = relation_texts()
    if row.relations:
        return {label: (name, text or known.get(name, "")) for label, (name, text) in row.relations.items()}
    wikidata = json.loads((corpora / "open/fewrel/pid2name.json").read_text(encoding="utf-8"))
    used = sorted({r.label for d in gold for r in d.relations})
    named = {label: wikidata.get(label, [WIKIDATA.get(label, label), ""]) for label in used}
    return {label: (name, "" if "No description" in text else text) for label, (name, text) in named.items()}


class Relations:
    """One row: its documents, how the model is asked for its relations, and how its answers are scored."""

    def __init__(self, model: Model, row: RelationRow, corpora: Path, limit: int = 0) -> None:
        self.model, self.row, self.corpora = model, row, corpora
        self.given = not row.names
        self.gold = self.read(row.test, limit)
        asked = model_relations(row, corpora, self.gold)
        names = _one_name_each(asked)
        self.texts = {names[label]: text for label, (_, text) in asked.items()}
        self.label = {name: label for label, name in names.items()}
        self.symmetric = SYMMETRIC if self.given else frozenset()

    def read(self, spec: str, limit: int) -> list[Document]:
        """The gold of a split."""
        found = documents(self.corpora, spec, limit)
        return found if self.given else gold_documents(found, self.row.names)

    def predict(self, some: Sequence[Document], threshold: float | None = None) -> list[Document]:
        """Documents with predicted relations between the entities that they have."""
        pairs = predict_relations(self.model, some, self.texts, threshold)
        labelled = [[(h, t, self.label[x], s) for h, t, x, s in found] for found in pairs]
        return with_relations(some, labelled, "given" if self.given else "chains" if self.row.chains else "mentions")

    def score(self, gold: Sequence[Document], found: Sequence[Document], bootstrap: int = 0) -> metrics.Scores:
        """Given pairs: `metrics.relations`; chains: `chain_relations`; else strict with entities: `pairs`."""
        kind = metrics.relations if self.given else metrics.chain_relations if self.row.chains else metrics.pairs
        return kind(gold, found, symmetric=self.symmetric, bootstrap=bootstrap)


def relation_row(model: Model, row: RelationRow, corpora: Path, limit: int = 0) -> dict[str, Any]:
    """Scores of a row: between gold entities, and, where entities have labels, between found ones."""
    started = time.perf_counter()
    asked = Relations(model, row, corpora, limit)
    between = {"gold entities": asked.gold}
    result: dict[str, Any] = {"documents": len(asked.gold), "trained": row.trained}
    if not asked.given:
        labels = {name: label_texts().get(name, "") for name in dict.fromkeys(row.names.values())}
        mine = with_entities(asked.gold, predict_entities(model, asked.gold, labels))
        result["entities"] = shown(metrics.spans(asked.gold, mine, bootstrap=1000))
        between["found entities"] = with_chains(model, mine) if row.chains else mine
    if row.chains:
        result["chains, gold mentions"] = shown(metrics.chains(asked.gold, with_chains(model, asked.gold)))
        result["chains, found entities"] = shown(metrics.chains(asked.gold, between["found entities"]))
    for name, some in between.items():
        result[name] = shown(asked.score(asked.gold, asked.predict(some), 1000))
    if row.dev:
        dev = asked.read(row.dev, limit or DEV)
        chosen = relation_threshold(dev, asked.predict(dev, LOW), asked.score)
        result["dev_threshold"] = round(chosen, 4)
        for name, some in between.items():
            strong = without_weak(asked.predict(some, min(LOW, chosen)), chosen)
            result[f"{name}, threshold of dev"] = shown(asked.score(asked.gold, strong, 1000))
    return {**result, "seconds": round(time.perf_counter() - started, 1)}


def _one_name_each(asked: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Label of the set -> a name of its own: two relations of one name are told apart by a number."""
    names: dict[str, str] = {}
    for label, (name, _) in asked.items():
        names[label] = (
            name if name not in names.values() else f"{name} {sum(n.startswith(name) for n in names.values())}"
        )
    return names


def calibration(judged: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Any]:
    """Expected calibration errors of what is predicted at the model's own thresholds, in percent.

    Args:
        judged: row -> scores, and whether each is right.
    """
    made = {}
    whole = [[x for one in judged.values() for x in one[k]] for k in (0, 1)]
    for name, (scores, correct) in {**judged, "all rows": whole}.items():
        p = [min(max(x, 0.0), 1.0) for x in scores]
        made[name] = {
            "predictions": len(p),
            "ece": round(100 * expected_calibration_error(p, correct), 1),
            "ece, equal mass": round(100 * expected_calibration_error(p, correct, equal_mass=True), 1),
            "precision": round(100 * sum(correct) / max(len(p), 1), 1),
            "mean score": round(100 * sum(p) / max(len(p), 1), 1),
        }
    return made


def other_rows(name: str, folder: Path, corpora: Path, limit: int) -> dict[str, Any]:
    """Scores of another system's predictions, FOLDER/ROW.jsonl, of the rows that it has."""
    made = {}
    for row_name, row in ENTITY_ROWS.items():
        path = folder / f"{row_name}.jsonl"
        if path.exists():
            gold = gold_documents(documents(corpora, row.test, limit), row.names)
            ids = {d.id for d in gold}
            predicted = [d for d in read(path) if d.id in ids]
            made[row_name] = {"documents": len(gold), "default": shown(metrics.spans(gold, predicted, bootstrap=1000))}
    return made


def model_hash(folder: Path) -> str:
    """SHA-256 of the files of a model's text part, in order of their names."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.name in ("text.safetensors", "text.json")):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def measure(
    model: Model, corpora: Path, rows: Sequence[str], limit: int = 0, out: Path | None = None, **about: Any
) -> Any:
    """All rows that are named, and the calibration over them.

    Args:
        model: what is measured.
        corpora: their folder.
        rows: names of `ENTITY_ROWS`, and of `RELATION_ROWS` with " relations" behind.
        limit: documents of each set; 0 for all.
        out: the record, written after each row; one of the same weights is continued.
        **about: what else the record says; `weights` and `limit` tell whether it is the same.
    """
    about |= {"limit": limit}
    empty: dict[str, Any] = {"entities": {}, "relations": {}, "judged": {}}
    old = json.loads(out.read_text(encoding="utf-8")) if out and out.exists() else {}
    same = old.get("weights") == about.get("weights") and old.get("limit") == limit
    record = {**empty, **(old if same else {}), **about}
    states = Remembered(model)
    for name in rows:
        kind, key = (
            ("relations", name.removesuffix(" relations")) if name.endswith(" relations") else ("entities", name)
        )
        if key in record[kind]:
            continue
        if kind == "relations":
            record[kind][key] = relation_row(model, RELATION_ROWS[key], corpora, limit)
        else:
            record[kind][key], judged = entity_row(model, ENTITY_ROWS[key], corpora, limit)
            record["judged"][key] = [[round(s, 4) for s in judged.scores], [int(c) for c in judged.correct]]
        states.forget()
        record["calibration"] = calibration(record["judged"])
        if out:
            write_record(out, record)
        f1 = {k: v["f1"] for k, v in record[kind][key].items() if isinstance(v, dict) and "f1" in v}
        print(name, f1, record[kind][key]["seconds"], flush=True)
    return record


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """The record as JSON."""
    out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(record: Mapping[str, Any]) -> str:
    """The record as a table for docs/models/base.md."""
    others = record.get("others", {})
    head = ["set", "documents", "trained on", "P", "R", "F1 (95%)", "F1, thresholds of dev", *others]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in record["entities"].items():
        best = row["default"]
        low, high = best.get("interval", ("", ""))
        cells = [name, row["documents"], row["trained"], best["precision"], best["recall"],
                 f"{best['f1']} ({low} to {high})", row.get("dev", {}).get("f1", "")]  # fmt: skip
        cells += [others[o].get(name, {}).get("default", {}).get("f1", "") for o in others]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| relations | " + " | ".join(("documents", "trained on", "between", "P", "R", "F1 (95%)")) + " |"]
    lines.append("|" + "---|" * 7)
    for name, row in record["relations"].items():
        for between, s in row.items():
            if isinstance(s, dict):
                low, high = s.get("interval", ("", ""))
                cells = [name, row["documents"], row["trained"], between, s["precision"], s["recall"],
                         f"{s['f1']} ({low} to {high})"]  # fmt: skip
                lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| calibration | predictions | precision | mean score | ECE | ECE, equal mass |", "|" + "---|" * 6]
    for name, c in record["calibration"].items():
        cells = [name, c["predictions"], c["precision"], c["mean score"], c["ece"], c["ece, equal mass"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    every = [*ENTITY_ROWS, *(f"{name} relations" for name in RELATION_ROWS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None, help="folder; default: the shipped weights")
    parser.add_argument("--rows", nargs="+", choices=every, default=every)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--others", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    from openmie.base import text_model

    weights = asked.model or Path(text_model.__file__).parent / "weights"
    about = {"date": str(datetime.date.today()), "weights": model_hash(weights), "bootstrap_seed": 0}
    record = measure(text_model.TextModel.load(asked.model), asked.corpora, asked.rows, asked.limit, asked.out, **about)
    pairs = [pair.partition("=") for pair in asked.others]
    record["others"] = {name: other_rows(name, Path(at), asked.corpora, asked.limit) for name, _, at in pairs}
    if asked.out:
        write_record(asked.out, record)
    print(markdown(record))


if __name__ == "__main__":
    main()
