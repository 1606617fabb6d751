"""The BIO codec: inverse pair, what it cannot hold, batches, legal transitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmie.data.document import Document, Mention
from openmie.errors import DocumentError
from openmie.model.codec import bio
from tests.fixtures import oracles

LABELS = ("LOC", "creative-work", "")
TAGS = bio.tags(LABELS)
rows = st.lists(st.lists(st.sampled_from(TAGS), max_size=9), min_size=1, max_size=5)


def document(n: int, id: str = "d", **layers) -> Document:
    return Document.from_words(id, ["né", "x", "日本", "🙂👍", "ab"][:n] + ["w"] * max(0, n - 5), **layers)


def test_tag_names_and_ids() -> None:
    assert bio.tags(("A", "B")) == ("O", "B-A", "I-A", "B-B", "I-B")
    assert bio.tags(()) == ("O",)
    for wrong in ("LOC", ("A", "A")):
        with pytest.raises(DocumentError, match="each once"):
            bio.tags(wrong)


def test_encode_by_hand() -> None:
    d = document(6)
    d = d.replace(
        mentions=[
            Mention(id="a", start=d.words[1].start, end=d.words[2].end, label="LOC"),
            Mention(id="b", start=d.words[4].start, end=d.words[4].end, label="", status="orphan"),
        ]
    )
    got = bio.encode(d, LABELS)
    assert [TAGS[i] for i in got.ids] == ["O", "B-LOC", "I-LOC", "O", "I-", "O"]
    assert got.dropped == ()
    assert [TAGS[i] for i in bio.encode(d, LABELS, "open").ids][4] == "B-"
    dropped = bio.encode(d, LABELS, "drop")
    assert TAGS[dropped.ids[4]] == "O" and [x.what.id for x in dropped.dropped] == ["b"]


@given(rows)
def test_tags_to_mentions_to_tags(batch: list[list[str]]) -> None:
    """Any tag sequence, orphans included, survives the way through mentions, alone and padded in a batch."""
    docs = [document(len(row), str(k)) for k, row in enumerate(batch)]
    found = bio.decode_batch(batch, docs, LABELS)
    back = bio.encode_batch([d.replace(mentions=m) for d, m in zip(docs, found)], LABELS)
    assert not any(back.dropped)
    for k, row in enumerate(batch):
        assert [TAGS[i] for i in back.ids[k][back.mask[k]]] == row
        assert (back.ids[k][~back.mask[k]] == bio.PAD).all()
        assert bio.decode(row, docs[k], LABELS) == found[k]
        assert bio.decode(np.array([TAGS.index(t) for t in row], dtype=int), docs[k], LABELS) == found[k]


@given(rows)
def test_decode_is_conlleval(batch: list[list[str]]) -> None:
    docs = [document(len(row), str(k)) for k, row in enumerate(batch)]
    for row, d, mentions in zip(batch, docs, bio.decode_batch(batch, docs, LABELS)):
        want = [
            (label, d.words[a].start, d.words[b - 1].end, orphan) for label, a, b, orphan in oracles.bio_chunks(row)
        ]
        assert [(m.label, m.start, m.end, m.status == "orphan") for m in mentions] == want
        assert [m.id for m in mentions] == [f"m{k}" for k in range(len(want))]
        assert all(d.text[m.start : m.end] == m.text for m in mentions)
    for d, kept, opened, dropped in zip(
        docs, *(bio.decode_batch(batch, docs, LABELS, orphans=o) for o in ("keep", "open", "drop"))
    ):
        assert all(m.status == "located" for m in (*opened, *dropped))
        assert [(m.start, m.end) for m in opened] == [(m.start, m.end) for m in kept]
        assert [(m.start, m.end) for m in dropped] == [(m.start, m.end) for m in kept if m.status == "located"]
        assert d.replace(mentions=opened).mentions == opened


spans = st.lists(
    st.tuples(
        st.integers(0, 18),
        st.integers(1, 6),
        st.sampled_from([*LABELS, "NEW"]),
        st.sampled_from(["located", "located", "orphan", "unlocated"]),
    ),
    max_size=6,
)


@given(spans, st.sampled_from(["keep", "open", "drop"]))
def test_nothing_is_lost_silently(drawn: list, orphans: bio.Orphans) -> None:
    """What is encoded comes back equal; all the rest is listed."""
    d = document(8)
    mentions = [
        Mention(
            id=f"m{k}",
            start=0 if s == "unlocated" else a,
            end=0 if s == "unlocated" else min(a + n, 19),
            label=label,
            status=s,
            text="far away" if s == "unlocated" else "",
        )
        for k, (a, n, label, s) in enumerate(drawn)
    ]
    d = d.replace(mentions=mentions)
    got = bio.encode(d, LABELS, orphans)
    lost = {x.what.id for x in got.dropped}
    assert all(x.why for x in got.dropped)
    back = {(m.start, m.end, m.label, m.status) for m in bio.decode(got.ids, d, LABELS)}
    held = [m for m in d.mentions if m.id not in lost]
    assert back == {(m.start, m.end, m.label, "located" if orphans == "open" else m.status) for m in held}
    assert len(held) == len(back)


def test_the_outer_of_two_nested_mentions_is_held() -> None:
    d = Document.from_words("d", ["one", "two", "three"])
    short, long = (Mention(id=str(end), start=0, end=end, label="LOC") for end in (3, 7))
    for order in ((short, long), (long, short)):
        got = bio.encode(d.replace(mentions=order), LABELS)
        assert list(got.ids) == [1, 2, 0] and [x.what.id for x in got.dropped] == ["3"]


def test_reasons() -> None:
    d = Document.from_words("d", ["one", "two", "three"])
    ms = [
        Mention(id="long", start=0, end=7, label="LOC"),
        Mention(id="nested", start=4, end=7, label="LOC"),
        Mention(id="inside", start=9, end=13, label="LOC"),
        Mention(id="odd", start=8, end=13, label="DAY"),
        Mention(id="gone", start=0, end=0, label="LOC", text="four", status="unlocated"),
        Mention(id="next", start=8, end=13, label="LOC", status="orphan"),
    ]
    got = bio.encode(d.replace(mentions=ms), LABELS)
    why = {x.what.id: x.why for x in got.dropped}
    assert list(got.ids) == [1, 2, 0]
    assert set(why) == {"nested", "inside", "odd", "gone", "next"}
    assert "overlaps" in why["nested"] and "words" in why["inside"] and "'DAY'" in why["odd"]
    assert "not located" in why["gone"] and "continuation" in why["next"]


def test_scores_are_means_over_words() -> None:
    d = Document.from_words("d", ["a", "b", "c", "d"])
    first, second = bio.decode(["B-LOC", "I-LOC", "O", "I-"], d, LABELS, scores=[0.5, 1.0, 0.1, 0.25])
    assert (first.score, second.score) == (0.75, 0.25)
    alone = bio.decode_batch(
        np.array([[1, 2, 0, 6], [1, 0, 0, 0]]),
        [d, Document.from_words("e", ["a"])],
        LABELS,
        scores=np.array([[0.5, 1.0, 0.1, 0.25], [0.125, 9, 9, 9]]),
    )
    assert [[m.score for m in row] for row in alone] == [[0.75, 0.25], [0.125]]


def test_decode_refuses_what_does_not_fit() -> None:
    d = Document.from_words("d", ["a", "b"])
    for ids, message in (
        (["O"], "1 tags for 2 words"),
        (["O", "B-DAY"], "no such tag"),
        ([0, 9], "id 9"),
        ([0, -100], "id -100"),
    ):
        with pytest.raises(DocumentError, match=message):
            bio.decode(ids, d, LABELS)
    with pytest.raises(DocumentError, match="2 rows"):
        bio.decode_batch([["O", "O"], ["O"]], [d], LABELS)
    with pytest.raises(DocumentError, match="keep, open or drop"):
        bio.decode(["O", "O"], d, LABELS, orphans="strict")  # type: ignore[arg-type]


def test_empty_batches_and_texts() -> None:
    assert bio.encode_batch([], LABELS).ids.shape == (0, 0)
    assert bio.decode_batch([], [], LABELS) == []
    empty = Document(id="e", text="no words here", mentions=[Mention(id="m", start=0, end=2, label="LOC")])
    assert [x.what.id for x in bio.encode(empty, LABELS).dropped] == ["m"]
    assert bio.decode([], empty, LABELS) == ()
    blank = Document(
        id="b", text="ab", words=((0, 1), (1, 1), (1, 2)), mentions=[Mention(id="m", start=0, end=2, label="LOC")]
    )
    assert list(bio.encode(blank, LABELS).ids) == [1, 2, 2]
    assert bio.decode(["O", "B-LOC", "O"], blank, LABELS) == ()
    last = blank.replace(mentions=[Mention(id="m", start=1, end=2, label="LOC")])
    assert list(bio.encode(last, LABELS).ids) == [0, 0, 1]


@given(st.lists(st.sampled_from(range(len(TAGS))), min_size=1, max_size=6))
def test_allowed_paths_have_no_orphans(path: list[int]) -> None:
    legal = bio.allowed(TAGS)
    ok = legal.start[path[0]] and all(legal.step[a, b] for a, b in pairwise(path))
    assert ok == (not any(orphan for *_, orphan in oracles.bio_chunks([TAGS[k] for k in path])))


@given(rows)
def test_encode_batch_is_encode_of_each(batch: list[list[str]]) -> None:
    docs = [document(len(row), str(k)) for k, row in enumerate(batch)]
    docs = [d.replace(mentions=m) for d, m in zip(docs, bio.decode_batch(batch, docs, LABELS))]
    whole = bio.encode_batch(docs, LABELS)
    for d, ids, mask in zip(docs, whole.ids, whole.mask):
        assert (bio.encode(d, LABELS).ids == ids[mask]).all()
