"""The labels of the papers' own datasets: those of a recipe for which no corpus is named."""

from __future__ import annotations

from openmie.annotation.guidelines import LABELS as GUIDELINES
from openmie.data.corpus import Corpus, Labels
from openmie.datasets import jmere, mnre


def labels_of(corpus: Corpus | None, own: Labels) -> Labels:
    """The labels of a corpus; without one those of the paper's own dataset."""
    return own if corpus is None else corpus.labels


TWITTER = Labels(mentions=("LOC", "MISC", "ORG", "PER"))  # Twitter-2015 and Twitter-2017
GMNER = Labels(mentions=("LOC", "ORG", "OTHER", "PER"))

_MNRE = {
    "per/per": "parent siblings couple neighbor peer charges alumi alternate_names",
    "per/org": "member_of",
    "per/loc": "place_of_residence place_of_birth",
    "org/org": "alternate_names subsidiary",
    "org/loc": "locate_at",
    "loc/loc": "contain",
    "per/misc": "present_in awarded race religion nationality",
    "misc/misc": "part_of",
    "misc/loc": "held_on",
}
_NAMES = [(ends, name) for ends, names in _MNRE.items() for name in names.split()]
MNRE = Labels(  # 23 relations, None among them
    relations=tuple(sorted({"None", *(f"/{ends}/{name}" for ends, name in _NAMES)})), symmetric=mnre.SYMMETRIC
)
JMERE = Labels(  # the same relations by their last part, without None; the two alternate_names are one
    mentions=("loc", "misc", "org", "per"),
    relations=tuple(sorted({name for _, name in _NAMES})),
    symmetric=jmere.SYMMETRIC,
)
M3D = Labels(
    mentions=tuple(sorted(GUIDELINES.mentions)),
    relations=tuple(sorted(GUIDELINES.relations)),
    regions=tuple(sorted(GUIDELINES.regions)),
    symmetric=GUIDELINES.symmetric,
)
