"""Captions out for review and back: nothing changed on the way, nothing run by a spreadsheet, every mistake named."""

from __future__ import annotations

import csv
import io
from math import isnan, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.annotation import caption_review as review
from openmie.annotation.caption_review import CaptionAccuracy, CaptionJudgement, accuracy, apply, read, write
from openmie.data.document import Document, Image
from openmie.errors import CorpusError

HEADER = ",".join(review.COLUMNS)


def post(number, image="", **captions):
    return Document(
        id=f"d{number}", text=f"text {number}", images=(Image(id=image),) if image else (), captions=captions
    )


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def filled(path, **cells):
    """The file again, as a reader leaves it: document -> {column: cell}."""
    table = rows(path)
    for row in table:
        row.update(cells.get(row["document"], {}))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, review.COLUMNS)
        out.writeheader()
        out.writerows(table)
    return path


def raw(tmp_path, *lines, header=HEADER, encoding="utf-8"):
    path = tmp_path / "raw.csv"
    path.write_bytes("\n".join([header, *lines]).encode(encoding))
    return path


def test_there_and_back(tmp_path):
    docs = [post(1, "one.jpg", a="a dog", b="a cat"), post(2, "two.jpg", a="a tree"), post(3, a="no picture")]
    path = tmp_path / "review.csv"
    assert write(docs, path, ("a", "b")) == 4
    assert path.read_bytes().startswith(b'\xef\xbb\xbf"document","image"')
    assert [(r["document"], r["image"], r["text"], r["generator"], r["caption"], r["correct"]) for r in rows(path)] == [
        ("d1", "one.jpg", "text 1", "a", "a dog", ""),
        ("d1", "one.jpg", "text 1", "b", "a cat", ""),
        ("d2", "two.jpg", "text 2", "a", "a tree", ""),
        ("d3", "", "text 3", "a", "no picture", ""),
    ]
    assert read(path) == [j for j, _ in review.captions(docs, ("a", "b"))]
    assert write(docs, path, "b") == 1 and write(docs, path) == 4
    said = read(filled(path, d2={"correct": "No", "corrected": "two trees", "note": "see the left"}))
    assert said[2] == CaptionJudgement(
        document="d2",
        generator="a",
        caption="a tree",
        correct=False,
        corrected="two trees",
        image="two.jpg",
        note="see the left",
    )


nasty = st.one_of(
    st.text(min_size=1, max_size=30),
    st.tuples(
        st.sampled_from(["=", "+", "-", "@", "'", "''", "'=", "''-", " =", "\t", "\r\n=", "\n", "＝", "'\t", ",", '"']),
        st.text(max_size=10),
    ).map("".join),
).filter(lambda t: t.strip() and not any("\ud800" <= c <= "\udfff" for c in t))


@given(st.lists(nasty, min_size=1, max_size=5), nasty)
@settings(max_examples=150, deadline=None)
def test_any_text_comes_back_unchanged_and_none_is_a_formula(tmp_path_factory, texts, generator):
    path = tmp_path_factory.mktemp("review") / "r.csv"
    docs = [Document(id=f"{i}{t}", text=t, images=(Image(id=t),), captions={generator: t}) for i, t in enumerate(texts)]
    write(docs, path, generator)
    assert read(path) == [j for j, _ in review.captions(docs, generator)]
    for row in rows(path):
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
            assert cell[:1] not in ("\t", "\r", "\n")


def test_what_the_reader_writes_may_begin_like_a_formula(tmp_path):
    path = tmp_path / "r.csv"
    write([post(1, a="-x"), post(2, a="b")], path, "a")
    assert rows(path)[0]["caption"] == "'-x"
    found = read(filled(path, d1={"corrected": "'=1+1"}, d2={"corrected": "=1+1"}))
    assert [j.corrected for j in found] == ["=1+1", "=1+1"] and found[0].caption == "-x"


def test_a_picture_of_several_documents_is_one_row(tmp_path):
    docs = [
        post(1, "p.jpg", a="a dog"),
        post(2, "p.jpg", a="a dog"),
        post(3, "p.jpg", a="another"),
        post(4, "main", a="a dog"),
        post(5, "main", a="a dog"),
        post(6, "p.jpg", a=""),
    ]
    path = tmp_path / "r.csv"
    assert write(docs, path, "a") == 4
    assert [r["document"] for r in rows(path)] == ["d1", "d3", "d4", "d5"]


def test_a_sample_is_of_the_same_pictures_for_all_generators_and_in_order(tmp_path):
    docs = [post(i, f"{i}.jpg", a=f"a{i}", b=f"b{i}") for i in range(200)]

    def drawn(seed, generator=("a", "b"), documents=docs):
        assert write(documents, tmp_path / "r.csv", generator, sample=20, seed=seed) == 20 * len(generator)
        return [(r["document"], r["generator"]) for r in rows(tmp_path / "r.csv")]

    first = drawn(0)
    a, b = ([d for d, g in first if g == x] for x in "ab")
    assert a == b == sorted(a, key=lambda d: int(d[1:])) and drawn(0) == first and drawn(1) != first
    assert {d for d, _ in drawn(0, ("a",), docs[::-1])} == set(a)
    times = dict.fromkeys(range(200), 0)
    for seed in range(60):
        for d, _ in drawn(seed, ("a",)):
            times[int(d[1:])] += 1
    assert max(times.values()) <= 17 and sum(v == 0 for v in times.values()) <= 5  # of 60 draws of a tenth each
    assert write(docs, tmp_path / "r.csv", "a", sample=1000) == 200
    with pytest.raises(CorpusError, match="sample=-1"):
        write(docs, tmp_path / "r.csv", "a", sample=-1)


def test_generators_that_are_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no caption 'z'.*'a', 'b'"):
        write([post(1, a="x", b="y")], tmp_path / "r.csv", ("a", "z"))
    with pytest.raises(CorpusError, match=r"no captions.*captions=NAME"):
        write([post(1)], tmp_path / "r.csv", ())
    with pytest.raises(CorpusError, match="no captions"):
        write([], tmp_path / "r.csv", "a")
    assert not (tmp_path / "r.csv").exists()


def test_a_long_text_fits_a_cell(tmp_path):
    write([Document(id="d", text="x" * 200_000, captions={"a": "b"})], tmp_path / "r.csv", "a")
    assert len(rows(tmp_path / "r.csv")[0]["text"]) < 32_767 and read(tmp_path / "r.csv")[0].caption == "b"


@pytest.mark.parametrize(
    ("cell", "means"),
    [
        *(
            (c, True)
            for c in ("yes", "YES", " Yes ", "y", "1", "1.0", "TRUE", "true", "x", "X", "ｙｅｓ", "right", "✓")
        ),
        *((c, False) for c in ("no", "No", "n", "0", "0.0", "FALSE", "f", "wrong", "\tno ")),
        *((c, None) for c in ("", "  ", "\u00a0")),
    ],
)
def test_verdicts_spelt_any_way(tmp_path, cell, means):
    write([post(1, a="b")], tmp_path / "r.csv", "a")
    assert read(filled(tmp_path / "r.csv", d1={"correct": cell}))[0].correct is means


def test_any_other_verdict_names_row_and_value(tmp_path):
    write([post(i, a=f"line\none of {i}") for i in range(5)], tmp_path / "r.csv", "a")
    with pytest.raises(CorpusError, match=r"row 4.*correct='maybe'.*yes or no"):
        read(filled(tmp_path / "r.csv", d2={"correct": "maybe"}))


@pytest.mark.parametrize(("mark", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_as_spreadsheets_save_it(tmp_path, mark, encoding):
    header = mark.join(["Generator ", "document", "CORRECT", "caption", "Mine"])
    lines = [
        mark.join(["a", "d1", "Yes", '"a dog, ""big""; wet\r\n"', "1"]),
        mark * 4,
        "",
        mark.join(["a", "d2", "", "ein Hünd"]),
    ]
    path = raw(tmp_path, *lines, header=header, encoding=encoding)
    assert read(path) == [
        CaptionJudgement(document="d1", generator="a", caption='a dog, "big"; wet\r\n', correct=True),
        CaptionJudgement(document="d2", generator="a", caption="ein Hünd"),
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["d1,,,a,x,yes,,", "d1,,,a,x,no,,"], "rows 2 and 3.*'d1'.*'a'"),
        (["d1,,,a,x,yes,,,,more"], "row 2.*10 cells.*8"),
        ([",,,a,x,yes,,"], "row 2.*no document"),
        (["d1,,,a,,yes,,"], "row 2.*no caption"),
        (['d1,,,a,"x,yes,,'], "broken CSV"),
        (['d1,,,a,"x"y,yes,,'], "broken CSV"),
    ],
)
def test_broken_rows_are_named(tmp_path, lines, says):
    with pytest.raises(CorpusError, match=says):
        read(raw(tmp_path, *lines))


def test_broken_files_are_named(tmp_path):
    with pytest.raises(CorpusError, match="0 columns 'correct'"):
        read(raw(tmp_path, header="document,generator,caption"))
    with pytest.raises(CorpusError, match="2 columns 'note'"):
        read(raw(tmp_path, header=HEADER + ",note"))
    with pytest.raises(CorpusError, match="0 columns 'document'"):
        read(raw(tmp_path, header=""))
    with pytest.raises(CorpusError, match=r"not UTF-8.*Windows-1252"):
        read(raw(tmp_path, "d1,,,a,caf\xe9,,,", encoding="latin-1"))
    with pytest.raises(CorpusError, match="UTF-16"):
        read(raw(tmp_path, "d1,,,a,x,,,", encoding="utf-16"))
    with pytest.raises(CorpusError, match="file that can be read"):
        read(tmp_path / "none.csv")


def test_accuracy_counts_what_was_judged_and_the_length_of_all():
    made = [
        CaptionJudgement(document=str(i), generator="a", caption="w " * (i + 1), correct=c)
        for i, c in enumerate((True, True, False, None, True))
    ]
    a = accuracy(made)
    assert (a.judged, a.correct, a.unjudged, a.share, a.length) == (4, 3, 1, 0.75, 3.0)
    none = accuracy([])
    assert (none.judged, none.correct, none.unjudged) == (0, 0, 0) and isnan(none.share) and isnan(none.length)
    assert none.interval == (0.0, 1.0)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
@settings(max_examples=200, deadline=None)
def test_the_interval_holds_just_the_shares_within_two_deviations(case):
    """By search: p is inside exactly where |share - p| <= z sqrt(p (1 - p) / n)."""
    n, k = case
    low, high = CaptionAccuracy(n, k).interval

    def inside(p):
        return abs(k / n - p) <= 1.959963984540054 * sqrt(p * (1 - p) / n) + 1e-12

    def edge(within, without):
        for _ in range(100):
            middle = (within + without) / 2
            within, without = (middle, without) if inside(middle) else (within, middle)
        return within

    assert low == pytest.approx(edge(k / n, 0.0), abs=1e-7) and high == pytest.approx(edge(k / n, 1.0), abs=1e-7)
    assert 0 <= low <= k / n <= high <= 1


def judged(document, generator="a", caption="x", corrected="", image="", correct=False):
    return CaptionJudgement(
        document=document, generator=generator, caption=caption, corrected=corrected, image=image, correct=correct
    )


def test_corrected_captions_go_back_and_nothing_is_lost():
    docs = [
        post(1, "p.jpg", a="x", b="y"),
        post(2, "q.jpg", a="z"),
        post(3, "p.jpg", a="x"),
        post(4, "p.jpg", a="w"),
        post(5),
    ]
    said = [judged("d1", corrected="better", image="p.jpg"), judged("d2", caption="z", correct=True)]
    found = list(apply(docs, said))
    assert found[0] == docs[0].replace(captions={"a": "x", "b": "y", "a (corrected)": "better"})
    assert found[2].captions == {"a": "x", "a (corrected)": "better"}  # the same picture and caption
    assert [found[i] for i in (1, 3, 4)] == [docs[i] for i in (1, 3, 4)]
    assert next(apply(docs, said, "mine")).captions["mine"] == "better"
    full = list(apply(docs, said, fill=True))
    assert [d.captions.get("a (corrected)") for d in full] == ["better", "z", "better", "w", None]
    assert list(apply(iter(docs), [])) == docs
    reverse = list(apply(docs[::-1], said))
    assert [d.id for d in reverse if "a (corrected)" in d.captions] == ["d3", "d1"]


def test_a_document_of_the_same_picture_that_was_judged_itself_keeps_its_own_judgement():
    docs = [post(1, "p.jpg", a="x"), post(2, "p.jpg", a="x")]
    said = [judged("d1", corrected="better", image="p.jpg"), judged("d2", image="p.jpg", correct=True)]
    assert [d.captions.get("a (corrected)") for d in apply(docs, said)] == ["better", None]


def test_what_cannot_be_put_back_is_named():
    docs = [post(1, a="x", b="x", taken="t"), post(2, a="one\n two")]
    with pytest.raises(CorpusError, match="two rows for document 'd1'"):
        apply(docs, [judged("d1"), judged("d1")])
    with pytest.raises(CorpusError, match="one name 'm' for"):
        apply(docs, [judged("d1"), judged("d1", "b")], "m")
    with pytest.raises(CorpusError, match=r"2 judged documents.*d7, d8.*split"):
        list(apply(docs, [judged("d8"), judged("d7"), judged("d1")]))
    with pytest.raises(CorpusError, match=r"document d1.*'edited'.*column corrected"):
        list(apply(docs, [judged("d1", caption="edited")]))
    with pytest.raises(CorpusError, match="which the document has not"):
        list(apply(docs, [judged("d1", "z")]))
    with pytest.raises(CorpusError, match="another caption 'taken'"):
        list(apply(docs, [judged("d1", corrected="better")], "taken"))
    assert list(apply(docs, [judged("d2", caption="one two", corrected="c")]))[1].captions["a (corrected)"] == "c"
