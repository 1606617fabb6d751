"""Diorama without words and pixels: order, ids, counts, candidate patches, files, and the image made of the text."""

from __future__ import annotations

import io
import re
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from attack.probes import accuracy, boosted, boxes, independent, posts, say
from attack.scenes import seeing, small
from PIL import Image as Pillow

from openmie.data.document import Document
from openmie.diorama import Config, generate, save


def spread(box: np.ndarray) -> list[float]:
    """Of the boxes by falling area: x, y, width, height of the first eight."""
    size = box[:, 2:] - box[:, :2]
    order = np.argsort(-size.prod(axis=1))
    flat = np.concatenate([(box[:, :2] + size / 2), size], axis=1)[order][:8].ravel()
    return [*flat, *[0.0] * (32 - len(flat))]


def outside(i: int, document: Document) -> list[float]:
    """Numbers around a post that are neither words nor pixels nor boxes."""
    digits = [int(c) for c in document.id[-3:]]
    return [
        i,
        i % 2,
        i % 3,
        i % 5,
        i % 7,
        *digits,
        len(document.images),
        len(document.captions),
        list(document.captions).index("noisy") if document.captions else -1,
        len(document.errors),
    ]


def attack_metadata(seed: int, scale: float) -> None:
    """Order, ids, counts, patches; what is on disk."""
    config = Config(seed=seed, two_names=0.5)
    found = posts(config, int(16_000 * scale))
    x = np.array([outside(i, d) for i, d in enumerate(found)])
    for name, y in (
        ("type of the first name", [d.mentions[0].label for d in found]),
        ("number of names", [len(d.mentions) for d in found]),
        ("unrelated", [bool(d.source["unrelated"]) for d in found]),
        ("ambiguous", [d.source["ambiguous"][0] for d in found]),
    ):
        accuracy(f"metadata, boosted on id, order and counts: {name} (n={len(y)})", boosted(), x, y)
        independent(f"metadata, the post before: {name}", list(pairwise(y)))
        independent(f"metadata, number of patches: {name}", [(len(boxes(d)), v) for d, v in zip(found, y)])
    attack_patches(found)
    attack_files(seed, int(1600 * scale))


def attack_patches(found: list[Document]) -> None:
    """Sizes and places of the candidates: of gold ones, of types, of the relation. They are seen in the image too."""
    one = [d for d in found if len(d.mentions) == 1]
    shown = [d for d in one if d.regions]
    hidden = [d for d in one if not d.regions]
    two = [d for d in found if len(d.mentions) == 2 and d.regions and d.relations[0].label != "None"]
    accuracy(
        "patches, boosted on boxes, unrelated image: type of the name",
        boosted(),
        np.array([spread(boxes(d)) for d in hidden]),
        [d.mentions[0].label for d in hidden],
    )
    accuracy(
        "patches, boosted on boxes: unrelated",
        boosted(),
        np.array([spread(boxes(d)) for d in one]),
        [bool(d.regions) for d in one],
        kind="fact",
    )
    accuracy(
        "patches, boosted on boxes, related image: type of the name",
        boosted(),
        np.array([spread(boxes(d)) for d in shown]),
        [d.mentions[0].label for d in shown],
        kind="fact",
    )
    accuracy(
        "patches, boosted on boxes, related image: parent or another relation",
        boosted(),
        np.array([spread(boxes(d)) for d in two]),
        [d.relations[0].label == "parent" for d in two],
        kind="fact",
    )
    places = [(len(boxes(d)), nearest(d)) for d in shown]
    for n in sorted({p[0] for p in places}):
        at = [p[1] for p in places if p[0] == n]
        independent(
            f"patches, place of the gold one among {n} in file order, against uniform",
            [(0, a) for a in at] + [(1, i % n) for i in range(10 * n * len(at) // n)],
        )


def nearest(document: Document, region: int = 0) -> int:
    """Which patch is the gold box's."""
    return int(np.abs(boxes(document) - np.array(document.regions[region].box)).sum(axis=1).argmin())


def weight(pixels: np.ndarray) -> int:
    """Bytes of its PNG."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "png")
    return len(file.getvalue())


def attack_files(seed: int, n: int) -> None:
    """PNG sizes; names and keys of what `save` writes; the image made of the text."""
    config = Config(seed=seed, two_names=0.0, ambiguous=1.0, size=64)
    found = list(generate(config, "train", n))
    y = [d.mentions[0].label for d in found]
    drawn = [{i.kind: i.pixels for i in d.images if i.pixels is not None} for d in found]
    sizes = np.array([[weight(p["main"]), weight(p["generated"])] for p in drawn])
    accuracy(f"files, PNG size of the image: type (n={n}; pixels tell it too)", boosted(), sizes[:, :1], y, kind="fact")
    accuracy(
        "files, PNG size of the image: unrelated",
        boosted(),
        sizes[:, :1],
        [bool(d.source["unrelated"]) for d in found],
        kind="fact",
    )
    lost = [i for i, d in enumerate(found) if d.source["unrelated"]]
    accuracy("files, PNG size, unrelated image: type of the name", boosted(), sizes[lost, :1], [y[i] for i in lost])
    accuracy("translation, PNG size: type of the ambiguous name", boosted(), sizes[:, 1:], y)
    accuracy(
        "translation, pixels: type of the ambiguous name", seeing(), np.array([small(p["generated"]) for p in drawn]), y
    )
    with tempfile.TemporaryDirectory() as folder:
        text = save(iter(found[:60]), Path(folder) / "posts").read_text(encoding="utf8").splitlines()
        names = sorted(p.name for p in (Path(folder) / "posts/images").iterdir())
    expected = sorted(f"{d.id}-{k}.png" for d in found[:60] for k in ("main", "translation"))
    say("files, names that are not split, index and kind", float(len(set(names) ^ set(expected))), 0.0, 0.0)
    orders = {tuple(re.findall(r'[{,]"(\w+)":', re.sub(r'"source":\{.*', "", line))[:3]) for line in text}
    say("files, orders of the first keys beyond one", float(len(orders) - 1), 0.0, 0.0)
    bare = found[0].without_gold()
    say("Document.without_gold: posts that still say their types in `source`", float("types" in bare.source), 0.0, 0.0)
