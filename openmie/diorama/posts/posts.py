"""From hidden facts to a Document: sentence, mentions, relation, images, boxes, captions and summary."""

from __future__ import annotations

from typing import Any

from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.diorama.config import Config
from openmie.diorama.drawing.layout import GRID, KINDS, Layout, Rect, boxed, cells, covered, lay_out
from openmie.diorama.drawing.render import render
from openmie.diorama.posts import captions, names, templates
from openmie.diorama.posts.distributions import Scene
from openmie.diorama.posts.latent_state import Facts, draw_facts, imagined
from openmie.diorama.rng import Draws

# each purpose has its own stream of draws, so that what is drawn for one changes nothing of another
PURPOSES = FACTS, WORDS, SCENE, PIXELS, DREAM, CAPTION, PATCHES, DREAM_PATCHES = tuple(range(8))
JITTER = 6  # percent of a side by which each edge of a candidate patch is off
LOOKS = tuple(kind for kinds in KINDS.values() for kind in kinds)
A = {"PER": "a person", "LOC": "a place", "ORG": "an organisation", "MISC": "a mascot"}
SAYS = {
    "couple": "{h} and {t} are a couple",
    "peer": "{h} and {t} are peers",
    "parent": "{h} is a parent of {t}",
    "member_of": "{h} is a member of {t}",
    "present_in": "{h} is present in {t}",
    "locate_at": "{h} is located at {t}",
}


def plan(config: Config, split: str, index: int) -> tuple[Facts, Layout, list[Draws]]:
    """What a post is about, where things stand in its image, and its streams of draws, each for one purpose."""
    streams = [Draws(config.seed, names.SPLITS.index(split), index, purpose) for purpose in PURPOSES]
    facts = draw_facts(config, streams[FACTS])
    return facts, lay_out(facts.scene, facts.flags, config.distractors, streams[SCENE]), streams


def post(config: Config, split: str, index: int, pixels: bool = True) -> Document:
    """The post of this index; with `pixels=False` its images carry no pixels, and all else is the same."""
    facts, layout, streams = plan(config, split, index)
    words, spans = compose(config, split, facts, streams[WORDS]) if facts.has_text else ([], [])
    images: list[Image] = []
    said: dict[str, str] = {}
    if facts.has_image:
        shown = render(layout, config.size, config.noise, streams[PIXELS]) if pixels else None
        images = [
            Image(kind="main", id="main", width=config.size, height=config.size, pixels=shown),
            *patches(config, layout, streams[PATCHES]),
        ]
        said = {
            "noisy": captions.noisy(config, facts.scene, layout, streams[CAPTION]),
            "true": captions.true(facts.scene, layout),
        }
    if facts.has_text and config.translation:
        images += translation(config, facts, streams[DREAM], streams[DREAM_PATCHES], pixels)
    return Document.from_words(
        f"diorama-{split}-{index:06d}",
        words,
        images=tuple(images),
        captions=said,
        lang=config.language,
        source=hidden(config, facts, layout, split, index),
        **gold(config, facts, layout, words, spans),
    )


def compose(config: Config, split: str, facts: Facts, draws: Draws) -> tuple[list[str], list[tuple[int, int]]]:
    """Words, and the word span of each name. An ambiguous sentence depends on nothing but the number of names."""
    n = len(facts.types)
    made = names.distinct(draws, split, 2 * n)
    called = made[:n]
    sentence = draws.pick(sentences(facts))
    if not facts.ambiguous:
        for i, type_ in enumerate(facts.types):
            if draws.chance(config.long_names):
                called[i] = draws.pick(templates.LONG[type_]).format(n=made[i], m=made[n + i])
    if n == 2:
        clause = draws.pick(templates.CUES[facts.cue, facts.left == 0])
        sentence += " " + clause.format(p=facts.first_flag)
    sentence += " " + draws.pick(templates.TAILS)
    words: list[str] = []
    spans: dict[str, tuple[int, int]] = {}
    for token in sentence.split():
        parts = called["{a}{b}".index(token) // 3].split() if token in ("{a}", "{b}") else [token]
        spans[token] = (len(words), len(words) + len(parts))
        words += parts
    return words, [spans[key] for key in ("{a}", "{b}")[:n]]


def sentences(facts: Facts) -> tuple[str, ...]:
    """All sentences that may tell these facts, each as likely."""
    if facts.ambiguous:
        return templates.NEUTRAL_ONE if len(facts.types) == 1 else templates.NEUTRAL_TWO
    if len(facts.types) == 1:
        return templates.CLEAR[facts.types[0]]
    return templates.clear_two(facts.types, facts.relation, facts.head)


def patches(config: Config, layout: Layout, draws: Draws, parent: str = "main") -> list[Image]:
    """Candidate boxes of an image: the figures, the distractors, then boxes where a figure could have stood.

    All are jittered alike and shuffled, and their number is drawn without a look at the scene.
    """
    number = draws.between(4, config.patches)
    boxes = [p.box for p in (*layout.figures, *layout.distractors)][:number]
    while len(boxes) < number:
        n = 1 + draws.below(2)
        centre, side = draws.pick(cells(draws, n))
        candidate = boxed(draws.pick(LOOKS), centre, side)
        if all(overlap(candidate, box) < 0.4 for box in boxes):
            boxes.append(candidate)
    loose = [to_pixels(jittered(box, draws), config.size) for box in draws.shuffled(boxes)]
    name = "patch" if parent == "main" else f"{parent}-patch"
    return [Image(kind="patch", id=f"{name}{i}", parent=parent, box=box) for i, box in enumerate(loose)]


def jittered(box: Rect, draws: Draws) -> Rect:
    """Each edge off by up to JITTER percent of its side, inside the image."""
    dx, dy = (box[2] - box[0]) * JITTER // 100, (box[3] - box[1]) * JITTER // 100
    x0, y0, x1, y1 = (v + draws.between(-d, d) for v, d in zip(box, (dx, dy, dx, dy)))
    return max(x0, 0), max(y0, 0), min(x1, GRID), min(y1, GRID)


def overlap(a: Rect, b: Rect) -> float:
    """Intersection over union."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def to_pixels(box: Rect, size: int) -> tuple[float, float, float, float]:
    """Grid to absolute xyxy pixels."""
    x0, y0, x1, y1 = (v * size / GRID for v in box)
    return x0, y0, x1, y1


def translation(config: Config, facts: Facts, draws: Draws, boxes: Draws, pixels: bool) -> list[Image]:
    """What a text-to-image model would make of the text, and candidate patches of it as the main image has them.

    Both are drawn from what the text makes likely, never from gold: the patches lie about what was drawn here.
    """
    scene, flags = imagined(config, facts, draws)
    layout = lay_out(scene, flags, config.distractors, draws)
    shown = render(layout, config.size, config.noise, draws) if pixels else None
    made = Image(kind="generated", id="translation", width=config.size, height=config.size, pixels=shown)
    return [made, *patches(config, layout, boxes, made.id)]


def gold(
    config: Config, facts: Facts, layout: Layout, words: list[str], spans: list[tuple[int, int]]
) -> dict[str, Any]:
    """Mentions, the relation, regions and summary, as layers of a Document."""
    starts = [sum(len(w) + 1 for w in words[:a]) for a, _ in spans]
    named = [" ".join(words[a:b]) for a, b in spans]
    mentions = tuple(
        Mention(id=f"m{i}", start=start, end=start + len(name), label=facts.types[i], text=name)
        for i, (start, name) in enumerate(zip(starts, named))
    )
    relations: tuple[Relation, ...] = ()
    if len(mentions) == 2:
        relations = (Relation(head=f"m{facts.head}", tail=f"m{1 - facts.head}", label=facts.relation),)
    regions: list[Region] = []
    if facts.has_image and not facts.image:
        for i, mention in enumerate(mentions):
            box = layout.figures[0 if len(mentions) == 1 or facts.left == i else 1].box
            regions.append(Region(image="main", box=to_pixels(box, config.size), label=mention.label, of=mention.id))
    return {
        "mentions": mentions,
        "relations": relations,
        "regions": tuple(regions),
        "summary": summary(facts, mentions),
    }


def summary(facts: Facts, mentions: tuple[Mention, ...]) -> str:
    """The reference summary of text and image."""
    told = [f"{m.text} is {A[m.label]}" for m in mentions]
    if len(mentions) == 2 and facts.relation in SAYS:
        told.append(SAYS[facts.relation].format(h=mentions[facts.head].text, t=mentions[1 - facts.head].text))
    if facts.has_image:
        told.append(seen(facts.scene, bool(facts.image)))
    return " . ".join(told) + " ." if told else ""


def seen(scene: Scene, unrelated: bool) -> str:
    things = " and ".join(A.get(f.type, "something else") for f in scene.figures)
    return f"the picture shows {things}" + (" , none of it named here" if unrelated else "")


def in_sight(layout: Layout) -> list[str]:
    """Kinds of the distractors of which no figure's box hides more than half."""
    front = [p.kind for p in layout.front]
    return front + [p.kind for p in layout.behind if all(covered(f.box, p.box) <= 50 for f in layout.figures)]


def hidden(config: Config, facts: Facts, layout: Layout, split: str, index: int) -> dict[str, Any]:
    """For analyses only: no system reads `source`."""
    if not facts.has_image:
        scene: dict[str, Any] = {}
    else:
        figures = [
            {"type": p.figure.type, "young": p.figure.young, "kind": p.kind, "box": list(to_pixels(p.box, config.size))}
            for p in layout.figures
            if p.figure
        ]
        scene = {"figures": figures, "sign": facts.scene.sign, "flags": list(facts.flags), "things": in_sight(layout)}
    return {
        "corpus": "diorama",
        "split": split,
        "index": index,
        "names": len(facts.types),
        "ambiguous": [facts.ambiguous] * len(facts.types),
        "types": list(facts.types),
        "relation": facts.relation,
        "head": facts.head,
        "left": facts.left,
        "cue": facts.cue,
        "scene": scene,
        "unrelated": facts.image if facts.has_image else "",
    }
