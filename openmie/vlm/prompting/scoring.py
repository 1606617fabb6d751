"""Scores of what a vision-language model was asked for, by the scorers of trained systems, and their pedigree."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from openmie import metrics
from openmie.data.document import Document
from openmie.metrics import Scores

FOUR = {"ner", "chains", "re", "boxes"}  # M3D's tasks


def scores(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    tasks: Sequence[str],
    *,
    symmetric: frozenset[str],
    bootstrap: int = 1000,
) -> dict[str, Scores]:
    """All usual scores of the tasks, by name. Relations are those between given pairs, unless names are asked for too.

    Between chains, relations are compared by the chains' overlap. Summaries are scored where gold has some. Errors:
    those of the metrics.
    """
    asked, draws = set(tasks), {"bootstrap": bootstrap, "seed": 0}
    linked = "chains" in asked or any(d.chains for d in gold)
    found: dict[str, Scores] = {}
    if asked >= FOUR:
        found = metrics.score(gold, predicted, "document", symmetric=symmetric, bootstrap=bootstrap)
        asked &= {"summary"}
    for task, wanted in (
        ("joint", {"ner", "re"} <= asked and not linked),
        ("re", asked & {"re", "ner"} == {"re"} and not linked),
        ("grounded", {"ner", "boxes"} <= asked and not linked),
        ("ner", "ner" in asked),
        ("boxes", "boxes" in asked),
    ):
        if wanted:
            more = metrics.score(gold, predicted, task, symmetric=symmetric, bootstrap=bootstrap)  # type: ignore[arg-type]
            found = {**found, **{name: one for name, one in more.items() if name not in found}}
    if "chains" in asked:
        found["chains"] = metrics.chains(gold, predicted, **draws)  # type: ignore[arg-type]
    if "re" in asked and linked:
        found["chain relations"] = metrics.chain_relations(gold, predicted, symmetric=symmetric, **draws)  # type: ignore[arg-type]
    if "summary" in asked and any(d.summary.strip() for d in gold):
        found.update(metrics.text(gold, predicted, bootstrap=bootstrap).measures)
    return found


def record(scores: Mapping[str, Scores], gold: Sequence[Document], **about: Any) -> dict[str, Any]:
    """One number's pedigree as JSON data: scores, data hash, date, versions, and what else is told about it."""
    digest = hashlib.sha256()
    for document in gold:
        digest.update(document.to_json().encode("utf8", "surrogatepass"))
    return {
        **about, "scores": metrics.table(scores), "documents": len(gold), "data": digest.hexdigest(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version(), "openmie": version("openmie"),
    }  # fmt: skip
