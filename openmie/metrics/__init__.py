"""Metrics: pure functions of gold and predicted documents, paired by id, all in percent.

A gold document without a predicted one counts as a document without predictions: its gold stays in the recall. A
predicted document that is not in gold, and a duplicate id, are errors.
"""

from openmie.metrics.average_precision import AveragePrecision, average_precision
from openmie.metrics.bio_tags import spans_from_tags
from openmie.metrics.chain_relations import chain_relations
from openmie.metrics.chains import ChainScores, chains
from openmie.metrics.documents import DocumentScores, documents
from openmie.metrics.errors_table import ErrorTable, errors
from openmie.metrics.fields import attributes, records
from openmie.metrics.grounding import boxes, grounded
from openmie.metrics.links import pairs, relations
from openmie.metrics.mentions import spans
from openmie.metrics.mre import MreScores, mre
from openmie.metrics.region_links import region_links
from openmie.metrics.report import normalised_gain, score, table
from openmie.metrics.scores import Scores
from openmie.metrics.text import TextScores, text, texts

__all__ = [
    "AveragePrecision",
    "ChainScores",
    "DocumentScores",
    "ErrorTable",
    "MreScores",
    "Scores",
    "TextScores",
    "attributes",
    "average_precision",
    "boxes",
    "chain_relations",
    "chains",
    "documents",
    "errors",
    "grounded",
    "mre",
    "normalised_gain",
    "pairs",
    "records",
    "region_links",
    "relations",
    "score",
    "spans",
    "spans_from_tags",
    "table",
    "text",
    "texts",
]
