"""Every reader keeps a mention at the first word, at the last word, and over the whole text; its records are reachable.

One table of readers x laws: a dataset or a readable format that holds mentions and has no row here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from openmie.corpora import load
from openmie.data.document import Document, Mention
from openmie.datasets.registry import DATASETS
from openmie.errors import ErrorRecord
from openmie.formats import registry

Spans = Sequence[tuple[int, int]]  # half-open, in words
CASES = {
    "first and last word": (["Ada", "met", "Bo"], [(0, 1), (2, 3)]),
    "the whole text": (["Ada", "met", "Bo"], [(0, 3)]),
    "the only word": (["Ada"], [(0, 1)]),
}


def tags(words: Sequence[str], spans: Spans) -> list[str]:
    found = ["O"] * len(words)
    for start, end in spans:
        found[start:end] = ["B-PER", *["I-PER"] * (end - start - 1)]
    return found


def twitter(folder: Path, words: list[str], spans: Spans) -> str:
    rows = "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags(words, spans)))
    (folder / "train.txt").write_text(f"IMGID:1\n{rows}\n")
    return f"twitter:{folder}"


def gmner(folder: Path, words: list[str], spans: Spans) -> str:
    twitter(folder, words, spans)
    (folder / "xml").mkdir()
    return f"gmner:{folder}"


def mnre(folder: Path, words: list[str], spans: Spans) -> str:
    ends = [{"name": " ".join(words[a:b]), "pos": [a, b]} for a, b in (spans[0], spans[-1])]
    row = {"token": words, "h": ends[0], "t": ends[1], "img_id": "1.jpg", "relation": "/per/per/peer"}
    (folder / "mnre_train.txt").write_text(f"{row}\n")
    return f"mnre:{folder}"


def jmere(folder: Path, words: list[str], spans: Spans) -> str:
    ends = [{"name": " ".join(words[a:b]), "pos": [a, b], "tags": "per"} for a, b in (spans[0], spans[-1])]
    triples = [[{"beg_ent": ends[0], "sec_ent": ends[1], "relation": "peer"}]]
    (folder / "train.json").write_text(json.dumps([{"token": words, "img_id": "1.jpg", "label_list": triples}]))
    return f"jmere:{folder}"


def m3d(folder: Path, words: list[str], spans: Spans, language: str = "en") -> str:
    text = (" " if language == "en" else "").join(words)
    starts = [sum(map(len, words[:i])) for i in range(len(words) + 1)]  # Chinese offsets count characters
    at: Callable[[int], int] = (lambda i: i) if language == "en" else lambda i: starts[i]
    joint = " " if language == "en" else ""
    links = [
        {"start": at(a), "end": at(b), "text": joint.join(words[a:b]), "sent_time": "0-5", "type": "PER"}
        for a, b in spans
    ]
    chains = {str(n): {"type": "PER", "link": [link]} for n, link in enumerate(links)}
    clip = {
        "doc": text,
        "lang": language,
        "entityLink": chains,
        "relation": [],
        "time_sent_pair": {"0-5": text},
        "video_id": "v_1",
        "image": [],
    }
    (folder / f"train_{language}.json").write_text(json.dumps([clip]))
    return f"m3d:{folder}"


def chinese_m3d(folder: Path, words: list[str], spans: Spans) -> str:
    return m3d(folder, words, spans, "zh")


def conll04(folder: Path, words: list[str], spans: Spans) -> str:
    lines = [f"{n}\t{word}\t{tag}\t['N']\t[{n}]\n" for n, (word, tag) in enumerate(zip(words, tags(words, spans)))]
    (folder / "train.txt").write_text("#doc 1\n" + "".join(lines))
    return f"conll04:{folder}"


def docred(folder: Path, words: list[str], spans: Spans) -> str:
    entities = [[{"name": "", "sent_id": 0, "pos": [a, b], "type": "PER"}] for a, b in spans]
    article = {"title": "a", "sents": [words], "vertexSet": entities, "labels": []}
    (folder / "train_revised.json").write_text(json.dumps([article]))
    return f"docred:{folder}"


def fewrel(folder: Path, words: list[str], spans: Spans) -> str:
    ends = [["", "", [list(range(a, b))]] for a, b in (spans[0], spans[-1])]
    (folder / "train_wiki.json").write_text(json.dumps({"P1": [{"tokens": words, "h": ends[0], "t": ends[1]}]}))
    return f"fewrel:{folder}"


def split_file(name: str) -> Callable[[Path, list[str], Spans], str]:
    def write(folder: Path, words: list[str], spans: Spans) -> str:
        registry.write([document(words, spans)], folder / f"train{registry.FORMATS[name].suffixes[0]}", name)
        return f"{registry.FORMATS[name].dataset}:{folder}"

    return write


def document(words: list[str], spans: Spans) -> Document:
    made = Document.from_words("a", words)
    at = [(made.words[a].start, made.words[b - 1].end) for a, b in spans]
    return made.replace(mentions=tuple(Mention(id=f"m{n}", start=a, end=b, label="PER") for n, (a, b) in enumerate(at)))


def bare_file(folder: Path, words: list[str], spans: Spans) -> str:
    """A folder of rows that is named without its format."""
    return split_file("jsonl")(folder, words, spans).partition(":")[2]


DATASET_ROWS = {
    "twitter": [twitter],
    "gmner": [gmner],
    "mnre": [mnre],
    "jmere": [jmere],
    "m3d": [m3d, chinese_m3d],
    "conll04": [conll04],
    "docred": [docred],
    "fewrel": [fewrel],
    "jsonl": [split_file("jsonl"), split_file("json")],
    "parquet": [split_file("parquet")],
    "conll": [split_file("conll")],
    "files": [bare_file],
}
FORMAT_PATHS = {
    "jsonl": "a.jsonl",
    "json": "a.json",
    "parquet": "a.parquet",
    "conll": "a.conll",
    "brat": "brat",
    "labelstudio": "a.json",
}


def test_every_reader_has_a_row():
    assert set(DATASET_ROWS) == {name for name, row in DATASETS.items() if row.takes_path}
    both = {name: row for name, row in registry.FORMATS.items() if row.reader and row.writer and name != "csv"}
    readable = {name for name, row in both.items() if "mentions" not in row.cannot_hold}  # csv is read as posts
    assert set(FORMAT_PATHS) == readable


def found(made: Document) -> set[tuple[int, int, str]]:
    return {(m.start, m.end, m.status) for m in made.mentions}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("write", [w for rows in DATASET_ROWS.values() for w in rows])
def test_a_dataset_loses_no_mention_at_the_edges(tmp_path, write, case):
    words, spans = CASES[case]
    corpus = load(write(tmp_path, words, spans))
    (made,) = corpus.train
    starts = [made.text.find(words[a]) for a, _ in spans]
    ends = [made.text.rfind(words[b - 1]) + len(words[b - 1]) for _, b in spans]
    assert found(made) == {(a, b, "located") for a, b in zip(starts, ends)}
    assert not made.errors and not corpus.skipped


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FORMAT_PATHS)
def test_a_format_loses_no_mention_at_the_edges(tmp_path, name, case):
    made = document(*CASES[case])
    registry.write([made], tmp_path / FORMAT_PATHS[name], name)
    (back,) = registry.read(tmp_path / FORMAT_PATHS[name], name)
    assert found(back) == found(made) and not back.errors


DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "byte-order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "CR": lambda raw: raw.replace(b"\n", b"\r"),
    "no-break spaces in blank lines": lambda raw: raw.replace(b"\n\n", b"\n\xc2\xa0\n") + b"\xc2\xa0\n",
}


def disguise(folder: Path, name: str) -> None:
    """Every text file of a folder as another tool would have saved it; the text that brat's offsets count stays."""
    for file in (f for f in folder.rglob("*") if f.is_file() and f.suffix != ".parquet"):
        lines = file.suffix in (".txt", ".jsonl", ".conll") and file.with_suffix(".ann").exists() is False
        if lines or (file.suffix in (".json", ".ann") and not name.startswith("no-break")):
            file.write_bytes(DISGUISES[name](file.read_bytes()))


@pytest.mark.parametrize("name", DISGUISES)
@pytest.mark.parametrize("write", [w for rows in DATASET_ROWS.values() for w in rows])
def test_marks_line_ends_and_blank_lines_change_no_dataset(tmp_path, write, name):
    spec = write(tmp_path, *CASES["first and last word"])
    before = list(load(spec).train)
    disguise(tmp_path, name)
    corpus = load(spec)
    after = list(corpus.train)
    assert [(d.text, d.mentions) for d in after] == [(d.text, d.mentions) for d in before] and not corpus.skipped


@pytest.mark.parametrize("name", DISGUISES)
@pytest.mark.parametrize("format", FORMAT_PATHS)
def test_marks_line_ends_and_blank_lines_change_no_format(tmp_path, format, name):
    made = document(*CASES["first and last word"])
    registry.write([made, made.replace(id="b")], tmp_path / FORMAT_PATHS[format], format)
    before = list(registry.read(tmp_path / FORMAT_PATHS[format], format))
    disguise(tmp_path, name)
    assert list(registry.read_items(tmp_path / FORMAT_PATHS[format], format)) == before


def broken_rows(path: Path) -> None:
    """Something that no reader can read, behind what it can."""
    path.write_bytes(path.read_bytes() + b"\n\xff\xfe broken \x00\n")


@pytest.mark.parametrize("name", [n for n in DATASET_ROWS if n != "parquet"])  # a broken parquet file is an error
def test_records_of_every_dataset_are_reachable(tmp_path, name):
    """What a reader cannot read is an `ErrorRecord` in `Corpus.skipped`, whatever the dataset."""
    spec = DATASET_ROWS[name][0](tmp_path, *CASES["first and last word"])
    broken_rows(next(tmp_path.glob("*train*")))
    corpus = load(spec)
    assert len(list(corpus.train)) >= 1
    records = corpus.skipped
    assert records and all(isinstance(r, ErrorRecord) and r.where and r.found and r.remedy for r in records)
    again = load(spec)
    list(again.train), list(again.train)
    assert again.skipped == records  # a second pass does not count twice
