"""The models of a service with their queues: which one a post is for, and its prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openmie.data.document import Document
from openmie.errors import OpenMIEError
from openmie.serve.batching import BatchQueue
from openmie.serve.metrics import Metrics
from openmie.serve.post_request import Post
from openmie.serve.problems import Problem
from openmie.serve.served_model import ServedModel
from openmie.serve.settings import Settings


class Service:
    """Models and queues.

    Args:
        models: by the names that requests use; the first one is used where none is named.
        settings: bounds and times.
        metrics: what is counted.

    Attributes:
        is_ready: whether requests are taken.
    """

    def __init__(self, models: Mapping[str, ServedModel], settings: Settings, metrics: Metrics) -> None:
        self.models, self.settings, self.metrics = dict(models), settings, metrics
        self.queues: dict[str, BatchQueue] = {}
        self.is_ready = False

    def start(self) -> None:
        """Begin to predict; called in the event loop."""
        for name in self.models:
            queue = self.queues[name] = BatchQueue(name, self.settings, self.metrics)
            self.metrics.watch(name, queue.__len__)
            queue.start()
        self.is_ready = True

    async def stop(self) -> None:
        """Predict what was accepted, and end."""
        self.is_ready = False
        for queue in self.queues.values():
            await queue.stop()

    async def predict(self, post: Post, *, patient: bool = False) -> Document:
        """The prediction of a post by the model that its request names.

        Args:
            post: with its images.
            patient: wait for a place in a full queue, instead of an error.

        Raises:
            Problem: no such model, labels that mean nothing (422), a full queue (429), no prediction in time (504).
        """
        asked = post.request
        name = asked.options.model or next(iter(self.models))
        if name not in self.models:
            raise Problem.of_error(OpenMIEError.unknown("model", name, self.models, where="options.model"))
        try:
            query = self.models[name].query(asked.labels, asked.relations, asked.options.threshold)
        except OpenMIEError as error:
            raise Problem.of_error(error) from None
        return await self.queues[name].predict(post, query, patient=patient)

    def describe(self) -> list[dict[str, Any]]:
        """The models as JSON values."""
        return [
            {
                "name": name,
                "kind": model.kind,
                "takes_labels": model.takes_labels,
                "reads_images": model.reads_images,
                "labels": dict(model.labels),
                "relations": dict(model.relations),
            }
            for name, model in self.models.items()
        ]
