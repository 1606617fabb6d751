"""Posts with a summary of what the image shows, for grounded names beside a description (M-MRE).

The summary is the true caption, then a sentence for each name whose figure is in the image, in text order:

    a picture of a man with a helmet and a dog . Zorvane is the dog .

So the two tasks help each other: the description determines the type of a name that is ambiguous in the text, and a
name that is linked to a patch determines whom the description is about. Image content is described by kinds, not by
entity types. Which figure belongs to which name is given by the text or made likely by the order, as in all of Diorama;
`summary_ceiling` is the highest expected share of summaries that are exactly right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from openmie.data.document import Document
from openmie.diorama.ceilings.enumeration import NO_IMAGE, outcomes
from openmie.diorama.ceilings.posts import text_key
from openmie.diorama.config import Config
from openmie.diorama.posts.captions import NOUNS, YOUNG
from openmie.errors import CorpusError


def with_image_summary(document: Document) -> Document:
    """The post with this summary, without its generated image and that image's patches.

    Mentions, regions and candidate patches of the main image are unchanged.

    Raises:
        CorpusError: For a document that is not a post of Diorama with an image.
    """
    scene = document.source.get("scene")
    if document.source.get("corpus") != "diorama" or not scene or "true" not in document.captions:
        raise CorpusError(
            "no scene in its source",
            expected="a post of Diorama with an image",
            where=document.id,
            remedy="make the posts with openmie.diorama, and with missing_image=0",
        )
    phrase_of_box = {tuple(f["box"]): YOUNG[f["type"]] if f["young"] else NOUNS[f["kind"]] for f in scene["figures"]}
    phrases = {r.of: phrase_of_box[tuple(r.box)] for r in document.regions}
    content = [f"{m.text} is the {phrases[m.id].partition(' ')[2]}" for m in document.mentions if m.id in phrases]
    removed = {i.id for i in document.images if i.kind == "generated"}
    images = tuple(i for i in document.images if i.id not in removed and i.parent not in removed)
    return document.replace(images=images, summary=" . ".join([document.captions["true"], *content]) + " .")


def summary_ceiling(config: Config) -> float:
    """The highest expected share of summaries, in percent, that any system can get exactly right.

    Over posts with text and image, both given as input; the kinds of figures are read without error, as in `ceiling`.
    What remains uncertain is whether the image belongs to the post and, of two figures, which belongs to which name
    where the text does not give it.

    Args:
        config: Options of the generator.

    Raises:
        CorpusError: For a config under which no post has an image.
    """
    tables: dict[Hashable, dict[Hashable, float]] = defaultdict(lambda: defaultdict(float))
    total = 0.0
    for outcome, p in outcomes(config):
        if outcome.scene == NO_IMAGE:
            continue
        label = outcome.content.left if outcome.related else None
        tables[text_key(outcome, "grounded", True), outcome.scene, outcome.bound][label] += p
        total += p
    if not total:
        raise CorpusError(
            "no post with an image",
            expected="missing_image below 1",
            where="diorama.summary_ceiling",
            remedy="lower missing_image",
        )
    return 100 * sum(max(table.values()) for table in tables.values()) / total
