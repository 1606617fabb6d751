"""Vectors of entities under a trained model, how well their types part, and the picture (MGIPS-CL, figure 11).

found = entities(openmie.load("runs/model"), corpus.test)
separation(found.vectors, found.labels).accuracy
show("runs/bench/RUN", out="embeddings.html")
"""

from openmie.bench.entity_space.picture import EntitySpacePage, find, show
from openmie.bench.entity_space.space import Separation, perplexity, project, separation
from openmie.bench.entity_space.vectors import Entities, entities, span_means

__all__ = [
    "Entities",
    "EntitySpacePage",
    "Separation",
    "entities",
    "find",
    "perplexity",
    "project",
    "separation",
    "show",
    "span_means",
]
