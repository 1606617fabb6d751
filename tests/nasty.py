"""Documents and answers made to break the Prompt Format Adapter, from a seeded generator; nothing of any corpus."""

from __future__ import annotations

import random

from openmie.data.document import Chain, Document, Image, Mention, Region

LABELS = (
    ("PER", "LOC", "ORG", "MISC"), ("PER",), ("person", "Person", "per"), ("creative-work", "/per/per/peer", "人物"),
    ("A", "B", "A;B", "A:B", ":A", "B;"), ("", "x"), (" x ", "y z", "\\u{3a}", "a\\b"), ("NER", "Task 2 Answer", "a"),
    (".*", "[A-Z]+", "(", "|"), ("😂", "é", "É"),
)
FORMAT = (
    ":PER;", ":per;", ": PER ;", "：LOC；", ":LOC", "PER;", ":A;", ";B;", ":;", "::", ";;", ":)", "7:30",
    "https://t.co/a;b", "Task 1 Answer:", "Task 2 Answer:", "NER:", "NER: :", "image-entity pair:",
    "image entities pair", "**Task 2 Answer:**", "{'a': 'x'}", "{", "}", "'a': ", "', 'b': '", "\\u{3a}",
    "\\u{110000}", "\\u{d800}", "\\#2", "\\#0", "\\", "\\'", "\\n", "```", "```json\n", "\n", "\r\n", "\n\n", "\t",
    "\u2028", "\x85", "\x0b", "\x1f", " ", "    ", "\u3000", "\u00a0",
)  # fmt: skip
WORDS = (
    "Zorvane", "Ada", "Ada", "Bo", "Canada", "O'Neil", '"Zed"', "don't", "New", "York", "北京", "漢字", "e\u0301",
    "👍🏽", "שלום", "\u202eabc", "\x00", "\u2060", "@zed_1", "#Sky", "…", "A", "B", "a", "x",
)  # fmt: skip
HOSTILE = (
    ":PER;", "x:PER;y", ":PER;:LOC;", "::PER;;", ": per ;", "：LOC；", "a:LOC;", ":LOC;b", ":PER", "PER;", ";", ":",
    ":;", "Task 1 Answer:", "\nTask 1 Answer: z", "\nTask 2 Answer: NER: :PER;z", "NER:", "\nNER: :LOC;z",
    "image-entity pair:", "\nimage-entity pair: {'a': 'z'}", "\nimage entities pair: {}", "**Task 2 Answer:**",
    "## Task 1 Answer:", "{'a': 'z'}", "\n{'a': 'z'}", "{", "}", "'", '"', "'\"", "', 'b': 'z", "\", 'b': \"z", "\\",
    "\\'", "\\n", "\\u{3a}", "\\u{5c}u{3a}", "\\u003a", "\\#1", "z\\#2", "\\#0", "```", "\n```\n", "\n", "\r\n z",
    " z ", "\t", "\x00\x85\u2028", "\ufffd", "O'Neil's \"7:30\"; :) {x}",
)  # fmt: skip


def text(rng: random.Random, most: int = 12, nasty: float = 0.4) -> str:
    """Some pieces, with and without blanks between them."""
    joint = rng.choice((" ", "", " "))
    return joint.join(rng.choice(FORMAT if rng.random() < nasty else WORDS) for _ in range(rng.randint(0, most)))


def document(rng: random.Random, labels: tuple[str, ...], nasty: float = 0.4) -> Document:
    """A document with everything that the format speaks of, its spans and names drawn without mercy."""
    body = text(rng, 12, nasty)
    mentions = [_mention(rng, n, body, labels, nasty) for n in range(rng.choice((0, 1, 2, 2, 3, 5)))]
    images, regions = _images(rng), []
    ids = [m.id for m in mentions]
    chains = [Chain(id="c", mentions=tuple(rng.sample(ids, min(2, len(ids)))))] if ids and rng.random() < 0.2 else []
    patches = [i for i in images if i.kind in ("patch", "object") and i.parent in ("", "main")]
    for patch in patches:
        for of in rng.sample(ids + [c.id for c in chains], rng.choice((0, 0, 1, 1, min(2, len(ids))))) if ids else ():
            regions.append(_region(rng, patch, of))
    if images and ids:
        regions.append(Region(image="main", box=(90.0, 90.0, 99.0, 99.0), of=ids[0]))  # on no patch
    return Document(id=f"d{rng.random()}", text=body, mentions=tuple(mentions), images=tuple(images),
                    chains=tuple(chains), regions=tuple(regions), summary=text(rng, 8, nasty))


def _mention(rng: random.Random, n: int, body: str, labels: tuple[str, ...], nasty: float) -> Mention:
    label = rng.choice(labels)
    if not body or rng.random() < 0.15:
        name = rng.choice((text(rng, 3, nasty), body[:3], ""))
        return Mention(id=f"m{n}", start=0, end=0, label=label, text=name, status="unlocated")
    start = rng.randrange(len(body))
    return Mention(id=f"m{n}", start=start, end=rng.randint(start + 1, min(len(body), start + 20)), label=label)


def _images(rng: random.Random) -> list[Image]:
    """A main image with patches apart from each other, and the picture of a text with patches of its own."""
    if rng.random() < 0.15:
        return []
    number = rng.choice((0, 1, 4, 4, 30))
    cut = [Image(kind=rng.choice(("patch", "object")), id=f"p{n}", parent=rng.choice(("main", "")),
                 box=(n * 10.0, 0.0, n * 10.0 + 8, 8.0)) for n in range(number)]
    own = [Image(kind="patch", id="file", path="file.png", width=5, height=4)] if rng.random() < 0.2 else []
    made = [Image(kind="generated", id="g"), Image(kind="patch", id="gp", parent="g", box=(0, 0, 8, 8))]
    return [Image(kind="main", id="main"), *cut, *made, *own]


def _region(rng: random.Random, patch: Image, of: str) -> Region:
    if patch.box is None:
        return Region(image=patch.id, box=(0.0, 0.0, 5.0, 4.0), of=of)
    x0, y0, x1, y1 = patch.box
    way = rng.randrange(3)
    if way == 0:
        return Region(image=patch.id, box=(0.0, 0.0, x1 - x0, y1 - y0), of=of)
    return Region(image="main", box=(x0, y0, x1, y1) if way == 1 else (x0 + 1, y0, x1, y1), of=of)


def answer(rng: random.Random) -> str:
    """Any string: pieces of the format in disorder, cut-off answers, and characters at random."""
    way = rng.randrange(4)
    if way == 0:
        return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x300), rng.randrange(0x110000))))
                       for _ in range(rng.randint(0, 40)))
    if way == 1:
        return text(rng, 30, 0.9)
    whole = (f"Task 1 Answer: {text(rng, 4)}\nTask 2 Answer: NER: :PER;{text(rng, 2)}:LOC;{text(rng, 2)}\n"
             f"image-entity pair: {{'a': '{text(rng, 2)}', 'b': \"{text(rng, 1)}\"}}")
    at = rng.randint(0, len(whole))
    return whole[:at] if way == 2 else whole[:at] + text(rng, 3, 0.9) + whole[rng.randint(0, len(whole)) :]


def said(document: Document) -> tuple[object, ...]:
    """What a round trip has to bring back of mentions and summary."""
    rows = [(m.start, m.end, m.label, m.text, m.status == "unlocated") for m in document.mentions]
    return rows, document.summary
