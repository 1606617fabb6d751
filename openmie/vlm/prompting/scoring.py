"""Scores the predictions of a vision-language model by the scorers of trained systems."""

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

M3D_TASKS = {"ner", "chains", "re", "boxes"}


def score_tasks(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    tasks: Sequence[str],
    *,
    symmetric: frozenset[str],
    bootstrap: int = 1000,
) -> dict[str, Scores]:
    """All usual scores of the requested tasks.

    Relations are scored between given pairs unless mentions are requested too; relations between chains are compared by
    the overlap of the chains. Summaries are scored where gold has any.

    Args:
        gold: gold documents.
        predicted: predicted documents, one for each.
        tasks: names of `openmie.vlm.prompting.schema.TASKS`.
        symmetric: labels of relations without direction.
        bootstrap: resamples for the confidence intervals; 0: none.

    Returns:
        Name of a score -> scores, in percent.

    Raises:
        MetricError: gold and predictions that do not fit.
    """
    requested, draws = set(tasks), {"bootstrap": bootstrap, "seed": 0}
    linked = "chains" in requested or any(d.chains for d in gold)
    found: dict[str, Scores] = {}
    if requested >= M3D_TASKS:
        found = metrics.score(gold, predicted, "document", symmetric=symmetric, bootstrap=bootstrap)
        requested &= {"summary"}
    for task, scored in (
        ("joint", {"ner", "re"} <= requested and not linked),
        ("re", requested & {"re", "ner"} == {"re"} and not linked),
        ("grounded", {"ner", "boxes"} <= requested and not linked),
        ("ner", "ner" in requested),
        ("boxes", "boxes" in requested),
    ):
        if scored:
            more = metrics.score(gold, predicted, task, symmetric=symmetric, bootstrap=bootstrap)  # type: ignore[arg-type]
            found = {**found, **{name: one for name, one in more.items() if name not in found}}
    if "chains" in requested:
        found["chains"] = metrics.chains(gold, predicted, **draws)  # type: ignore[arg-type]
    if "re" in requested and linked:
        found["chain relations"] = metrics.chain_relations(gold, predicted, symmetric=symmetric, **draws)  # type: ignore[arg-type]
    if "summary" in requested and any(d.summary.strip() for d in gold):
        found.update(metrics.text(gold, predicted, bootstrap=bootstrap).measures)
    return found


def score_record(scores: Mapping[str, Scores], gold: Sequence[Document], **about: Any) -> dict[str, Any]:
    """Scores as JSON values, with what they depend on: hash of the data, date, versions, and `about`."""
    digest = hashlib.sha256()
    for document in gold:
        digest.update(document.to_json().encode("utf8", "surrogatepass"))
    return {
        **about, "scores": metrics.table(scores), "documents": len(gold), "data": digest.hexdigest(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version(), "openmie": version("openmie"),
    }  # fmt: skip
