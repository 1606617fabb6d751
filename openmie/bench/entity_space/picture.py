"""From a run to the page: find its model and corpus, encode, project, write down what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openmie import corpora
from openmie.bench.entity_space.space import NEIGHBOURS, Separation, needed, perplexity, project, separation
from openmie.bench.entity_space.vectors import Entities, entities
from openmie.bench.run_spec import read
from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.model.pretrained import load
from openmie.report import Table
from openmie.report.embeddings import UNTYPED, write


@dataclass(frozen=True, kw_only=True)
class EntitySpacePage:
    """What was written, as the command line prints it."""

    path: Path
    entities: Entities
    separation: Separation
    records: tuple[ErrorRecord, ...] = ()  # of what could not be read

    def __str__(self) -> str:
        mb, n = self.path.stat().st_size / 1e6, len(self.entities.entities)
        scores = "; ".join(f"{name} {value}" for name, value in _scores(self.separation).items())
        return f"{self.path}: {n:,} of {self.entities.total:,} mentions, {mb:.1f} MB; {scores}"


def find(run: str | Path) -> tuple[str, str]:
    """(model folder, corpus) of a bench run's folder; the corpus is empty for a model folder that is none's.

    Errors: a folder that holds no model.
    """
    folder = Path(run)
    if not folder.is_dir():
        return str(run), ""  # a hub id, or a path that `load` will say is not there
    inside = folder if (folder / "recipe.json").exists() else folder / "model"
    if not (inside / "recipe.json").exists():
        raise ModelError(
            f"no model in {str(folder)!r}",
            expected="a model folder, or a run's folder of `openmie bench`",
            remedy="name the --out of a training, or OUT/RUN of a bench whose training is done",
        )
    record = next((t for name in ("train.json", "run.json") if (t := read(inside.parent / name))), {})
    return str(inside), record.get("cell", {}).get("corpus", "") if inside.name == "model" else ""


def show(
    run: str | Path,
    corpus: str = "",
    *,
    split: str = "test",
    most: int = 2000,
    seed: int = 0,
    out: str | Path = "embeddings.html",
) -> EntitySpacePage:
    """Write the page of a run: a model folder, a hub id, or a bench run's folder, which knows its corpus itself.

    Errors: packages of the extra that are missing; no corpus; a model that finds no entities; too few mentions.
    """
    needed()
    folder, own = find(run)
    spec = corpus or own
    if not spec:
        raise OpenMIEError(
            f"no --corpus, and {run} {'does not tell one' if Path(run).is_dir() else 'is no folder here'}",
            expected="a corpus whose mentions are drawn",
            remedy="name one: --corpus twitter:DIR, or the bench run",
        )
    data, model = corpora.load(spec), load(folder)
    if torch.cuda.is_available():
        model.extractor.cuda()
    found = entities(model, data.split(split), most=most, seed=seed)
    points = project(found.vectors, seed)
    parted = separation(found.vectors, found.labels)
    about = {
        "model": f"{model.recipe.name}, {folder}",
        "corpus": f"{spec}, split {split}",
        "mentions": f"{len(points):,} of {found.total:,}" + ("" if len(points) == found.total else ", drawn at random"),
        "width of the vectors": str(found.vectors.shape[1]),
        "perplexity of t-SNE": f"{perplexity(len(points)):g}",
        "seed": str(seed),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    path = _page(out, found, points, parted, about, [str(r) for r in data.skipped])
    return EntitySpacePage(path=path, entities=found, separation=parted, records=data.skipped)


def _page(
    out: str | Path,
    found: Entities,
    points: np.ndarray,
    parted: Separation,
    about: dict[str, str],
    skipped: Sequence[str],
) -> Path:
    scores = Table(
        title="How well types part, on the vectors themselves",
        columns=["", "value"],
        rows=[[k, v] for k, v in _scores(parted).items()],
        note=f"The {NEIGHBOURS} nearest other mentions vote on a mention's type. They may be the same name in another "
        "post. The silhouette goes from -1 to 1; near 0 the types lie among each other.",
    )
    notes = [f"Gold mentions that touch no word of their text, and are not shown: {found.unlocated:,}."]
    for what, lines in (("Images or captions not read in full", found.errors), ("Records not read", skipped)):
        if lines:
            notes.append(f"{what}: {len(lines):,}, such as {' | '.join(lines[:3])}")
    return write(
        out,
        found.entities,
        points.tolist(),
        title=f"Entity vectors: {about['model'].split(', ')[0]}",
        intro="Each point is a gold mention: the mean of the model's fused states over its words, brought to three "
        "dimensions by t-SNE, coloured by its gold type. A full point is a mention to which the model gives that type, "
        "an open one a mention to which it gives another or none.",
        caption="Drag to turn, scroll to come nearer, point to read; a click on a type hides it, two show it alone. "
        "t-SNE keeps neighbours together, but distances between clusters and their sizes mean little: the numbers "
        "below are of the vectors, not of the picture.",
        tables=[
            scores,
            _types(found, parted),
            Table(title="What is shown", columns=["", "value"], rows=[[k, v] for k, v in about.items()]),
        ],
        notes=notes,
    )


def _scores(parted: Separation) -> dict[str, str]:
    named: dict[str, Any] = {"silhouette": parted.silhouette, f"{NEIGHBOURS}-NN accuracy": parted.accuracy}
    facts = {
        k: "none, with one type" if v is None else f"{v:.3f}" if k == "silhouette" else f"{v:.1f}%"
        for k, v in named.items()
    }
    return facts | {"share of the commonest type": f"{parted.commonest:.1f}%"}


def _types(found: Entities, parted: Separation) -> Table:
    """A row a type, and all of them."""
    labels, same = found.labels, np.array([e.predicted == e.label for e in found.entities])
    masks = {name: labels == name for name in sorted(set(labels.tolist()), key=lambda x: (not x, x))}
    rows = [[name or UNTYPED, *_row(mask, same, parted.right)] for name, mask in masks.items()]
    whole = ["all", *_row(np.ones(len(labels), bool), same, parted.right)]
    return Table(
        title="Types",
        columns=["type", "mentions", "named with this type by the model, %", f"{NEIGHBOURS}-NN, %"],
        rows=[*rows, whole],
        marked=[len(rows)],
    )


def _row(mask: np.ndarray, same: np.ndarray, right: np.ndarray) -> list[Any]:
    return [int(mask.sum()), 100 * float(same[mask].mean()), 100 * float(right[mask].mean())]
