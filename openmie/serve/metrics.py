"""Prometheus metrics of a service: requests, refusals, batches and queues; a registry of its own for each."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
POSTS = (1, 2, 4, 8, 16, 32, 64)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What a service counts."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        self._requests = Counter("openmie_requests", "Requests by route and status.", ["route", "status"], registry=own)
        self._seconds = Histogram(
            "openmie_request_seconds",
            "From a request's head to its last byte.",
            ["route"],
            buckets=SECONDS,
            registry=own,
        )
        self._posts = Counter("openmie_posts", "Predicted posts.", ["model"], registry=own)
        self._batch = Histogram("openmie_batch_posts", "Posts in a batch.", ["model"], buckets=POSTS, registry=own)
        self._predicting = Histogram(
            "openmie_batch_seconds", "Time that a model took for a batch.", ["model"], buckets=SECONDS, registry=own
        )
        self._waiting = Gauge("openmie_waiting_posts", "Posts that wait for a model.", ["model"], registry=own)

    def watch(self, model: str, waiting: Callable[[], int]) -> None:
        """Show the length of a model's queue."""
        self._waiting.labels(model).set_function(waiting)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def predicted(self, model: str, posts: int, seconds: float) -> None:
        """Count a batch."""
        self._posts.labels(model).inc(posts)
        self._batch.labels(model).observe(posts)
        self._predicting.labels(model).observe(seconds)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self.registry)
