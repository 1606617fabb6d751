"""Posts with a summary of what the image shows, for grounded names beside a description (M-MRE).

The summary is the true caption, then a sentence for each name whose figure is in the picture, in text order:

    a picture of a man with a helmet and a dog . Zorvane is the dog .

So the two tasks need each other: who reads the picture for its description knows the type of a name that the text
leaves open, and who has bound a name to a patch knows whom the description is about. What only the picture tells is
said in words of its own (kinds, not types), and which figure is whose, as in all of Diorama, the text says or the order
makes likely; `ceiling` is how often the best summary is right to the word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from openmie.data.document import Document
from openmie.diorama.ceilings.enumeration import NO_IMAGE, worlds
from openmie.diorama.ceilings.posts import _text_key
from openmie.diorama.config import Config
from openmie.diorama.posts.captions import NOUNS, YOUNG
from openmie.errors import CorpusError


def described(document: Document) -> Document:
    """The post with this summary; its translation image and that image's patches are gone.

    The rest is as it was: mentions, regions and candidate patches of the main image. Errors: no post of Diorama with an
    image.
    """
    scene = document.source.get("scene")
    if document.source.get("corpus") != "diorama" or not scene or "true" not in document.captions:
        raise CorpusError(
            "no scene in its source",
            expected="a post of Diorama with an image",
            where=document.id,
            remedy="make the posts with openmie.diorama, and with missing_image=0",
        )
    called = {tuple(f["box"]): YOUNG[f["type"]] if f["young"] else NOUNS[f["kind"]] for f in scene["figures"]}
    named = {r.of: called[tuple(r.box)] for r in document.regions}
    told = [f"{m.text} is the {named[m.id].partition(' ')[2]}" for m in document.mentions if m.id in named]
    gone = {i.id for i in document.images if i.kind == "generated"}
    kept = tuple(i for i in document.images if i.id not in gone and i.parent not in gone)
    return document.replace(images=kept, summary=" . ".join([document.captions["true"], *told]) + " .")


def ceiling(config: Config) -> float:
    """Highest share of summaries, in percent, that any system can expect to get right to the word.

    Over posts with text and image; both are seen, and a figure's looks are read without error, as in `ceilings`. What
    is left open is which figure is whose: that the image is the post's own, and, of two, where the text does not say.
    """
    tables: dict[Hashable, dict[Hashable, float]] = defaultdict(lambda: defaultdict(float))
    whole = 0.0
    for world, p in worlds(config):
        if world.scene == NO_IMAGE:
            continue
        answer = world.told.left if world.related else None
        tables[_text_key(world, "grounded", True), world.scene, world.bound][answer] += p
        whole += p
    if not whole:
        raise CorpusError(
            "no post with an image",
            expected="missing_image below 1",
            where="diorama.described.ceiling",
            remedy="lower missing_image",
        )
    return 100 * sum(max(table.values()) for table in tables.values()) / whole
