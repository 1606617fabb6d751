"""Hypothesis strategies for whole Documents, with the texts that break offsets."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from openmie.data.document import (
    Chain,
    Document,
    Image,
    ImageKind,
    Mention,
    Phrase,
    Region,
    Relation,
    Status,
    TimeSpan,
    Word,
)
from openmie.errors import ErrorRecord
from openmie.text.words import split

PIECES = (
    "Zorvane", "Beyoncé's", "naïve", "don't", "@zed_1", "#Skytown2031", "https://t.co/aB1", "U.S.", "3,000.5", "...",
    "北京", "漢字かな交じり", "한국어", "ไทย", "हिन्दी", "שלום", "مرحبا بالعالم", "می\u200cخواهم", "\u202eabc\u202c",
    "e\u0301", "a\u0308\u0323", "Z\u0336\u0337", "\u0301", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "🇩", "1️⃣", "❤️", "😂😂",
    "𝒵𝓸𝓻", "\u00a0", "\r\n", "\n", "\t", " ", "  ", "\u3000", "\u2028", "\x85", "\x1f", "\u200b", "\ufeff", "\ufffd",
    "\x00", "'", '"', "\\", "\\n", "<b>&amp;", "=1+1", "%41", "_", "-", "，", "。", ";", "T1\tX 0 1", "# id = x",
    "-DOCSTART-",
)
texts = st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.text(max_size=12)
labels = st.sampled_from(("", "PER", "LOC", "/per/per/peer", "creative work", "a-b", "_", "% 20", "B", "人物", '"x"'))
scores = st.none() | st.floats(0, 1)
names = st.sampled_from(("a", "B", "post 1", "ü", "x/y", "..", "北", "con?", "50%", "=1", "'"))


@st.composite
def documents(draw: st.DrawFn, folder: str = "img", number: int = 0) -> Document:
    """A document with all layers. Image files would lie in `folder`; every image has a size, every box lies inside."""
    text = draw(texts)
    mentions = _mentions(draw, text)
    ids = [m.id for m in mentions]
    chains = [Chain(id=f"c{n}", mentions=tuple(draw(st.lists(st.sampled_from(ids), max_size=3))), label=draw(labels))
              for n in range(draw(st.integers(0, 2) if ids else st.just(0)))]
    named = ids + [c.id for c in chains]
    ends = st.sampled_from(named or ["m0"])
    relations = draw(st.lists(st.builds(Relation, head=ends, tail=ends, label=labels, score=scores),
                              max_size=2 if named else 0))
    images = _images(draw, folder, number)
    regions = [_region(draw, draw(st.sampled_from(images)), ["", *named]) for _ in range(draw(st.integers(0, 3)))
               ] if images else []
    return Document(id=f"{number} {draw(names)}", text=text, words=_words(draw, text), images=images,
                    mentions=mentions, chains=tuple(chains), relations=tuple(relations), regions=tuple(regions),
                    **_rest(draw, text, images))


def _span(draw: st.DrawFn, text: str, least: int) -> tuple[int, int]:
    start = draw(st.integers(0, len(text) - least))
    return start, draw(st.integers(start + least, min(len(text), start + 12)))


def _words(draw: st.DrawFn, text: str) -> tuple[Word, ...]:
    return draw(st.sampled_from(((), split(text))))


def _mentions(draw: st.DrawFn, text: str) -> tuple[Mention, ...]:
    mentions = []
    for n in range(draw(st.integers(0, 3))):
        statuses: tuple[Status, ...] = ("located", "located", "orphan", "unlocated") if text else ("unlocated",)
        status = draw(st.sampled_from(statuses))
        start, end = (0, 0) if status == "unlocated" else _span(draw, text, 1)
        name = "nowhere" if status == "unlocated" else ""
        mentions.append(Mention(id=f"m{n}", start=start, end=end, label=draw(labels), text=name, status=status,
                                score=draw(scores)))
    return tuple(mentions)


def _images(draw: st.DrawFn, folder: str, number: int) -> tuple[Image, ...]:
    kinds: st.SearchStrategy[ImageKind] = st.sampled_from(("main", "object", "patch", "frame", "generated"))
    return tuple(Image(path=f"{folder}/{number}-{n} é.png", kind=draw(kinds), id=draw(st.sampled_from(("", f"i{n}"))),
                       width=draw(st.integers(1, 5000)), height=draw(st.integers(1, 5000)),
                       time=draw(st.none() | st.floats(0, 1e5)),
                       relevance=draw(st.sampled_from(((), (("clip", 0.25), ("å", -1.0))))))
                 for n in range(draw(st.integers(0, 2))))


def _region(draw: st.DrawFn, image: Image, named: list[str]) -> Region:
    width, height = image.width or 1, image.height or 1
    x, y = (sorted(draw(st.lists(st.floats(0, limit), min_size=2, max_size=2))) for limit in (width, height))
    return Region(image=image.id, box=(x[0], y[0], x[1], y[1]), label=draw(labels), of=draw(st.sampled_from(named)),
                  score=draw(scores))


def _rest(draw: st.DrawFn, text: str, images: tuple[Image, ...]) -> dict[str, Any]:
    if draw(st.booleans()):
        return {}
    begin = draw(st.floats(0, 1e4))
    return {
        "phrases": [Phrase(text=draw(texts), image=images[0].id if images else "")],
        "captions": draw(st.dictionaries(st.sampled_from(("b", "a", "å")), texts, max_size=2)),
        "summary": draw(texts), "lang": draw(st.sampled_from(("", "en", "zh"))),
        "times": [TimeSpan(*_span(draw, text, 0), begin, begin + 1.5)],
        "source": draw(st.sampled_from(({}, {"line": 3, "b": [1, None, {"x": 0.1}], "a": "é"}))),
        "errors": (ErrorRecord(where="w", found=draw(texts)),),
    }


def corpora(folder: str = "img", most: int = 8) -> st.SearchStrategy[list[Document]]:
    """Up to `most` documents with different ids and image files."""
    return st.integers(1, most).flatmap(lambda n: st.tuples(*(documents(folder, i) for i in range(n)))).map(list)
