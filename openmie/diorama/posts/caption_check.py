"""Check a caption of a post against what was drawn.

A caption is correct when it mentions no object that is not visible; visible objects that it omits are reported
separately. Objects are compared by the captioner's phrases, so "a man" is hallucinated where "a man with a helmet" was
drawn. What was drawn is in `source`, which no system reads. Visible distractors may be mentioned but need not be.
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
class CaptionCheck:
    """The result, in the captioner's phrases. An object mentioned twice and drawn once is hallucinated once."""

    hallucinated: tuple[str, ...] = ()  # mentioned, not visible
    left_out: tuple[str, ...] = ()  # visible, not mentioned

    @property
    def correct(self) -> bool:
        return not self.hallucinated

    @property
    def complete(self) -> bool:
        return not self.left_out


def check_caption(document: Document, generator: str) -> CaptionCheck:
    """Compare one caption of a post of Diorama with its image.

    Args:
        document: A generated post with an image; its `source` holds the scene.
        generator: The name of the caption in `document.captions`.

    Returns:
        The hallucinated and the omitted objects.

    Raises:
        CorpusError: For a document that is not a post of Diorama with an image, a caption that it does not have, and a
            caption that is not in the captioner's phrases: only a reader can judge that.
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
        raise CorpusError.unknown("caption", generator, sorted(document.captions), where=where)
    mentioned, visible = Counter(parse_caption(text, f"{where}, caption {generator}")), Counter(visible_objects(scene))
    distractors = Counter(NOUNS[kind] for kind in scene.get("things", ()))
    return CaptionCheck(tuple((mentioned - visible - distractors).elements()), tuple((visible - mentioned).elements()))


def visible_objects(scene: dict[str, Any]) -> list[str]:
    """Figures and sign of a scene, as in `source`, in the captioner's phrases."""
    figures = [YOUNG[f["type"]] if f["young"] else NOUNS[f["kind"]] for f in scene["figures"]]
    return figures + ([SIGNS[scene["sign"]]] if scene["sign"] else [])


def parse_caption(text: str, where: str = "") -> list[str]:
    """The objects that a caption mentions, as phrases. Raises `CorpusError` for other phrases than the captioner's."""
    phrases, _, signs = text.removeprefix(_OPENING).partition(_WITH)
    nouns = [] if phrases == _NOTHING else phrases.split(_AND)
    marks = signs.split(_AND) if _WITH in text else []
    unknown = [x for x in nouns if x not in _PHRASES] + [x for x in marks if x not in SIGNS.values()]
    if unknown or not text.startswith(_OPENING):
        raise CorpusError(
            f"the phrase {(unknown or [text])[0][:80]!r}",
            expected="a caption in Diorama's own phrases",
            where=where,
            remedy="have it judged by a reader: openmie caption-review CORPUS --out review.csv",
        )
    return nouns + marks
