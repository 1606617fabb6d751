"""From a latent state to a Document: sentence, mentions, relation, images, boxes, captions and summary."""

from __future__ import annotations

from typing import Any

from openmie.data.box_iou import box_iou
from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.diorama.config import Config
from openmie.diorama.drawing.layout import GRID, KINDS, Layout, Rect, box_of_kind, covered, sample_cells, sample_layout
from openmie.diorama.drawing.render import render
from openmie.diorama.posts import captions, names, templates
from openmie.diorama.posts.distributions import Scene
from openmie.diorama.posts.latent_state import LatentState, sample_imagined_scene, sample_latent_state
from openmie.diorama.rng import RandomStream

# each purpose has its own random stream, so that sampling more for one changes nothing of another
PURPOSES = LATENT, WORDS, SCENE, PIXELS, GENERATED, CAPTION, PATCHES, GENERATED_PATCHES = tuple(range(8))
JITTER = 6  # maximum offset of each edge of a candidate patch, percent of the box side
ALL_KINDS = tuple(kind for kinds in KINDS.values() for kind in kinds)
TYPE_PHRASES = {"PER": "a person", "LOC": "a place", "ORG": "an organisation", "MISC": "a mascot"}
RELATION_SENTENCES = {
    "couple": "{h} and {t} are a couple",
    "peer": "{h} and {t} are peers",
    "parent": "{h} is a parent of {t}",
    "member_of": "{h} is a member of {t}",
    "present_in": "{h} is present in {t}",
    "locate_at": "{h} is located at {t}",
}


def sample_post(config: Config, split: str, index: int) -> tuple[LatentState, Layout, list[RandomStream]]:
    """Latent state of a post, layout of its image, and its random streams, each for one purpose."""
    streams = [RandomStream(config.seed, names.SPLITS.index(split), index, purpose) for purpose in PURPOSES]
    latent = sample_latent_state(config, streams[LATENT])
    return latent, sample_layout(latent.scene, latent.flags, config.distractors, streams[SCENE]), streams


def post(config: Config, split: str, index: int, pixels: bool = True) -> Document:
    """The post of this index; with `pixels=False` its images carry no pixels, and all else is the same."""
    latent, layout, streams = sample_post(config, split, index)
    words, spans = compose(config, split, latent, streams[WORDS]) if latent.has_text else ([], [])
    images: list[Image] = []
    caption_texts: dict[str, str] = {}
    if latent.has_image:
        rendered = render(layout, config.size, config.noise, streams[PIXELS]) if pixels else None
        images = [
            Image(kind="main", id="main", width=config.size, height=config.size, pixels=rendered),
            *patches(config, layout, streams[PATCHES]),
        ]
        caption_texts = {
            "noisy": captions.noisy_caption(config, latent.scene, layout, streams[CAPTION]),
            "true": captions.true_caption(latent.scene, layout),
        }
    if latent.has_text and config.translation:
        images += generated_images(config, latent, streams[GENERATED], streams[GENERATED_PATCHES], pixels)
    return Document.from_words(
        f"diorama-{split}-{index:06d}",
        words,
        images=tuple(images),
        captions=caption_texts,
        lang=config.language,
        source=latent_metadata(config, latent, layout, split, index),
        **gold_layers(config, latent, layout, words, spans),
    )


def compose(
    config: Config, split: str, latent: LatentState, rng: RandomStream
) -> tuple[list[str], list[tuple[int, int]]]:
    """Words, and the word span of each name. An ambiguous sentence depends on the number of names only."""
    n = len(latent.types)
    drawn = names.distinct(rng, split, 2 * n)
    surfaces = drawn[:n]
    sentence = rng.choice(sentences(latent))
    if not latent.ambiguous:
        for i, type_ in enumerate(latent.types):
            if rng.bernoulli(config.long_names):
                surfaces[i] = rng.choice(templates.LONG[type_]).format(n=drawn[i], m=drawn[n + i])
    if n == 2:
        clause = rng.choice(templates.CUES[latent.cue, latent.left == 0])
        sentence += " " + clause.format(p=latent.first_flag)
    sentence += " " + rng.choice(templates.TAILS)
    words: list[str] = []
    spans: dict[str, tuple[int, int]] = {}
    for token in sentence.split():
        parts = surfaces["{a}{b}".index(token) // 3].split() if token in ("{a}", "{b}") else [token]
        spans[token] = (len(words), len(words) + len(parts))
        words += parts
    return words, [spans[key] for key in ("{a}", "{b}")[:n]]


def sentences(latent: LatentState) -> tuple[str, ...]:
    """All sentence templates for this latent state, each as likely."""
    if latent.ambiguous:
        return templates.NEUTRAL_ONE if len(latent.types) == 1 else templates.NEUTRAL_TWO
    if len(latent.types) == 1:
        return templates.CLEAR[latent.types[0]]
    return templates.clear_two(latent.types, latent.relation, latent.head)


def patches(config: Config, layout: Layout, rng: RandomStream, parent: str = "main") -> list[Image]:
    """Candidate boxes of an image: the figures, the distractors, then boxes where a figure could have stood.

    All are jittered alike and shuffled, and their number is independent of the scene.
    """
    number = rng.randint(4, config.patches)
    boxes = [p.box for p in (*layout.figures, *layout.distractors)][:number]
    while len(boxes) < number:
        n = 1 + rng.randbelow(2)
        centre, side = rng.choice(sample_cells(rng, n))
        candidate = box_of_kind(rng.choice(ALL_KINDS), centre, side)
        if all(box_iou(candidate, box) < 0.4 for box in boxes):
            boxes.append(candidate)
    loose = [to_pixels(jittered(box, rng), config.size) for box in rng.shuffled(boxes)]
    name = "patch" if parent == "main" else f"{parent}-patch"
    return [Image(kind="patch", id=f"{name}{i}", parent=parent, box=box) for i, box in enumerate(loose)]


def jittered(box: Rect, rng: RandomStream) -> Rect:
    """Move each edge by up to JITTER percent of the box side, inside the image."""
    dx, dy = (box[2] - box[0]) * JITTER // 100, (box[3] - box[1]) * JITTER // 100
    x0, y0, x1, y1 = (v + rng.randint(-d, d) for v, d in zip(box, (dx, dy, dx, dy)))
    return max(x0, 0), max(y0, 0), min(x1, GRID), min(y1, GRID)


def to_pixels(box: Rect, size: int) -> tuple[float, float, float, float]:
    """Grid to absolute xyxy pixels."""
    x0, y0, x1, y1 = (v * size / GRID for v in box)
    return x0, y0, x1, y1


def generated_images(
    config: Config, latent: LatentState, rng: RandomStream, boxes: RandomStream, pixels: bool
) -> list[Image]:
    """The image that a text-to-image model would generate from the text, and its candidate patches.

    Both depend on the text alone, never on gold annotations.
    """
    scene, flags = sample_imagined_scene(config, latent, rng)
    layout = sample_layout(scene, flags, config.distractors, rng)
    rendered = render(layout, config.size, config.noise, rng) if pixels else None
    image = Image(kind="generated", id="translation", width=config.size, height=config.size, pixels=rendered)
    return [image, *patches(config, layout, boxes, image.id)]


def gold_layers(
    config: Config, latent: LatentState, layout: Layout, words: list[str], spans: list[tuple[int, int]]
) -> dict[str, Any]:
    """Mentions, the relation, regions and summary, as layers of a Document."""
    starts = [sum(len(w) + 1 for w in words[:a]) for a, _ in spans]
    surfaces = [" ".join(words[a:b]) for a, b in spans]
    mentions = tuple(
        Mention(id=f"m{i}", start=start, end=start + len(name), label=latent.types[i], text=name)
        for i, (start, name) in enumerate(zip(starts, surfaces))
    )
    relations: tuple[Relation, ...] = ()
    if len(mentions) == 2:
        relations = (Relation(head=f"m{latent.head}", tail=f"m{1 - latent.head}", label=latent.relation),)
    regions: list[Region] = []
    if latent.has_image and not latent.image:
        for i, mention in enumerate(mentions):
            box = layout.figures[0 if len(mentions) == 1 or latent.left == i else 1].box
            regions.append(Region(image="main", box=to_pixels(box, config.size), label=mention.label, of=mention.id))
    return {
        "mentions": mentions,
        "relations": relations,
        "regions": tuple(regions),
        "summary": summary(latent, mentions),
    }


def summary(latent: LatentState, mentions: tuple[Mention, ...]) -> str:
    """The reference summary of text and image."""
    parts = [f"{m.text} is {TYPE_PHRASES[m.label]}" for m in mentions]
    if len(mentions) == 2 and latent.relation in RELATION_SENTENCES:
        parts.append(
            RELATION_SENTENCES[latent.relation].format(h=mentions[latent.head].text, t=mentions[1 - latent.head].text)
        )
    if latent.has_image:
        parts.append(describe_scene(latent.scene, bool(latent.image)))
    return " . ".join(parts) + " ." if parts else ""


def describe_scene(scene: Scene, unrelated: bool) -> str:
    things = " and ".join(TYPE_PHRASES.get(f.type, "something else") for f in scene.figures)
    return f"the picture shows {things}" + (" , none of it named here" if unrelated else "")


def in_sight(layout: Layout) -> list[str]:
    """Kinds of the visible distractors: no figure's box covers more than half of them."""
    front = [p.kind for p in layout.front]
    return front + [p.kind for p in layout.behind if all(covered(f.box, p.box) <= 50 for f in layout.figures)]


def latent_metadata(config: Config, latent: LatentState, layout: Layout, split: str, index: int) -> dict[str, Any]:
    """The latent state as `source`, for analyses only: no system reads it."""
    if not latent.has_image:
        scene: dict[str, Any] = {}
    else:
        figures = [
            {"type": p.figure.type, "young": p.figure.young, "kind": p.kind, "box": list(to_pixels(p.box, config.size))}
            for p in layout.figures
            if p.figure
        ]
        scene = {"figures": figures, "sign": latent.scene.sign, "flags": list(latent.flags), "things": in_sight(layout)}
    return {
        "corpus": "diorama",
        "split": split,
        "index": index,
        "names": len(latent.types),
        "ambiguous": [latent.ambiguous] * len(latent.types),
        "types": list(latent.types),
        "relation": latent.relation,
        "head": latent.head,
        "left": latent.left,
        "cue": latent.cue,
        "scene": scene,
        "unrelated": latent.image if latent.has_image else "",
    }
