"""One biography: who and what it is about, sentence by sentence, and its transcript with mentions."""

from __future__ import annotations

from dataclasses import dataclass, field

from openmie.diorama.config import Config
from openmie.diorama.documents import distributions as biography
from openmie.diorama.documents import transcripts
from openmie.diorama.documents.distributions import CLEAR, Told
from openmie.diorama.posts import names
from openmie.diorama.posts.distributions import Scene, images
from openmie.diorama.rng import Draws, Law

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "black", "cyan")  # of frames, all different
MAIN = Law([("short", 0.5), ("nominal", 0.3), ("full", 0.2)])  # how the main person is mentioned
AGAIN = Law([("short", 0.5), ("nominal", 0.5)])  # how something is mentioned again


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A person, place, organisation or time: one chain."""

    type: str
    words: tuple[str, ...]  # of its name, or the time as it is written
    clear: bool = True  # whether the text tells its type
    home: bool = False  # the main person's birthplace
    rank: int = 0  # among the clear things of its type: decides its trade, or what follows its name


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A frame of a sentence."""

    sentence: int
    told: Told
    image: str  # "": it shows what the sentence is about; or clutter, or other
    scene: Scene
    colour: str  # of its flags
    things: tuple[int, ...]  # what the sentence's own scene shows, in text order


@dataclass
class Story:
    """Things are counted from 0, the main person; all offsets are code points of `text`."""

    things: list[Thing] = field(default_factory=list)
    text: str = ""
    mentions: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, thing
    sentences: list[tuple[int, int]] = field(default_factory=list)
    relations: list[tuple[str, int, int]] = field(default_factory=list)  # label, head, tail
    pairs: list[tuple[int, int]] = field(default_factory=list)  # only a frame tells what they are
    shots: list[Shot] = field(default_factory=list)


def tell(config: Config, split: str, facts: Draws, words: Draws) -> Story:
    """A whole story. What it is about is drawn from `facts`, names and templates from `words`."""
    n, f = facts.draw(biography.sizes(config))
    framed = sorted(facts.shuffled(range(1, n - 1))[:f])
    colours = dict(zip(framed, facts.shuffled(COLOURS)))
    teller = Teller(config, split, words)
    teller.open()
    for i in range(1, n - 1):
        if i not in colours:
            teller.told_by_text(facts.draw(biography.UNFRAMED))
            continue
        told, image = facts.draw(biography.told(config)), facts.draw(images(config))
        other, clutter = facts.draw(biography.other_scenes(config)), facts.draw(biography.clutter_scenes(config))
        flagged = facts.chance(config.flag_cue)
        scene = {"": biography.own_scene(told), "other": other, "clutter": clutter}[image]
        things = teller.told_with_frame(told, colours[i] if flagged else "")
        teller.story.shots.append(
            Shot(sentence=i, told=told, image=image, scene=scene, colour=colours[i], things=things)
        )
    teller.close()
    return teller.story


class Teller:
    """Writes sentences one after the other."""

    def __init__(self, config: Config, split: str, draws: Draws) -> None:
        self.language, self.split, self.draws = config.language, split, draws
        self.words = transcripts.OF[config.language]
        self.year = draws.between(1880, 1930)
        self.trades: list[str] = draws.shuffled(self.words.ROLES)
        self.kinds = {"LOC": draws.shuffled(self.words.PLACES), "ORG": draws.shuffled(self.words.COMPANIES)}
        self.used: set[str] = set()
        self.slots: dict[str, int] = {}  # slot of the sentence -> thing
        self.start = 0  # of the sentence
        self.story = Story()
        self.new("PER")

    def open(self) -> None:
        self.sentence(self.draws.pick(self.words.OPEN), {"H": "LOC"})
        self.story.relations += [(biography.BIRTH, 0, self.slots["H"]), (biography.BIRTH_TIME, 0, self.slots["D"])]

    def told_by_text(self, kind: str) -> None:
        """A sentence without a frame."""
        if kind in CLEAR:
            self.clear(kind, self.draws.pick(self.words.CLEAR[kind]))
            return
        if kind == "recall":
            self.slots = {"q": self.draws.pick(self.known(clear=True))}
        self.sentence(self.draws.pick(self.words.LIFE if kind == "life" else self.words.RECALL))

    def told_with_frame(self, told: Told, colour: str) -> tuple[int, ...]:
        """A sentence with a frame; the things that its own scene shows, in text order."""
        if told.kind in CLEAR:
            _, *ends = CLEAR[told.kind].shown
            order = ends if told.head == 0 else ends[::-1]
            self.clear(
                told.kind,
                self.draws.pick(biography.clear_templates(self.language, told.kind, told.head)),
                told,
                colour,
                tuple(order),
            )
        elif told.kind == "life":
            self.sentence(self.draws.pick(self.words.LIFE), {}, told, colour, ("P",))
            return (0,)
        else:
            templates, order = (self.words.ONE, ["a"]) if told.kind == "one" else (self.words.TWO, ["a", "b"])
            self.sentence(self.draws.pick(templates), dict(zip(order, told.types)), told, colour, tuple(order))
        things = tuple(self.slots[slot] for slot in order)
        if told.kind == "two":
            self.story.pairs.append((things[0], things[1]))
            if told.label:
                self.story.relations.append((told.label, things[told.head], things[1 - told.head]))
        return things

    def clear(
        self, kind: str, template: str, told: Told | None = None, colour: str = "", order: tuple[str, ...] = ()
    ) -> None:
        self.sentence(template, dict(zip("xy", CLEAR[kind].new)), told, colour, order)
        for label, head, tail in CLEAR[kind].relations:
            self.story.relations.append((label, self.slots[head], self.slots[tail]))

    def close(self) -> None:
        self.slots = {"q": self.draws.pick(self.known())}
        self.sentence(self.draws.pick(self.words.CLOSE))

    def known(self, clear: bool = False) -> list[int]:
        """Everything that was named, but for the main person and times."""
        return [i for i, t in enumerate(self.story.things) if i and t.type != "TIME" and (t.clear or not clear)]

    def sentence(
        self,
        template: str,
        new: dict[str, str] | None = None,
        told: Told | None = None,
        colour: str = "",
        order: tuple[str, ...] = (),
    ) -> None:
        """Append a sentence; `new`: slot -> type of the things that it brings in; the rest belongs to its frame."""
        story = self.story
        self.slots = {**({"q": self.slots["q"]} if "q" in self.slots and new is None else {}), "P": 0, "F": 0}
        if story.text:
            story.text += self.words.JOIN
        self.start = len(story.text)
        self.write(template, new or {}, told is not None and told.kind in ("one", "two"))
        if told is not None:
            clause = self.draws.pick(self.words.FLAG if colour else self.words.PHOTO)
            self.write(clause.replace("{c}", self.words.COLOURS.get(colour, "")), {})
            if told.cue:
                named = self.draws.below(2)
                self.slots["n"] = self.slots[order[named]]
                self.write(self.draws.pick(self.words.SIDE[named == told.left]), {})
        story.text += self.words.STOP
        story.sentences.append((self.start, len(story.text)))

    def write(self, template: str, new: dict[str, str], hidden: bool = False) -> None:
        for i, piece in enumerate(transcripts.pieces(template)):
            if i % 2 == 0:
                self.story.text += piece
                continue
            if piece in ("r", "role"):
                self.story.text += self.trade(piece)
                continue
            if piece in new:
                self.slots[piece] = self.new(new[piece], hidden, piece == "H")
            surface = self.surface(piece)
            at = len(self.story.text)
            if at == self.start:
                surface = surface[:1].upper() + surface[1:]
            self.story.text += surface
            self.story.mentions.append((at, at + len(surface), self.slots[piece]))

    def trade(self, slot: str) -> str:
        """Of the main person, or of the person whom the sentence brings in, maybe only after it."""
        if slot == "role":
            return self.trades[0]
        return self.trades[self.story.things[self.slots["x"]].rank if "x" in self.slots else self.ranked("PER")]

    def ranked(self, type: str) -> int:
        return sum(t.clear and t.type == type for t in self.story.things)

    def new(self, type: str, hidden: bool = False, home: bool = False) -> int:
        made: list[str] = []
        for _ in range(2 if type == "PER" and not hidden else 1):
            made += [self.unused()]
        self.story.things.append(
            Thing(type=type, words=tuple(made), clear=not hidden, home=home, rank=self.ranked(type))
        )
        return len(self.story.things) - 1

    def unused(self) -> str:
        while (made := names.word(self.draws, self.split, self.language)) in self.used:
            continue
        self.used.add(made)
        return made

    def surface(self, slot: str) -> str:
        """How a slot's thing is mentioned there."""
        if slot in ("T", "D"):
            return self.time(slot)
        thing = self.story.things[self.slots[slot]]
        if not thing.clear or slot == "n":
            return thing.words[0]
        how = self.draws.draw(MAIN if slot == "P" else AGAIN) if slot in ("P", "q") else "full"
        if how == "short":
            return thing.words[0]
        if thing.type == "PER":
            if how == "full":
                return str(self.words.FULL_PERSON.format(n=thing.words[0], m=thing.words[1]))
            return str(self.draws.pick(self.words.PERSON).format(r=self.trades[thing.rank]))
        full, nominal = self.kinds[thing.type][thing.rank]
        if how == "full":
            return str(full.format(n=thing.words[0]))
        return str(self.draws.pick((nominal, *self.words.HOME)) if thing.home else nominal)

    def time(self, slot: str) -> str:
        """A new time, later than all before."""
        self.year += self.draws.between(1, 3)
        form = self.words.DAY if slot == "D" else self.draws.pick((self.words.YEAR, self.words.MONTH))
        said = form.format(y=self.year, m=self.draws.pick(self.words.MONTHS), d=self.draws.between(1, 28))
        self.story.things.append(Thing(type="TIME", words=(said,)))
        self.slots[slot] = len(self.story.things) - 1
        return str(said)
