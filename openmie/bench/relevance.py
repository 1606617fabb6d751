"""How well the texts and images of a batch fit each other under a trained model (MGIPS-CL, figure 5).

The relevance of text i and image j is the cosine that an alignment compares them by (eq. 14); the K images that its
loss takes as positives of a text (eq. 15) are marked, where its loss is of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from openmie import corpora, report
from openmie.bench.entity_space.picture import find
from openmie.data.document import Document
from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.model.pretrained import Model, load
from openmie.nn.align.topk import TopK
from openmie.report.dots import Dots


@dataclass(frozen=True, kw_only=True)
class Relevance:
    """Documents with both modalities, and how well their texts and images fit."""

    documents: tuple[Document, ...]
    alignment: str  # its name
    cosines: Tensor  # (N, N), a row for each text, a column for each image
    chosen: frozenset[tuple[int, int]]  # (text, image) that the loss takes as positives
    own_first: float  # percent of the texts that their own image fits best


@torch.inference_mode()
def relevance(model: Model, documents: Sequence[Document], alignment: str = "") -> Relevance:
    """The relevance of the texts and images of some documents, in one batch.

    Args:
        model: trained, with an alignment between two modalities.
        documents: of the batch; those that lack a modality are left out.
        alignment: the name of one of the recipe's; "": the first.

    Raises:
        ModelError: a recipe without alignments, or none of that name; fewer than two documents with both modalities.
    """
    known = {a.name: a for a in model.extractor.align}
    name = alignment or next(iter(known), "")
    if name not in known:
        raise ModelError.unknown("alignment", alignment, known, where=model.recipe.name)
    model.extractor.eval()
    align = known[name]
    device = next(model.extractor.parameters()).device
    kept, first, second = [], [], []
    for document in documents:  # one by one, so that the documents of the pairs are known; padding changes nothing
        examples = model.featurizer.featurize([document])
        streams = model.extractor.streams(model.featurizer.collate(examples[:1]).to(device).inputs)
        a, b, _ = align.pairs(streams.encoded if align.stage == "encoded" else streams.fused)
        if len(a):
            kept.append(document)
            first.append(a)
            second.append(b)
    if len(kept) < 2:
        raise ModelError(
            f"{len(kept)} documents with {' and '.join('+'.join(m) for m in align.modalities)}",
            expected="at least two",
            where=model.recipe.name,
            remedy="name a corpus with images",
        )
    a, b = torch.cat(first).float(), torch.cat(second).float()
    cosines = (F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T).cpu()
    own = (cosines.diagonal() >= cosines.amax(1)).float().mean()
    return Relevance(
        documents=tuple(kept),
        alignment=name,
        cosines=cosines,
        chosen=_chosen(align.loss, a, b),
        own_first=100 * float(own),
    )


def _chosen(loss: Any, a: Tensor, b: Tensor) -> frozenset[tuple[int, int]]:
    """The pairs that are positives besides the own ones, as (text, image)."""
    if not isinstance(loss, TopK):
        return frozenset()
    logits = loss.logits(a, b)
    found = set()
    for row, k in enumerate(loss.chosen(logits).tolist()):
        for column in logits[row].topk(int(k)).indices.tolist():
            found.add((row, column) if loss.anchor == "text" else (column, row))
    return frozenset(found)


@dataclass(frozen=True, kw_only=True)
class RelevancePage:
    """What was written, and what of the posts could not be read."""

    path: Path
    records: tuple[ErrorRecord, ...]


def show(
    run: str | Path, corpus: str = "", *, split: str = "test", posts: int = 16, out: str | Path = "relevance.html"
) -> RelevancePage:
    """Write the page of a run: the matrix of the first documents of a split, and these below it.

    Args:
        run: model folder, hub id, or a bench run's folder, which knows its corpus.
        corpus: FORMAT:PATH; "": the bench run's.
        split: of the corpus.
        posts: how many documents at most.
        out: the page.

    Raises:
        OpenMIEError: no corpus, or what `relevance` raises.
    """
    folder, own = find(run)
    if not (corpus or own):
        raise OpenMIEError(
            f"no --corpus, and {run} does not tell one",
            expected="a corpus whose posts are shown",
            remedy="name one: --corpus twitter:DIR, or the bench run",
        )
    data = corpora.load(corpus or own)
    documents = list(islice(data.split(split), posts))
    found = relevance(load(folder), documents)
    numbers = [str(i + 1) for i in range(len(found.documents))]
    dots = Dots(
        title=f"{found.alignment}: relevance of texts and images",
        rows=numbers,
        columns=numbers,
        values=found.cosines.tolist(),
        chosen=found.chosen,
        rows_are="text",
        columns_are="image",
        note="A row for each text, a column for each image; the larger a dot, the higher the cosine"
        + ("; filled are the images that the loss takes as positives of the text." if found.chosen else "."),
    )
    low, high = float(found.cosines.min()), float(found.cosines.max())
    rows: list[list[Any]] = [
        ["texts that their own image fits best, %", found.own_first],
        ["the same by chance, %", 100 / len(numbers)],
    ]
    path = report.write(
        out,
        title=f"Relevance in a batch: {load_name(folder)}",
        intro=f"{len(numbers)} posts of {corpus or own}, split {split}. Cosines from {low:.3f} to {high:.3f}.",
        tables=[dots, report.Table(title="In numbers", columns=["", "value"], rows=rows)],
        documents=[d.replace(id=f"{n} · {d.id}") for n, d in zip(numbers, found.documents)],
    )
    return RelevancePage(path=path, records=data.skipped)


def load_name(folder: str) -> str:
    """The last part of a model's folder, or that of the run that it lies in."""
    path = Path(folder)
    return path.parent.name if path.name == "model" else path.name
