"""Links between the names of a text and what its photographs show: objects whose class fits, and the same words.

A link is a Region of a mention (`of`), with the mention's label and the box of the object or line. Nothing is trained:

* Objects: label and class must fit (`fitting_classes`). The score is the probability of the link among all ways to link
  names and objects, times the fit, times the probability of the object. One name and one person: that of the person.
  One name and three persons: a third of it, for each of the three; none is chosen. See `link_probabilities`.
* Words: a line of a photograph that holds the name, without regard to case, marks and blanks; its score is the line's.
  A line that is only a part of the name, such as "LOVELACE", has that share of it.

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
from openmie.base.photograph import WORDS
from openmie.data.document import Document, Mention, Region

THRESHOLD = 0.1
LEAST_SHARE = 0.4  # of a name's letters that a line must have
LEAST_LETTERS = 2  # of a name that is looked for in lines; 3 of a line that is a part of one


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
        threshold: lowest score of a link. At 0.5 and above, no name has two objects of an image and no object two
            names; below, several links of a name say that it is not known which.

    Returns:
        The document; links follow its other regions, best first for each mention, in the order of the mentions.
    """
    fits = fitting_classes(labels if labels is not None else {m.label: "" for m in document.mentions}, similarity)
    names = _names(document)
    found: dict[str, list[Region]] = defaultdict(list)
    for image in dict.fromkeys(r.image for r in document.regions if not r.of):
        own = [r for r in document.regions if r.image == image and not r.of]
        for name, region, score in [*_shown(names, own, fits), *_written(names, own)]:
            for mention in names[name] if score >= threshold else ():
                made = Region(
                    image=image, box=region.box, label=mention.label, of=mention.id, text=region.text, score=score
                )
                found[mention.id].append(made)
    links = [r for m in document.mentions for r in sorted(found[m.id], key=lambda r: -(r.score or 0))]
    return document.replace(regions=(*document.regions, *links))


def _names(document: Document) -> list[list[Mention]]:
    """Mentions by name: of one chain, or of one label and spelling."""
    chain_of = {m: chain.id for chain in document.chains for m in chain.mentions}
    groups: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    chained = {(m.label, spelling(m.text)): chain_of[m.id] for m in document.mentions if m.id in chain_of}
    for mention in document.mentions:
        key = (mention.label, spelling(mention.text))
        chain = chain_of.get(mention.id) or chained.get(key)
        groups[("", chain) if chain else key].append(mention)
    return list(groups.values())


def _shown(names: list[list[Mention]], regions: list[Region], fits: Fits) -> list[tuple[int, Region, float]]:
    """Number of the name, region and score of each link to an object."""
    objects = [r for r in regions if r.label in CLASSES and not r.text]
    fit = np.array([[fits.get(name[0].label, {}).get(r.label, 0.0) for r in objects] for name in names])
    weights = fit.reshape(len(names), len(objects)) * np.array([1.0 if r.score is None else r.score for r in objects])
    scores = weights * link_probabilities(weights) if weights.size else weights
    return [(int(n), objects[k], float(scores[n, k])) for n, k in np.argwhere(scores > 0)]


def _written(names: list[list[Mention]], regions: list[Region]) -> list[tuple[int, Region, float]]:
    """Number of the name, region and score of each link to a line of words."""
    lines = [r for r in regions if r.label == WORDS]
    out = []
    for n, name in enumerate(names):
        spellings = dict.fromkeys(spelling(m.text) for m in name)
        for line in lines:
            share = max((share_of_name(own, spelling(line.text)) for own in spellings), default=0.0)
            if share:
                out.append((n, line, share * (1.0 if line.score is None else line.score)))
    return out


def spelling(text: str) -> str:
    """The words of a text, without regard to case and marks, between blanks: " ada lovelace "."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())
    return f" {' '.join(words)} "


def share_of_name(name: str, line: str) -> float:
    """How much of a name a line has, both as `spelling` returns them.

    Returns:
        1 where the line holds the name; the line's share of the name's letters where it is a part of whole words, of
        at least 3 letters and 0.4 of the name; else 0. Names in Chinese, which puts no blanks between words, count as
        held wherever their characters stand.
    """
    letters, own = len(name.replace(" ", "")), len(line.replace(" ", ""))
    if letters < LEAST_LETTERS or not own:
        return 0.0
    if name in line or (not name.isascii() and _CHINESE.search(name) and name.strip() in line):
        return 1.0
    if name.replace(" ", "") == line.replace(" ", ""):  # a blank that the reader of lines lost, or saw
        return 1.0
    part = own > LEAST_LETTERS and line in name and own >= LEAST_SHARE * letters
    return own / letters if part else 0.0


_CHINESE = re.compile("[\u3400-\u9fff]")
