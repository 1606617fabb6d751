"""Links between the names of a text and the objects in its photographs: an object whose class fits the name's type.

A link is a Region of a mention (`of`), with the mention's label and the object's box. Nothing is trained: label and
class must fit (`fitting_classes`), and the score is the probability of the link among all ways to link names and
objects (`link_probabilities`), times the fit, times the probability of the object. One name and one person: that of the
person. One name and three persons: a third of it, which is below the threshold, so that none of them is chosen.

Mentions of one chain are one name, and so are mentions with one label and one spelling; each of them gets the regions.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from openmie.base.assignment import link_probabilities
from openmie.base.fitting_classes import Fits, Similarity, fitting_classes
from openmie.base.objects import CLASSES
from openmie.data.document import Box, Document, Mention, Region

THRESHOLD = 0.5  # a link is likelier than not


def with_links(
    document: Document,
    labels: Mapping[str, str] | None = None,
    similarity: Similarity | None = None,
    threshold: float = THRESHOLD,
) -> Document:
    """The document with the regions of its mentions added.

    Args:
        document: with mentions, and with the regions of its photographs as `with_photographs` adds them.
        labels: entity types, name -> description; None: the mentions' labels, by their names alone.
        similarity: for labels that name no class of objects, see `fitting_classes`.
        threshold: lowest score of a link. Above 0.5, no name has two objects of an image and no object two names;
            below, several links of a name say that it is not known which.

    Returns:
        The document; links follow its other regions, best first for each mention, in the order of the mentions.
    """
    fits = fitting_classes(labels if labels is not None else {m.label: "" for m in document.mentions}, similarity)
    names = _names(document)
    found: dict[str, list[Region]] = defaultdict(list)
    for image in dict.fromkeys(r.image for r in document.regions if not r.of):
        own = [r for r in document.regions if r.image == image and not r.of]
        for name, box, score in _shown(names, own, fits):
            for mention in names[name] if score >= threshold else ():
                found[mention.id].append(Region(image=image, box=box, label=mention.label, of=mention.id, score=score))
    links = [r for m in document.mentions for r in sorted(found[m.id], key=lambda r: -(r.score or 0))]
    return document.replace(regions=(*document.regions, *links))


def _names(document: Document) -> list[list[Mention]]:
    """Mentions by name: of one chain, or of one label and spelling."""
    chain_of = {m: chain.id for chain in document.chains for m in chain.mentions}
    groups: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    chained = {(m.label, _spelling(m.text)): chain_of[m.id] for m in document.mentions if m.id in chain_of}
    for mention in document.mentions:
        key = (mention.label, _spelling(mention.text))
        chain = chain_of.get(mention.id) or chained.get(key)
        groups[("", chain) if chain else key].append(mention)
    return list(groups.values())


def _shown(names: list[list[Mention]], regions: list[Region], fits: Fits) -> list[tuple[int, Box, float]]:
    """Number of the name, box of the object and score of each link."""
    objects = [r for r in regions if r.label in CLASSES and not r.text]
    fit = np.array([[fits.get(name[0].label, {}).get(r.label, 0.0) for r in objects] for name in names])
    weights = fit.reshape(len(names), len(objects)) * np.array([1.0 if r.score is None else r.score for r in objects])
    scores = weights * link_probabilities(weights) if weights.size else weights
    return [(int(n), objects[k].box, float(scores[n, k])) for n, k in np.argwhere(scores > 0)]


def _spelling(text: str) -> str:
    """The words of a text, without regard to case and marks."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))
