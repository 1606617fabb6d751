"""Training sentences of the open corpora, each with what its annotation says and what it is silent about.

CoNLL04 and FewRel are read by `openmie.datasets`. `formats.conll` leaves a whole sentence out for a line without a
token (seven of Broad Twitter), and a `Document` of Re-DocRED has no sentences: these two are read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from openmie.base.examples import Example, Label, Span
from openmie.base.labels import LABELS
from openmie.base.roles import ROLES
from openmie.data.document import Document
from openmie.datasets.conll04 import read_sentences
from openmie.datasets.fewrel import read_pairs
from openmie.model.codec.subwords import word_spans
from openmie.text.bio_runs import tag_runs

NAMES = {  # label of a corpus -> key
    **dict.fromkeys(("PER", "person", "Peop", "PER.NAM"), "person"),
    **dict.fromkeys(("LOC", "location", "Loc", "LOC.NAM"), "location"),
    **dict.fromkeys(("ORG", "Org", "ORG.NAM"), "organization"),
    "corporation": "corporation", "creative-work": "creative work", "product": "product", "group": "group",
    "GPE.NAM": "city or country", "TIME": "time", "NUM": "number", "MISC": "miscellaneous",
}  # fmt: skip
KINDS = {
    "person": "person", "location": "location", "organization": "organization", "corporation": "organization",
    "creative work": "work", "product": "product", "group": "organization", "city or country": "location",
    "time": "time", "number": "number", "miscellaneous": "work event product other",
}  # fmt: skip
TEXTS = {  # names and descriptions that a type is taught under
    "person": (
        "person", "person", "people", "human name", "individual", "PER", "PERSON", "PER: a person",
        "person: name of a person, real or fictional", "human being", "人物", "人名", "PER: 人",
    ),
    "location": (
        "location", "location", "place", "geographic place", "LOC", "LOC: a place",
        "location: city, country, river, building or another place", "geographical location",
        "地点", "地名", "LOC: 地点",
    ),
    "organization": (
        "organization", "organisation", "company or institution", "ORG", "ORG: an organization",
        "organization: company, agency, institution, team, band or party", "institution",
        "组织", "机构", "ORG: 组织机构",
    ),
    "corporation": (
        "corporation", "company", "business", "corporation: a company", "firm", "公司",
    ),
    "creative work": (
        "creative work", "title of a work", "song, film, book or show", "WORK",
        "work: song, film, book, game or show", "作品", "movie, song or book title",
    ),
    "product": (
        "product", "PRODUCT", "product or brand", "consumer product", "product: a thing that is made and sold",
        "产品",
    ),
    "group": (
        "group", "GROUP", "band or sports team",
        "group: music band, sports team or another group that is no company", "团体",
    ),
    "city or country": (
        "geopolitical entity", "GPE", "city or country", "country, city or province",
        "GPE: city, province or country", "行政区",
    ),
    "time": (
        "time", "date", "TIME", "date or time", "time: date, year or period", "时间",
    ),
    "number": (
        "number", "NUM", "quantity", "number: an amount",
    ),
    "miscellaneous": (
        "miscellaneous", "MISC", "miscellaneous name", "other name",
        "MISC: work, event, product, language or another name",
    ),
}  # fmt: skip
BUILT_IN = {  # built-in label -> key of the type that corpora annotate
    "PER": "person", "LOC": "location", "ORG": "organization", "PRODUCT": "product", "WORK": "creative work",
    "TIME": "time", "MISC": "miscellaneous",
}  # fmt: skip
IMPLIED = (("EVENT", "event"), ("GROUP", "ethnic group"), ("GROUP", "religious group"))  # that no corpus annotates


def labels() -> dict[str, Label]:
    """The types that corpora annotate, and those that relations imply."""
    texts = {key: [*own] for key, own in TEXTS.items()}
    for name, key in BUILT_IN.items():
        for language in ("en", "zh"):
            texts[key] += 2 * [f"{name}: {LABELS[name].text(language)}"]
    found = {k: Label(key=k, texts=tuple(t), coarse=frozenset(KINDS[k].split())) for k, t in texts.items()}
    for heads, head, tails, tail in ROLES.values():
        for kinds, names in ((heads, head), (tails, tail)):
            for name in filter(None, names.split("|")):
                old = found.get(name)
                coarse = frozenset(kinds.split())
                if old and name not in KINDS:
                    coarse |= old.coarse
                elif old:
                    continue
                found[name] = Label(key=name, texts=(name,), coarse=coarse)
    for name, key in IMPLIED:
        own = [f"{name}: {LABELS[name].text(language)}" for language in ("en", "zh")]
        found[key] = replace(found[key], texts=(*found[key].texts, *own))
    return found


def columns(path: Path, *, word: int = 0, tag: int = -1, join: str = "\t") -> Iterator[tuple[list[str], list[str]]]:
    """Blocks of a file of columns; a line without a token is left out, and its sentence is kept."""
    words: list[str] = []
    tags: list[str] = []
    for line in path.read_text(encoding="utf8").lstrip("\ufeff").splitlines():
        parts = [part for part in line.split("\t" if "\t" in line else None) if part.strip()]
        if len(parts) < 2 or line.startswith(("# ", "#doc")):
            if words and (not parts or line.startswith("#doc")):
                yield words, tags
                words, tags = [], []
            continue
        words.append(parts[word])
        tags.append(parts[tag])
    if words:
        yield words, tags


def runs(tags: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Spans of BIO tags: first word, word after the last one, label."""
    for first, last, kind, _ in tag_runs(list(tags)):
        yield first, last + 1, kind


def tagged(path: Path, annotated: Iterable[str], guideline: str, *, word: int = 0, tag: int = -1) -> Iterator[Example]:
    """Sentences of a file of columns whose labels are all annotated."""
    found = ((words, list(runs(tags))) for words, tags in columns(path, word=word, tag=tag))
    return _annotated(found, annotated, guideline)


def conll04(path: Path) -> Iterator[Example]:
    """Sentences of CoNLL04, all of whose persons, places and organizations are annotated."""
    documents = (item for item in read_sentences(path) if isinstance(item, Document))
    return _annotated(((d.word_texts(), _labelled(d)) for d in documents), ("Peop", "Loc", "Org"), "news")


def _labelled(document: Document) -> list[tuple[int, int, str]]:
    labels = {m.id: m.label for m in document.mentions}
    return [(start, end, labels[id]) for id, (start, end) in spans_of(document).items()]


def spans_of(document: Document) -> dict[str, tuple[int, int]]:
    """Mention id -> first word and word after the last one, in text order."""
    return {id: (first, last + 1) for id, (first, last) in word_spans(document).items()}


def _annotated(
    sentences: Iterable[tuple[Sequence[str], Iterable[tuple[int, int, str]]]], annotated: Iterable[str], guideline: str
) -> Iterator[Example]:
    """Examples of sentences, each given by its words and its spans."""
    annotated = frozenset(NAMES[w] for w in annotated)
    for words, found in sentences:
        if len(words) > 80:
            continue
        spans = []
        for start, end, kind in found:
            handle = words[start].startswith("@") or (start and words[start - 1] == "@")
            if handle:  # its corpus calls a user's handle a name, others do not
                continue
            key = NAMES.get(kind)
            coarse = frozenset(KINDS[key].split()) if key else frozenset()
            if key or "OTH" not in kind:
                spans.append(Span(start=start, end=end, labels=frozenset([key] if key else []), coarse=coarse))
        yield Example(words=tuple(words), spans=tuple(spans), annotated=annotated, guideline=guideline)


def chinese(path: Path, annotated: Iterable[str], guideline: str, *, word: int = 0, tag: int = -1) -> Iterator[Example]:
    """The same in characters; Weibo's carry the position in the word."""
    annotated = frozenset(NAMES[w] for w in annotated)
    for words, tags in columns(path, word=word, tag=tag):
        if path.name.startswith("weibo"):
            words = [w[0] if len(w) > 1 else w for w in words]
        at, letters = [0], []
        for w in words:
            letters += list(w) if not re.fullmatch(r"[\x21-\x7e]+", w) else [w]
            at.append(len(letters))
        if len(letters) > 120:
            continue
        spans = []
        for start, end, kind in runs(tags):
            key = NAMES.get(kind)
            if key:
                spans.append(
                    Span(start=at[start], end=at[end], labels=frozenset([key]), coarse=frozenset(KINDS[key].split()))
                )
        spaced = tuple(i == 0 for i in range(len(letters)))
        yield Example(words=tuple(letters), spans=tuple(spans), annotated=annotated, guideline=guideline, spaced=spaced)


def redocred(path: Path) -> Iterator[Example]:
    """Wikipedia's sentences: six annotated labels, and the roles of each entity in the document's relations."""
    annotated = frozenset(NAMES[n] for n in ("PER", "LOC", "ORG", "TIME", "NUM", "MISC"))
    kinds = {"PER": "person", "LOC": "location", "ORG": "organization"}
    for doc in json.loads(path.read_text(encoding="utf8")):
        held: dict[int, set[str]] = {}
        for link in doc["labels"]:
            heads, head, tails, tail = ROLES.get(link["r"], ("", "", "", ""))
            for at, allowed, names in ((link["h"], heads, head), (link["t"], tails, tail)):
                kind = kinds.get(doc["vertexSet"][at][0]["type"])
                if names and (kind is None or kind in allowed.split()):
                    held.setdefault(at, set()).update(names.split("|"))
        for number, words in enumerate(doc["sents"]):
            spans = []
            for at, entity in enumerate(doc["vertexSet"]):
                for m in entity:
                    if m["sent_id"] == number and m["pos"][1] <= len(words):
                        key = NAMES[m["type"]]
                        spans.append(
                            Span(
                                start=m["pos"][0], end=m["pos"][1],
                                labels=frozenset([key]) | held.get(at, set()), coarse=frozenset(KINDS[key].split()),
                            )
                        )  # fmt: skip
            if 3 < len(words) <= 80:
                yield Example(
                    words=tuple(words),
                    spans=tuple(spans),
                    annotated=annotated,
                    lower_is_none=True,
                    guideline="wikipedia",
                )


def fewrel(path: Path) -> Iterator[Example]:
    """Sentences with one relation: its two arguments have roles, the rest is unknown."""
    for document in marked_pairs(path):
        heads, head, tails, tail = ROLES.get(document.relations[0].label, ("", "", "", ""))
        if not (head or tail) or len(document.words) > 80:
            continue
        places, spans = spans_of(document), []
        for id, kinds, names in (("h", heads, head), ("t", tails, tail)):
            held = frozenset(filter(None, names.split("|")))
            coarse = frozenset(kinds.split())
            if len(coarse) == 1 and next(iter(coarse)) in ("person", "location", "organization"):
                held |= coarse
            spans.append(Span(start=places[id][0], end=places[id][1], labels=held, coarse=coarse))
        yield Example(words=document.word_texts(), spans=tuple(spans), lower_is_none=True, guideline="wikipedia")


def marked_pairs(path: Path) -> Iterator[Document]:
    """Sentences of FewRel as Documents, whose first mentions of head and tail are "h" and "t"."""
    return (item for item in read_pairs(path, path.stem) if isinstance(item, Document))


def with_types(found: dict[str, Label], types: dict[str, Label]) -> tuple[dict[str, Label], dict[str, str]]:
    """Labels and the lexicon's types together; one name is one label, whose annotated meaning goes first.

    Args:
        found: types that corpora annotate and relations imply.
        types: of the lexicon.

    Returns:
        The labels, and label of a relation -> type of the lexicon that it is another word for.
    """
    words: dict[str, list[str]] = {}
    for key, label in types.items():
        for text in label.texts:
            if ":" not in text:
                words.setdefault(text, []).append(key)
    renamed = {}
    for key, label in found.items():
        fitting = [k for k in words.get(key, ()) if not label.coarse or label.coarse & types[k].coarse]
        if key not in KINDS and key not in types and len(fitting) == 1 and fitting[0] not in KINDS:
            renamed[key] = fitting[0]
    joined = {key: label for key, label in found.items() if key not in renamed}
    for key, label in types.items():
        meanings = [found[key]] if key in found else []
        meanings += [found[name] for name, type_ in renamed.items() if type_ == key]
        texts = tuple(dict.fromkeys(text for own in (*meanings, label) for text in own.texts))
        coarse = frozenset().union(label.coarse, *(own.coarse for own in meanings))
        if key in KINDS:
            joined[key] = replace(found[key], lexical=True)
        else:
            joined[key] = replace(label, texts=texts, coarse=coarse)
    return joined, renamed


def with_lexical_names(examples: Iterable[Example], renamed: Mapping[str, str]) -> list[Example]:
    """The examples under the lexicon's names of their types."""
    return [
        replace(e, spans=tuple(replace(s, labels=frozenset(renamed.get(k, k) for k in s.labels)) for s in e.spans))
        for e in examples
    ]


THREE = ("PER", "LOC", "ORG")
WNUT = ("person", "location", "corporation", "creative-work", "product", "group")
FILES = (
    *(f"broad_twitter/{part}.conll" for part in "abefgh"), "wnut17/wnut17train.conll", "conll04/train.txt",
    "uner_en/en_ewt-ud-dev.iob2", "uner_zh/zh_gsdsimp-ud-train.iob2", "weibo/weiboNER_2nd_conll.train",
    "redocred/dev_revised.json", "fewrel/val_wiki.json", "fewrel/val_nyt.json", "fewrel/pid2name.json",
    "chinese_nre/FinRE/train.txt", "chinese_nre/SanWen/train.txt",
)  # fmt: skip
ENGLISH = ("broad_twitter", "wnut17", "conll04", "uner_en", "redocred", "fewrel")
HELD_OUT = 10  # every tenth sentence of a source is held out for calibration where it has no development split


def all_examples(folder: Path, held_out: bool = False) -> dict[str, list[Example]]:
    """Training sentences by source, or those that are held out for calibration.

    Args:
        folder: of the open corpora.
        held_out: those that are not trained on.
    """
    twitter = [e for part in "abefgh" for e in tagged(folder / f"broad_twitter/{part}.conll", THREE, "posts")]
    wikipedia = list(redocred(folder / "redocred/dev_revised.json"))
    if held_out:
        return {
            "broad_twitter": twitter[::HELD_OUT],
            "wnut17": list(tagged(folder / "wnut17/emerging.dev.conll", WNUT, "wnut")),
            "uner_zh": list(chinese(folder / "uner_zh/zh_gsdsimp-ud-dev.iob2", THREE, "web", word=1, tag=2)),
            "redocred": wikipedia[::HELD_OUT],
        }
    return {
        "broad_twitter": [e for i, e in enumerate(twitter) if i % HELD_OUT],
        "wnut17": list(tagged(folder / "wnut17/wnut17train.conll", WNUT, "wnut")),
        "conll04": list(conll04(folder / "conll04/train.txt")),
        "uner_en": list(tagged(folder / "uner_en/en_ewt-ud-dev.iob2", THREE, "web", word=1, tag=2)),
        "uner_zh": list(chinese(folder / "uner_zh/zh_gsdsimp-ud-train.iob2", THREE, "web", word=1, tag=2)),
        "weibo": list(
            chinese(folder / "weibo/weiboNER_2nd_conll.train", ("PER.NAM", "LOC.NAM", "ORG.NAM", "GPE.NAM"), "weibo")
        ),
        "redocred": [e for i, e in enumerate(wikipedia) if i % HELD_OUT],
        "fewrel": [e for name in ("val_wiki", "val_nyt") for e in fewrel(folder / f"fewrel/{name}.json")],
    }
