"""What the service asks of a model: openmie-base, a trained model, and a vision-language model behind one face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import openmie
from openmie.base.labels import LABELS, RELATIONS, LabelSet, described
from openmie.data.document import Document
from openmie.data.provenance import digest, now, provenance, stamp
from openmie.errors import RecipeError

if TYPE_CHECKING:
    from openmie.base.predictor import Base
    from openmie.model.pretrained import Model
    from openmie.vlm.prompting.request import ExtractionRequest

Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class ModelQuery:
    """One thing that a model is asked for; posts with equal keys are predicted together.

    Args:
        key: equal for equal queries.
        predict: Documents in, predicted Documents out, one for one.
    """

    key: str
    predict: Callable[[Sequence[Document]], list[Document]]


class ServedModel(Protocol):
    """A model of the service.

    Attributes:
        kind: `base`, `trained` or `vision-language`.
        takes_labels: whether labels are given with a request; else they are fixed.
        reads_images: whether it reads images.
        labels: entity types that it finds where none are given, label -> description.
        relations: the same for relations.
    """

    kind: str
    takes_labels: bool
    reads_images: bool
    labels: Mapping[str, str]
    relations: Mapping[str, str]

    def query(self, labels: LabelSet | None, relations: LabelSet | None, threshold: Threshold) -> ModelQuery:
        """What a request asks for.

        Raises:
            RecipeError: labels or a threshold that mean nothing, or that this model does not take.
        """


class ServedBase:
    """openmie-base, or a model that was fine-tuned from it.

    Args:
        base: the loaded model.
    """

    kind, takes_labels = "base", True

    def __init__(self, base: Base) -> None:
        self.base = base
        self.labels: Mapping[str, str] = base.query.labels
        self.relations: Mapping[str, str] = base.query.relations
        self.reads_images = base.images is not None

    def query(self, labels: LabelSet | None, relations: LabelSet | None, threshold: Threshold) -> ModelQuery:
        """See `ServedModel`."""
        bound = self.base.with_query(labels, relations, threshold)
        identity = bound.identity()
        return ModelQuery(key=identity["query"], predict=lambda documents: _stamped(bound.predict(documents), identity))


class ServedTrained:
    """A trained model, whose labels are fixed.

    Args:
        model: the loaded model.
    """

    kind, takes_labels = "trained", False

    def __init__(self, model: Model) -> None:
        self.model, self.identity = model, model.identity()  # a hash of all weights, made once
        self.reads_images = model.reads_images
        heads = model.recipe.heads
        relating = [head for head in heads if head.makes() & {"relations", "links", "cells"}]
        typing = [getattr(head, "mentions" if head in relating else "labels", ()) for head in heads]
        self.labels: Mapping[str, str] = {label: "" for labels in typing for label in labels}
        self.relations: Mapping[str, str] = {label: "" for head in relating for label in head.labels if label != "None"}

    def query(self, labels: LabelSet | None, relations: LabelSet | None, threshold: Threshold) -> ModelQuery:
        """See `ServedModel`."""
        given = {"labels": labels, "relations": relations, "threshold": threshold}
        if named := [name for name, value in given.items() if value is not None]:
            raise RecipeError(
                f"{named[0]} for a trained model, whose labels and scores are fixed",
                expected=f"no {named[0]}",
                where=named[0],
                remedy=f"leave {named[0]} out, or name a model that takes labels: /v1/models lists them",
            )
        return ModelQuery(key="", predict=lambda documents: _stamped(self.model.predict(documents), self.identity))


class ServedVisionLanguage:
    """A vision-language model, run here or behind a server.

    Args:
        request: system, model, server and settings.
    """

    kind, takes_labels, reads_images = "vision-language", True, True

    def __init__(self, request: ExtractionRequest) -> None:
        self.request, self.schema, self.backend = request, request.schema(), request.backend()
        self.labels: Mapping[str, str] = self.schema.mentions
        self.relations: Mapping[str, str] = self.schema.relations

    def query(self, labels: LabelSet | None, relations: LabelSet | None, threshold: Threshold) -> ModelQuery:
        """See `ServedModel`."""
        if threshold is not None:
            raise RecipeError(
                "a threshold for a vision-language model, which gives no scores",
                expected="no threshold",
                where="threshold",
                remedy="leave it out",
            )
        schema = self.schema
        if labels is not None:
            schema = replace(schema, mentions=described(labels, LABELS), chains={}, regions={})
        if relations is not None:
            named = relations if isinstance(relations, Mapping | str) else list(relations)
            kept = tuple(task for task in schema.tasks if task != "re")
            schema = (
                replace(schema, tasks=(*kept, "re"), relations=described(named, RELATIONS, "relation"))
                if named
                else replace(schema, tasks=kept, relations={})
            )
        identity = {k: v for k, v in self.request.identity(schema).items() if k != "endpoint"}
        identity["name"] = identity["name"].replace("\\", "/").rstrip("/").rpartition("/")[2]
        return ModelQuery(
            key=digest(schema.facts()),
            predict=lambda documents: _stamped(self.request.predict(documents, schema, self.backend), identity),
        )


def _stamped(documents: Any, identity: Mapping[str, str]) -> list[Document]:
    return list(stamp(documents, provenance([identity], openmie.__version__, now())))
