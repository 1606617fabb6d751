"""M3D: one document per video clip, with coreference chains, relations between chains, sentence times and frames.

English offsets index `doc.split(" ")`, Chinese ones are characters; both are half-open. A mention whose offsets and
text disagree is kept with `status="unlocated"` and a record: where it stands is not guessed. A sentence of
`time_sent_pair` that is not in the text gives a record and no time. `sent_time` of a mention is not used: its time
follows from where it stands (a value that is no key of `time_sent_pair` is a record in `Document.errors`).

A relation's label names the types of its ends (`PER-LOC_birth`). The published files store it from link2 to link1
wherever the two types differ, and from link1 to link2 where they are the same: the head of `PER-PER_parents` is the
parent, of `LOC-LOC_contain` the whole. Here the head is the end that the label names first: what fits only when turned
is turned and counted (`turned_relations`), what fits neither way is kept as it is stored, with a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openmie.data.corpus import Corpus, Item, Source
from openmie.data.document import Chain, Document, Mention, Relation, TimeSpan, Word
from openmie.datasets.folds import drop_modalities, make_folds, missing_share
from openmie.datasets.reading.python_literal_rows import read_rows
from openmie.datasets.reading.split_files import split_files
from openmie.datasets.reading.video_frames import FrameFolder
from openmie.datasets.relation_directions import match_direction
from openmie.datasets.twitter import word_spans
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.text_lines import catch_invalid_document, line_error, shorten

# What holds from A to B holds from B to A by the meaning of the word. `contain`, `parents`, `employ`, `affiliated` and
# all relations between chains of different types have a direction.
SYMMETRIC = frozenset(
    {
        "PER-PER_couple",
        "PER-PER_colleague",
        "PER-PER_peer",
        "PER-PER_brother_sister",
        "PER-PER_other_relatives",
        "PER-PER_neighbor",
        "LOC-LOC_nearby",
        "ORG-ORG_nearby",
    }
)
EXPECTED = "a dict with doc, entityLink, relation, time_sent_pair and video_id"


def load_m3d(
    path: Path,
    *,
    language: str = "",
    lang: str = "",
    images: str | Path = "",
    fps: str | float = 0,
    fold: str | int = "",
    folds: str | int = 5,
    missing: str | float = 0,
    protocol: str = "",
) -> Corpus:
    """The corpus in a folder with `{train,dev,test}_{en,zh}.json` (also in its folders `en` and `zh`, or `data`).

    `language`, or `lang`: "en" or "zh", else both. `images`: the folder with a folder of frames per video id; box files
    beside the frames become regions. `fps`: frames a second, where known; it gives the frames their time.
    `fold`: one of `folds` by video over dev and test together, which share most videos; an eighth of the clips of the
    other videos is then dev. `missing`: share of the documents of each split that lack their text or their frames, see
    `folds.drop_modalities`. `protocol`: "paper" for that of the paper's tables, a third of each split without text and
    a third without frames, chosen by the documents' ids.
    """
    share = missing_share(parse_number("missing", missing), protocol)
    language = language or lang
    if language not in ("", "en", "zh"):
        raise CorpusError.unknown("language", language, ("en", "zh"), remedy="leave it out to read both")
    frames = FrameFolder.find(path, images, fps)
    files = _files(path, language)
    sources: dict[str, Source] = {s: partial(read_clips, tuple(f), language, frames) for s, f in files.items()}
    if fold != "":
        held = [sources[name] for name in ("dev", "test") if name in sources]
        sources = make_folds(held, parse_count("fold", fold), parse_count("folds", folds), _video)
    if share:
        sources = {name: partial(_with_missing, source, share) for name, source in sources.items()}
    return Corpus(f"m3d:{path}", sources, symmetric=SYMMETRIC, language=language)


def _video(document: Document) -> str:
    return f"{document.lang} {document.source['video']}"


def _with_missing(source: Source, share: float) -> Iterator[Item]:
    return drop_modalities(source(), share)


def parse_number(name: str, value: str | float) -> float:
    """An option as a number. Errors: a text that is none."""
    try:
        return float(value)
    except ValueError:
        raise CorpusError(f"{name}={value!r}", expected="a number", where="m3d", remedy="correct the option") from None


def parse_count(name: str, value: str | int) -> int:
    """An option as a whole number. Errors: anything else."""
    found = parse_number(name, value)
    if not found.is_integer():
        raise CorpusError(f"{name}={value!r}", expected="a whole number", where="m3d", remedy="correct the option")
    return int(found)


def _files(path: Path, language: str) -> dict[str, list[Path]]:
    """Split -> files of the language; a file whose name tells none is kept, its clips say it."""
    places = [path / "data" if (path / "data").is_dir() else path]
    if path.is_dir() and all((places[0] / name).is_dir() for name in ("en", "zh")):
        places = [places[0] / "en", places[0] / "zh"]
    found: dict[str, list[Path]] = {}
    for place in places:
        for split, files in split_files(place, (".json", ".jsonl")).items():
            for file in files:
                if not language or file.stem.endswith("_" + language) or not file.stem.endswith(("_en", "_zh")):
                    found.setdefault(split, []).append(file)
    if not found:
        raise CorpusError(
            f"no {language} file in {path}",
            expected=f"files such as dev_{language}.json",
            remedy="name the other language, or leave the option out",
        )
    return found


def read_clips(files: Sequence[Path], language: str, frames: FrameFolder) -> Iterator[Item]:
    """The documents of one split, a record before each that could only be read in part."""
    seen: dict[str, int] = {}
    for path in files:
        for row in read_rows(path):
            yield from (e for e in (row.error, row.noted) if e is not None)
            if row.error is not None:
                continue
            clip = row.value
            if not isinstance(clip, dict) or not isinstance(clip.get("doc"), str):
                yield line_error(path, row.line, shorten(clip), EXPECTED, "mend or remove the row; it was left out")
            elif not language or clip.get("lang", language) == language:
                yield from catch_invalid_document(_Clip(path, row.line, clip).document(seen, frames), path, row.line)


class _Clip:
    """One row on its way to a document; `errors` collects what could not be read."""

    def __init__(self, path: Path, line: int, clip: dict[str, Any]) -> None:
        self.path, self.line, self.clip = path, line, clip
        self.errors: list[ErrorRecord] = []  # what could not be read: skipped and errors
        self.noted: list[ErrorRecord] = []  # what is odd but loses nothing: errors only
        self.text: str = clip["doc"]
        self.sentences: dict[str, Any] = self._dict("time_sent_pair")
        self.lang = clip["lang"] if clip.get("lang") in ("en", "zh") else ("zh" if path.stem.endswith("_zh") else "en")
        self.units = self.text.split(" ") if self.lang == "en" else list(self.text)
        by_character = (Word(i, i + 1) for i in range(len(self.text)))
        self.spans = word_spans(self.units) if self.lang == "en" else tuple(by_character)

    def error(self, found: str, expected: str, remedy: str) -> None:
        where = f"{self.path}:{self.line}, {self.clip.get('video_id', 'clip')}"
        self.errors.append(ErrorRecord(where=where, found=found, expected=expected, remedy=remedy))

    def document(self, seen: dict[str, int], frames: FrameFolder) -> Iterator[Item]:
        video = str(self.clip.get("video_id") or f"line{self.line}")
        id = f"{self.lang}-{video}"
        seen[id] = times = seen.get(id, 0) + 1
        chains, mentions = self._chains()
        relations, turned = self._relations({c.id: c.label for c in chains})
        images, regions, errors = frames.of(video, self._list("image"))
        self.errors += errors
        spans = self._times()
        yield from self.errors
        yield Document(
            id=id + (f"#{times}" if times > 1 else ""),
            text=self.text,
            lang=self.lang,
            words=tuple(s for s, unit in zip(self.spans, self.units) if unit.strip()),
            images=images,
            regions=regions,
            mentions=mentions,
            chains=chains,
            relations=relations,
            times=spans,
            errors=(*self.errors, *self.noted),
            source={
                "corpus": "m3d",
                "file": self.path.name,
                "line": self.line,
                "video_id": video,
                "video": video.rpartition("_")[0] or video,
                "title": str(self.clip.get("video_title") or ""),
                "unresolved_times": len(self.noted),
                "turned_relations": turned,
            },
        )

    def _list(self, key: str) -> list[Any]:
        value = self.clip.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.error(f"{key}={shorten(value)}", "a list", "correct it; it was left out")
        return []

    def _dict(self, key: str) -> dict[str, Any]:
        value = self.clip.get(key)
        if isinstance(value, dict):
            return value
        self.error(f"{key}={shorten(value)}", "an object", "correct it; it was left out")
        return {}

    def _chains(self) -> tuple[tuple[Chain, ...], tuple[Mention, ...]]:
        chains, mentions = [], []
        for id, chain in self._dict("entityLink").items():
            links = chain.get("link") if isinstance(chain, dict) else None
            if not isinstance(links, list):
                self.error(f"chain {id}: {shorten(chain)}", "type and link", "correct it; the chain was left out")
                continue
            label = str(chain.get("type") or "")
            found = [m for n, link in enumerate(links) if (m := self._mention(f"{id}.{n}", label, link)) is not None]
            mentions += found
            chains.append(Chain(id=str(id), label=label, mentions=tuple(m.id for m in found)))
        return tuple(chains), tuple(mentions)

    def _mention(self, id: str, label: str, link: Any) -> Mention | None:
        if not isinstance(link, dict) or not isinstance(link.get("text"), str) or not link["text"]:
            self.error(f"mention {id}: {shorten(link)}", "start, end, text", "correct it; the mention was left out")
            return None
        if link.get("type", label) != label:
            self.error(
                f"mention {id} of type {shorten(link['type'])} in a chain of type {label!r}",
                "one type a chain",
                "correct one of them; the chain's was taken",
            )
        if str(link.get("sent_time")) not in self.sentences:
            self.noted.append(
                ErrorRecord(
                    where=f"{self.path}:{self.line}, mention {id}",
                    found=f"sent_time {link.get('sent_time')!r}",
                    expected="a key of time_sent_pair",
                    remedy="nothing is lost: the time follows from the offsets",
                    note=True,
                )
            )
        start, end = link.get("start"), link.get("end")
        if type(start) is int and type(end) is int and 0 <= start < end <= len(self.spans):
            a, b = self.spans[start].start, self.spans[end - 1].end
            if self.text[a:b] == link["text"]:
                return Mention(id=id, start=a, end=b, label=label, text=link["text"])
            said = shorten(self.text[a:b])
        else:
            said = f"nothing, of {len(self.spans)} {'words' if self.lang == 'en' else 'characters'}"
        self.error(
            f"mention {id} {shorten(link['text'])} at {start}:{end}, where the text says {said}",
            'half-open offsets into doc.split(" ") (en) or doc (zh)',
            "correct them; the mention was kept as unlocated",
        )
        return Mention(id=id, start=0, end=0, label=label, text=link["text"], status="unlocated")

    def _relations(self, types: Mapping[str, str]) -> tuple[tuple[Relation, ...], int]:
        """The relations, head first as their labels say, between chains of these types; how many were turned."""
        found, turned = [], 0
        for link in self._list("relation"):
            link = link if isinstance(link, dict) else {"link1": link}
            head, tail, label = (link.get(key) for key in ("link1", "link2", "type"))
            if not (
                isinstance(label, str)
                and isinstance(head, str)
                and isinstance(tail, str)
                and {head, tail} <= types.keys()
            ):
                self.error(
                    f"relation {shorten(link)}",
                    "link1 and link2 of entityLink, and type",
                    "correct it; the relation was left out",
                )
                continue
            fits = match_direction(label, types[head], types[tail])
            if fits == "turned":
                head, tail, turned = tail, head, turned + 1
            elif fits == "neither":
                self.error(
                    f"relation {shorten(link)} between a {types[head]!r} and a {types[tail]!r}",
                    "the types that its label names",
                    "correct it; it was kept as it is stored",
                )
            found.append(Relation(head=head, tail=tail, label=label))
        return tuple(found), turned

    def _times(self) -> tuple[TimeSpan, ...]:
        """Each sentence where it is found after the one before, or else anywhere."""
        found, at = [], 0
        for key, sentence in self.sentences.items():
            begin, _, finish = str(key).partition("-")
            start = self.text.find(sentence, at) if isinstance(sentence, str) and sentence else -1
            if start < 0 and isinstance(sentence, str) and sentence:
                start = self.text.find(sentence)
            seconds = _seconds(begin, finish)
            if start < 0 or seconds is None:
                self.error(
                    f"sentence {shorten(sentence)} at {key!r}",
                    "a sentence of doc, at START-END in seconds",
                    "correct it; this time was left out",
                )
                continue
            at = start + len(sentence)
            found.append(TimeSpan(start, at, *seconds))
        return tuple(found)


def _seconds(begin: str, finish: str) -> tuple[float, float] | None:
    try:
        seconds = float(begin), float(finish)
    except ValueError:
        return None
    return seconds if 0 <= seconds[0] <= seconds[1] < 1e9 else None
