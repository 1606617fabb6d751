"""Whether a caption of a post is right: what it says, beside what the picture shows.

A caption is right when it says nothing that is not there; what it leaves out is told apart. Both are counted by the
words that a captioner has for things, so that "a man" is not there where a man with a helmet is. What the picture
shows is what was drawn: it stands in `source`, which no system reads. Of small things that lie about, which captions
never name of their own, those that are in sight are there too, but to be silent of them leaves nothing out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from openmie.data.document import Document
from openmie.diorama.posts.captions import NOUNS, SIGNS, YOUNG
from openmie.errors import CorpusError

_OPENING, _WITH, _AND, _NOTHING = "a picture of ", " , with ", " and ", "some things"
_PHRASES = frozenset({*NOUNS.values(), *YOUNG.values()})


@dataclass(frozen=True)
class Verdict:
    """In the caption's own words. A thing that is said twice and there once is hallucinated once."""

    hallucinated: tuple[str, ...] = ()  # said, and not there
    left_out: tuple[str, ...] = ()  # there, and not said

    @property
    def right(self) -> bool:
        return not self.hallucinated

    @property
    def complete(self) -> bool:
        return not self.left_out


def verdict(document: Document, generator: str) -> Verdict:
    """The verdict on one caption of a post of Diorama.

    Raises `CorpusError` for a document that is no post of Diorama with an image, or has no such caption, and for a
    caption in other words than Diorama's own, which nothing but a reader can judge.
    """
    where, scene = f"document {document.id}", document.source.get("scene")
    if document.source.get("corpus") != "diorama" or not isinstance(scene, dict) or "figures" not in scene:
        raise CorpusError(
            "no scene in its source",
            expected="a post of Diorama with an image",
            where=where,
            remedy="make the posts with `openmie diorama`; captions of other corpora need a reader",
        )
    if not (text := document.captions.get(generator, "")):
        raise CorpusError(
            f"no caption {generator!r}",
            expected=f"one of {sorted(document.captions)}",
            where=where,
            remedy="name a generator that the post has",
        )
    said, shown = Counter(said_by(text, f"{where}, caption {generator}")), Counter(shown_in(scene))
    lying = Counter(NOUNS[kind] for kind in scene.get("things", ()))
    return Verdict(tuple((said - shown - lying).elements()), tuple((shown - said).elements()))


def shown_in(scene: dict[str, Any]) -> list[str]:
    """The figures and the sign of a scene as it stands in `source`, as a captioner calls them."""
    figures = [YOUNG[f["type"]] if f["young"] else NOUNS[f["kind"]] for f in scene["figures"]]
    return figures + ([SIGNS[scene["sign"]]] if scene["sign"] else [])


def said_by(text: str, where: str = "") -> list[str]:
    """The things that a caption in Diorama's own words says, as phrases; `CorpusError` for other words."""
    things, _, signs = text.removeprefix(_OPENING).partition(_WITH)
    nouns = [] if things == _NOTHING else things.split(_AND)
    marks = signs.split(_AND) if _WITH in text else []
    strange = [x for x in nouns if x not in _PHRASES] + [x for x in marks if x not in SIGNS.values()]
    if strange or not text.startswith(_OPENING):
        raise CorpusError(
            f"the words {(strange or [text])[0][:80]!r}",
            expected="a caption in Diorama's own words",
            where=where,
            remedy="have it judged by a reader: openmie captions CORPUS --out review.csv",
        )
    return nouns + marks
