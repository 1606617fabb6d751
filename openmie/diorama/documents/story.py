"""One biography: its entities and relations, sentence by sentence, and its transcript with mentions."""

from __future__ import annotations

from dataclasses import dataclass, field

from openmie.diorama.config import Config
from openmie.diorama.documents import distributions, transcripts
from openmie.diorama.documents.distributions import CLEAR, SentenceContent
from openmie.diorama.posts import names
from openmie.diorama.posts.distributions import Scene, images
from openmie.diorama.rng import Distribution, RandomStream

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "black", "cyan")  # of frames, all different
MAIN_PERSON_FORMS = Distribution([("short", 0.5), ("nominal", 0.3), ("full", 0.2)])  # how the main person is mentioned
RECALL_FORMS = Distribution([("short", 0.5), ("nominal", 0.5)])  # how something is mentioned again


@dataclass(frozen=True, kw_only=True)
class StoryEntity:
    """A person, place, organisation or time: one chain."""

    type: str
    words: tuple[str, ...]  # of its name, or the time as it is written
    clear: bool = True  # whether the text determines its type
    home: bool = False  # the main person's birthplace
    rank: int = 0  # among the clear entities of its type: decides its occupation, or the suffix of its name


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A frame of a sentence."""

    sentence: int
    content: SentenceContent
    image: str  # "": related to the sentence; or clutter, or other
    scene: Scene
    colour: str  # of its flags
    entities: tuple[int, ...]  # of the sentence's own scene, in text order


@dataclass
class Story:
    """Entities are numbered from 0, the main person; all offsets are code points of `text`."""

    entities: list[StoryEntity] = field(default_factory=list)
    text: str = ""
    mentions: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, entity
    sentences: list[tuple[int, int]] = field(default_factory=list)
    relations: list[tuple[str, int, int]] = field(default_factory=list)  # label, head, tail
    pairs: list[tuple[int, int]] = field(default_factory=list)  # whose relation is observable from a frame only
    shots: list[Shot] = field(default_factory=list)


def write_story(config: Config, split: str, latent: RandomStream, words: RandomStream) -> Story:
    """A whole story. Its content is sampled from `latent`, names and templates from `words`."""
    n, f = latent.sample(distributions.sizes(config))
    with_frame = sorted(latent.shuffled(range(1, n - 1))[:f])
    colours = dict(zip(with_frame, latent.shuffled(COLOURS)))
    writer = StoryWriter(config, split, words)
    writer.open()
    for i in range(1, n - 1):
        if i not in colours:
            writer.sentence_without_frame(latent.sample(distributions.UNFRAMED))
            continue
        content, image = latent.sample(distributions.sentence_contents(config)), latent.sample(images(config))
        other, clutter = (
            latent.sample(distributions.other_scenes(config)),
            latent.sample(distributions.clutter_scenes(config)),
        )
        names_flag = latent.bernoulli(config.flag_cue)
        scene = {"": distributions.own_scene(content), "other": other, "clutter": clutter}[image]
        entities = writer.sentence_with_frame(content, colours[i] if names_flag else "")
        writer.story.shots.append(
            Shot(sentence=i, content=content, image=image, scene=scene, colour=colours[i], entities=entities)
        )
    writer.close()
    return writer.story


class StoryWriter:
    """Writes sentences one after the other."""

    def __init__(self, config: Config, split: str, rng: RandomStream) -> None:
        self.language, self.split, self.rng = config.language, split, rng
        self.words = transcripts.LANGUAGES[config.language]
        self.year = rng.randint(1880, 1930)
        self.occupations: list[str] = rng.shuffled(self.words.ROLES)
        self.kinds = {"LOC": rng.shuffled(self.words.PLACES), "ORG": rng.shuffled(self.words.COMPANIES)}
        self.used: set[str] = set()
        self.slots: dict[str, int] = {}  # slot of the sentence -> entity
        self.start = 0  # of the sentence
        self.story = Story()
        self.new("PER")

    def open(self) -> None:
        self.sentence(self.rng.choice(self.words.OPEN), {"H": "LOC"})
        self.story.relations += [
            (distributions.BIRTH, 0, self.slots["H"]),
            (distributions.BIRTH_TIME, 0, self.slots["D"]),
        ]

    def sentence_without_frame(self, kind: str) -> None:
        """Write a sentence without a frame."""
        if kind in CLEAR:
            self.clear(kind, self.rng.choice(self.words.CLEAR[kind]))
            return
        if kind == "recall":
            self.slots = {"q": self.rng.choice(self.recallable(clear=True))}
        self.sentence(self.rng.choice(self.words.LIFE if kind == "life" else self.words.RECALL))

    def sentence_with_frame(self, content: SentenceContent, colour: str) -> tuple[int, ...]:
        """Write a sentence with a frame; the entities of its own scene, in text order."""
        if content.kind in CLEAR:
            _, *ends = CLEAR[content.kind].shown
            order = ends if content.head == 0 else ends[::-1]
            self.clear(
                content.kind,
                self.rng.choice(distributions.clear_templates(self.language, content.kind, content.head)),
                content,
                colour,
                tuple(order),
            )
        elif content.kind == "life":
            self.sentence(self.rng.choice(self.words.LIFE), {}, content, colour, ("P",))
            return (0,)
        else:
            templates, order = (self.words.ONE, ["a"]) if content.kind == "one" else (self.words.TWO, ["a", "b"])
            self.sentence(self.rng.choice(templates), dict(zip(order, content.types)), content, colour, tuple(order))
        entities = tuple(self.slots[slot] for slot in order)
        if content.kind == "two":
            self.story.pairs.append((entities[0], entities[1]))
            if content.label:
                self.story.relations.append((content.label, entities[content.head], entities[1 - content.head]))
        return entities

    def clear(
        self,
        kind: str,
        template: str,
        content: SentenceContent | None = None,
        colour: str = "",
        order: tuple[str, ...] = (),
    ) -> None:
        self.sentence(template, dict(zip("xy", CLEAR[kind].new)), content, colour, order)
        for label, head, tail in CLEAR[kind].relations:
            self.story.relations.append((label, self.slots[head], self.slots[tail]))

    def close(self) -> None:
        self.slots = {"q": self.rng.choice(self.recallable())}
        self.sentence(self.rng.choice(self.words.CLOSE))

    def recallable(self, clear: bool = False) -> list[int]:
        """All entities named so far, except the main person and times."""
        return [i for i, t in enumerate(self.story.entities) if i and t.type != "TIME" and (t.clear or not clear)]

    def sentence(
        self,
        template: str,
        new: dict[str, str] | None = None,
        content: SentenceContent | None = None,
        colour: str = "",
        order: tuple[str, ...] = (),
    ) -> None:
        """Append a sentence; `new`: slot -> type of the entities that it introduces; the rest describes its frame."""
        story = self.story
        self.slots = {**({"q": self.slots["q"]} if "q" in self.slots and new is None else {}), "P": 0, "F": 0}
        if story.text:
            story.text += self.words.JOIN
        self.start = len(story.text)
        self.write(template, new or {}, content is not None and content.kind in ("one", "two"))
        if content is not None:
            clause = self.rng.choice(self.words.FLAG if colour else self.words.PHOTO)
            self.write(clause.replace("{c}", self.words.COLOURS.get(colour, "")), {})
            if content.cue:
                which = self.rng.randbelow(2)
                self.slots["n"] = self.slots[order[which]]
                self.write(self.rng.choice(self.words.SIDE[which == content.left]), {})
        story.text += self.words.STOP
        story.sentences.append((self.start, len(story.text)))

    def write(self, template: str, new: dict[str, str], ambiguous: bool = False) -> None:
        for i, part in enumerate(transcripts.split_template(template)):
            if i % 2 == 0:
                self.story.text += part
                continue
            if part in ("r", "role"):
                self.story.text += self.occupation(part)
                continue
            if part in new:
                self.slots[part] = self.new(new[part], ambiguous, part == "H")
            surface = self.surface(part)
            at = len(self.story.text)
            if at == self.start:
                surface = surface[:1].upper() + surface[1:]
            self.story.text += surface
            self.story.mentions.append((at, at + len(surface), self.slots[part]))

    def occupation(self, slot: str) -> str:
        """Occupation of the main person, or of the person that the sentence introduces, possibly only after it."""
        if slot == "role":
            return self.occupations[0]
        return self.occupations[self.story.entities[self.slots["x"]].rank if "x" in self.slots else self.ranked("PER")]

    def ranked(self, type: str) -> int:
        return sum(t.clear and t.type == type for t in self.story.entities)

    def new(self, type: str, ambiguous: bool = False, home: bool = False) -> int:
        words: list[str] = []
        for _ in range(2 if type == "PER" and not ambiguous else 1):
            words += [self.unused_word()]
        self.story.entities.append(
            StoryEntity(type=type, words=tuple(words), clear=not ambiguous, home=home, rank=self.ranked(type))
        )
        return len(self.story.entities) - 1

    def unused_word(self) -> str:
        while (word := names.word(self.rng, self.split, self.language)) in self.used:
            continue
        self.used.add(word)
        return word

    def surface(self, slot: str) -> str:
        """The surface form of a slot's entity there."""
        if slot in ("T", "D"):
            return self.time(slot)
        entity = self.story.entities[self.slots[slot]]
        if not entity.clear or slot == "n":
            return entity.words[0]
        form = self.rng.sample(MAIN_PERSON_FORMS if slot == "P" else RECALL_FORMS) if slot in ("P", "q") else "full"
        if form == "short":
            return entity.words[0]
        if entity.type == "PER":
            if form == "full":
                return str(self.words.FULL_PERSON.format(n=entity.words[0], m=entity.words[1]))
            return str(self.rng.choice(self.words.PERSON).format(r=self.occupations[entity.rank]))
        full, nominal = self.kinds[entity.type][entity.rank]
        if form == "full":
            return str(full.format(n=entity.words[0]))
        return str(self.rng.choice((nominal, *self.words.HOME)) if entity.home else nominal)

    def time(self, slot: str) -> str:
        """A new time, later than all before."""
        self.year += self.rng.randint(1, 3)
        form = self.words.DAY if slot == "D" else self.rng.choice((self.words.YEAR, self.words.MONTH))
        written = form.format(y=self.year, m=self.rng.choice(self.words.MONTHS), d=self.rng.randint(1, 28))
        self.story.entities.append(StoryEntity(type="TIME", words=(written,)))
        self.slots[slot] = len(self.story.entities) - 1
        return str(written)
