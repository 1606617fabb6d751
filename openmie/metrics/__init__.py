"""Metrics: pure functions of gold and predicted documents, paired by id, all in percent."""

from openmie.metrics.mentions import spans
from openmie.metrics.scores import Scores
from openmie.metrics.tags import spans_from_tags

__all__ = ["Scores", "spans", "spans_from_tags"]
