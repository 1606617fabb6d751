"""From a biography to a Document: transcript, chains, relations, timed frames and their regions."""

from __future__ import annotations

from typing import Any, Literal

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation, TimeSpan, Word
from openmie.diorama.config import Config
from openmie.diorama.documents import distributions as biography
from openmie.diorama.documents.story import Story, tell
from openmie.diorama.drawing.layout import Layout, lay_out
from openmie.diorama.drawing.render import render
from openmie.diorama.posts import names
from openmie.diorama.posts.posts import to_pixels
from openmie.diorama.rng import Draws
from openmie.errors import CorpusError

# each purpose has its own stream of draws, other ones than those of posts
PURPOSES = FACTS, WORDS, SIDES, TIMES, SCENES, PIXELS = tuple(range(100, 106))


def document(config: Config, split: str, index: int, pixels: bool = True) -> Document:
    """The document of this index; with `pixels=False` its frames carry no pixels, and all else is the same."""
    streams = {p: Draws(config.seed, names.SPLITS.index(split), index, p) for p in PURPOSES}
    story = tell(config, split, streams[FACTS], streams[WORDS])
    sides = streams[SIDES].draw(biography.sides(config))
    spans, moments = timed(story, streams[TIMES])
    layouts = [
        lay_out(shot.scene, (shot.colour,) * len(shot.scene.figures), config.distractors, streams[SCENES])
        for shot in story.shots
    ]
    layers: dict[str, Any] = {}
    if sides != "text":
        shown = [render(layout, config.size, config.noise, streams[PIXELS]) if pixels else None for layout in layouts]
        layers["images"] = tuple(
            Image(kind="frame", id=f"frame{i}", time=float(moment), width=config.size, height=config.size, pixels=x)
            for i, (moment, x) in enumerate(zip(moments, shown))
        )
        layers["regions"] = regions(config, story, layouts, linked=sides != "frames")
    if sides != "frames":
        layers |= told(config, story, spans)
    return Document(
        id=f"diorama-{split}-{index:06d}",
        lang=config.language,
        **layers,
        source=hidden(config, story, layouts, sides, split, index),
    )


def timed(story: Story, draws: Draws) -> tuple[list[tuple[int, int]], list[int]]:
    """Seconds in which each sentence is said, and the second of each frame, within its sentence."""
    at, spans = 0, []
    for _ in story.sentences:
        spans.append((at, at + draws.between(4, 9)))
        at = spans[-1][1]
    return spans, [draws.between(spans[s.sentence][0] + 1, spans[s.sentence][1] - 1) for s in story.shots]


def told(config: Config, story: Story, spans: list[tuple[int, int]]) -> dict[str, Any]:
    """The layers of the text."""
    of: dict[int, list[str]] = {i: [] for i in range(len(story.things))}
    mentions = []
    for i, (start, end, thing) in enumerate(story.mentions):
        of[thing].append(f"m{i}")
        mentions.append(
            Mention(id=f"m{i}", start=start, end=end, label=story.things[thing].type, text=story.text[start:end])
        )
    return {
        "text": story.text,
        "words": words(story.text, config.language),
        "mentions": tuple(mentions),
        "chains": tuple(Chain(id=f"c{i}", mentions=tuple(of[i]), label=t.type) for i, t in enumerate(story.things)),
        "relations": tuple(Relation(head=f"c{h}", tail=f"c{t}", label=label) for label, h, t in story.relations),
        "times": tuple(
            TimeSpan(*where, float(begin), float(finish)) for where, (begin, finish) in zip(story.sentences, spans)
        ),
    }


def words(text: str, language: str) -> tuple[Word, ...]:
    """Between blanks in English; every character in Chinese."""
    if language == "zh":
        return tuple(Word(i, i + 1) for i in range(len(text)))
    spans, at = [], 0
    for word in text.split(" "):
        spans.append(Word(at, at + len(word)))
        at += len(word) + 1
    return tuple(spans)


def regions(config: Config, story: Story, layouts: list[Layout], linked: bool) -> tuple[Region, ...]:
    """The figures of what sentences are about, from left to right; without text they belong to no chain."""
    found = []
    for i, (shot, layout) in enumerate(zip(story.shots, layouts)):
        for place, figure in enumerate(layout.figures if not shot.image else ()):
            which = shot.things[place if shot.told.left == 0 else len(shot.things) - 1 - place]
            found.append(
                Region(
                    image=f"frame{i}",
                    box=to_pixels(figure.box, config.size),
                    label=story.things[which].type,
                    of=f"c{which}" if linked else "",
                )
            )
    return tuple(found)


def hidden(config: Config, story: Story, layouts: list[Layout], sides: str, split: str, index: int) -> dict[str, Any]:
    """For analyses only: no system reads `source`."""
    frames = (
        []
        if sides == "text"
        else [
            {
                "sentence": shot.sentence,
                "kind": shot.told.kind,
                "unrelated": shot.image,
                "sign": shot.scene.sign,
                "flag": shot.colour,
                "left": shot.told.left,
                "cue": shot.told.cue,
                "shows": [f"c{i}" for i in shot.things],
                "figures": [
                    {
                        "type": p.figure.type,
                        "young": p.figure.young,
                        "kind": p.kind,
                        "box": list(to_pixels(p.box, config.size)),
                    }
                    for p in layout.figures
                    if p.figure
                ],
            }
            for shot, layout in zip(story.shots, layouts)
        ]
    )
    return {
        "corpus": "diorama",
        "documents": True,
        "split": split,
        "index": index,
        "sides": sides,
        "frames": frames,
        "ambiguous": [f"c{i}" for i, t in enumerate(story.things) if not t.clear],
        "pairs": [[f"c{a}", f"c{b}"] for a, b in story.pairs],
    }


def told_by(document: Document, relation: Relation) -> Literal["text", "frame"]:
    """Whether only a frame tells what the two chains of a relation are to each other, or the text does.

    Head and tail are chain ids of the generated document; the label does not matter, so that a wrong label, or a
    relation where there is none, can be asked for too. `CorpusError` for a document without Diorama's facts.
    """
    pairs = {frozenset(pair) for pair in _facts(document)["pairs"]}
    return "frame" if frozenset((relation.head, relation.tail)) in pairs else "text"


def told_by_frames(gold: Document, document: Document) -> Document:
    """A copy of `document`, gold or prediction, with no other relations than those that only frames tell.

    They are the relations whose two chains (or mentions) each share a mention with one of two chains of which only a
    frame tells what they are to each other; so scores can be split by who tells, with a system's own chains too.
    """
    pairs = [tuple(_places(gold, id) for id in pair) for pair in _facts(gold)["pairs"]]

    def kept(relation: Relation) -> bool:
        head, tail = _places(document, relation.head), _places(document, relation.tail)
        return any((head & a and tail & b) or (head & b and tail & a) for a, b in pairs)

    return document.replace(relations=tuple(r for r in document.relations if kept(r)))


def _places(document: Document, id: str) -> set[tuple[int, int]]:
    """The spans of a chain or a mention."""
    found = document.find(id)
    parts = [document.find(m) for m in found.mentions] if isinstance(found, Chain) else [found]
    return {(m.start, m.end) for m in parts if isinstance(m, Mention) and m.status != "unlocated"}


def _facts(document: Document) -> dict[str, Any]:
    if document.source.get("corpus") != "diorama" or "pairs" not in document.source:
        raise CorpusError(
            "no facts of a Diorama document in its source",
            where=f"document {document.id}",
            expected="a document as diorama.generate makes it with documents=True",
            remedy="give the gold document, not a prediction or what without_gold() left",
        )
    return document.source
