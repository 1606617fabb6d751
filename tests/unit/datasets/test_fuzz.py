"""Whatever stands in a file, a reader ends, and what it gives are valid documents and records with a place."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.corpora import load
from openmie.data.document import Document

MNRE = {
    "token": ["a", "b"],
    "h": {"name": "a", "pos": [0, 1]},
    "t": {"name": "b", "pos": [1, 2]},
    "img_id": "1",
    "relation": "x",
}
LINK = {"type": "PER", "start": 0, "end": 1, "text": "a", "sent_time": "0-1"}
M3D = {
    "doc": "a b",
    "lang": "en",
    "video_id": "v_1_2",
    "video_title": "",
    "time_sent_pair": {"0-1": "a b"},
    "image": [1],
    "relation": [{"link1": "L0", "link2": "L0", "type": "x"}],
    "entityLink": {"L0": {"type": "PER", "link": [LINK]}},
}
JMERE = {
    "token": ["a", "b"],
    "img_id": "1",
    "image_caption": ["x"],
    "label_list": [
        [
            {
                "beg_ent": {"name": "a", "pos": [0, 1], "tags": "per"},
                "sec_ent": {"name": "b", "pos": [1, 2], "tags": "loc"},
                "relation": "x",
            }
        ]
    ],
}
DOCRED = {
    "title": "a",
    "sents": [["a"], ["b"]],
    "vertexSet": [[{"name": "a", "sent_id": 0, "pos": [0, 1], "type": "PER"}]],
    "labels": [{"h": 0, "t": 0, "r": "P1"}],
}
ROWS = {"mnre": MNRE, "m3d": M3D, "jmere": JMERE, "docred": DOCRED}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["L0", "L0.0", "\ud800", "None"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


@st.composite
def mutants(draw) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(ROWS)))
    row = copy.deepcopy(ROWS[name])
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(places(row)[1:]))
        place: Any = row
        for key in path:
            place = place[key]
        place[last] = draw(values)
    return name, draw(st.sampled_from([json.dumps, repr]))(row)


def read(name: str, content: bytes, good: Any = None) -> list[Document]:
    with tempfile.TemporaryDirectory() as folder:
        file = "train.txt" if name in ("twitter", "mnre", "conll04") else "train_en.json"
        (Path(folder) / file).write_bytes(content)
        corpus = load(f"{name}:{folder}")
        documents = list(corpus.train)
        assert all(r.where and r.found and r.expected and r.remedy for r in corpus.skipped)
        assert all(Document.from_json(d.to_json()) == d for d in documents)
        assert documents or corpus.skipped or not content.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()
        return documents


@settings(max_examples=150, deadline=None)
@given(mutants())
def test_rows_of_any_shape(mutant):
    name, line = mutant
    good = json.dumps(ROWS[name])
    documents = read(name, f"{good}\n{line}\n{good}\n".encode("utf-8", errors="surrogatepass"))
    assert len(documents) >= 2


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["twitter", "mnre", "m3d", "jmere", "conll04", "docred", "fewrel"]), st.binary(max_size=80))
def test_bytes_of_any_kind(name, content):
    read(name, content)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["IMGID:1", "IMGID:", "a\tO", "a\tI-X", "b\tB-X", "\tO", "a", "", " ", "a b\tO", "\tB-", "c\tQ", "a\t"]
        ),
        max_size=12,
    )
)
def test_tweets_of_any_shape(lines):
    documents = read("twitter", "\n".join(lines).encode())
    assert len({d.id for d in documents}) == len(documents)
