"""From a biography to a Document: transcript, chains, relations, timed frames and their regions."""

from __future__ import annotations

from typing import Any, Literal

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation, TimeSpan, Word
from openmie.diorama.config import Config
from openmie.diorama.documents import distributions
from openmie.diorama.documents.story import Story, write_story
from openmie.diorama.drawing.layout import Layout, sample_layout
from openmie.diorama.drawing.render import render
from openmie.diorama.posts import names
from openmie.diorama.posts.posts import to_pixels
from openmie.diorama.rng import RandomStream
from openmie.errors import CorpusError

# each purpose has its own random stream, different from those of posts
PURPOSES = LATENT, WORDS, MODALITIES, TIMES, SCENES, PIXELS = tuple(range(100, 106))


def document(config: Config, split: str, index: int, pixels: bool = True) -> Document:
    """The document of this index; with `pixels=False` its frames carry no pixels, and all else is the same."""
    streams = {p: RandomStream(config.seed, names.SPLITS.index(split), index, p) for p in PURPOSES}
    story = write_story(config, split, streams[LATENT], streams[WORDS])
    modalities = streams[MODALITIES].sample(distributions.modality_distribution(config))
    spans, moments = sample_times(story, streams[TIMES])
    layouts = [
        sample_layout(shot.scene, (shot.colour,) * len(shot.scene.figures), config.distractors, streams[SCENES])
        for shot in story.shots
    ]
    layers: dict[str, Any] = {}
    if modalities != "text":
        pixels_per_frame = [
            render(layout, config.size, config.noise, streams[PIXELS]) if pixels else None for layout in layouts
        ]
        layers["images"] = tuple(
            Image(kind="frame", id=f"frame{i}", time=float(moment), width=config.size, height=config.size, pixels=x)
            for i, (moment, x) in enumerate(zip(moments, pixels_per_frame))
        )
        layers["regions"] = regions(config, story, layouts, linked=modalities != "frames")
    if modalities != "frames":
        layers |= text_layers(config, story, spans)
    return Document(
        id=f"diorama-{split}-{index:06d}",
        lang=config.language,
        **layers,
        source=latent_metadata(config, story, layouts, modalities, split, index),
    )


def sample_times(story: Story, rng: RandomStream) -> tuple[list[tuple[int, int]], list[int]]:
    """Start and end of each sentence, and the time of each frame within its sentence, in seconds."""
    at, spans = 0, []
    for _ in story.sentences:
        spans.append((at, at + rng.randint(4, 9)))
        at = spans[-1][1]
    return spans, [rng.randint(spans[s.sentence][0] + 1, spans[s.sentence][1] - 1) for s in story.shots]


def text_layers(config: Config, story: Story, spans: list[tuple[int, int]]) -> dict[str, Any]:
    """The layers of the text."""
    of: dict[int, list[str]] = {i: [] for i in range(len(story.entities))}
    mentions = []
    for i, (start, end, entity) in enumerate(story.mentions):
        of[entity].append(f"m{i}")
        mentions.append(
            Mention(id=f"m{i}", start=start, end=end, label=story.entities[entity].type, text=story.text[start:end])
        )
    return {
        "text": story.text,
        "words": words(story.text, config.language),
        "mentions": tuple(mentions),
        "chains": tuple(Chain(id=f"c{i}", mentions=tuple(of[i]), label=t.type) for i, t in enumerate(story.entities)),
        "relations": tuple(Relation(head=f"c{h}", tail=f"c{t}", label=label) for label, h, t in story.relations),
        "times": tuple(
            TimeSpan(*where, float(begin), float(finish)) for where, (begin, finish) in zip(story.sentences, spans)
        ),
    }


def words(text: str, language: str) -> tuple[Word, ...]:
    """Whitespace-separated in English; every character in Chinese."""
    if language == "zh":
        return tuple(Word(i, i + 1) for i in range(len(text)))
    spans, at = [], 0
    for word in text.split(" "):
        spans.append(Word(at, at + len(word)))
        at += len(word) + 1
    return tuple(spans)


def regions(config: Config, story: Story, layouts: list[Layout], linked: bool) -> tuple[Region, ...]:
    """Regions of the figures in related frames, from left to right; without text they belong to no chain."""
    found = []
    for i, (shot, layout) in enumerate(zip(story.shots, layouts)):
        for place, figure in enumerate(layout.figures if not shot.image else ()):
            which = shot.entities[place if shot.content.left == 0 else len(shot.entities) - 1 - place]
            found.append(
                Region(
                    image=f"frame{i}",
                    box=to_pixels(figure.box, config.size),
                    label=story.entities[which].type,
                    of=f"c{which}" if linked else "",
                )
            )
    return tuple(found)


def latent_metadata(
    config: Config, story: Story, layouts: list[Layout], modalities: str, split: str, index: int
) -> dict[str, Any]:
    """The latent state as `source`, for analyses only: no system reads it."""
    frames = (
        []
        if modalities == "text"
        else [
            {
                "sentence": shot.sentence,
                "kind": shot.content.kind,
                "unrelated": shot.image,
                "sign": shot.scene.sign,
                "flag": shot.colour,
                "left": shot.content.left,
                "cue": shot.content.cue,
                "shows": [f"c{i}" for i in shot.entities],
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
        "sides": modalities,
        "frames": frames,
        "ambiguous": [f"c{i}" for i, t in enumerate(story.entities) if not t.clear],
        "pairs": [[f"c{a}", f"c{b}"] for a, b in story.pairs],
    }


def observable_from(document: Document, relation: Relation) -> Literal["text", "frame"]:
    """Whether the relation between two chains is observable from the text, or from a frame only.

    Args:
        document: A generated document; its `source` holds the latent state.
        relation: Head and tail are chain ids of the document. The label plays no part, so predicted relations that are
            wrong can be classified too.

    Raises:
        CorpusError: For a document without the latent state of Diorama.
    """
    pairs = {frozenset(pair) for pair in _metadata(document)["pairs"]}
    return "frame" if frozenset((relation.head, relation.tail)) in pairs else "text"


def keep_frame_relations(gold: Document, document: Document) -> Document:
    """A copy of `document` (gold or a prediction) with those relations only that are observable from frames alone.

    These are the relations whose two ends each share a mention span with one of two gold chains that are ambiguous in
    the text, so that scores can be split by modality with predicted chains too.

    Args:
        gold: The generated document.
        document: The gold document itself, or a prediction for it.

    Raises:
        CorpusError: If `gold` has no latent state of Diorama.
    """
    pairs = [tuple(_spans(gold, id) for id in pair) for pair in _metadata(gold)["pairs"]]

    def keep(relation: Relation) -> bool:
        head, tail = _spans(document, relation.head), _spans(document, relation.tail)
        return any((head & a and tail & b) or (head & b and tail & a) for a, b in pairs)

    return document.replace(relations=tuple(r for r in document.relations if keep(r)))


def _spans(document: Document, id: str) -> set[tuple[int, int]]:
    """The spans of a chain or a mention."""
    found = document.find(id)
    parts = [document.find(m) for m in found.mentions] if isinstance(found, Chain) else [found]
    return {(m.start, m.end) for m in parts if isinstance(m, Mention) and m.status != "unlocated"}


def _metadata(document: Document) -> dict[str, Any]:
    if document.source.get("corpus") != "diorama" or "pairs" not in document.source:
        raise CorpusError(
            "no latent state of a Diorama document in its source",
            where=f"document {document.id}",
            expected="a document as diorama.generate makes it with documents=True",
            remedy="pass the gold document, not a prediction or the result of without_gold()",
        )
    return document.source
