"""`doctor`: every kind of finding on made-up corpora, and all that is known of the real ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image as Picture

from openmie.datasets.audit.doctor import AuditReport, compare, examine
from openmie.datasets.audit.reference_stats import TWITTER_2015
from openmie.errors import CorpusError

A = "IMGID:1\nMira\tB-PER\nsails\tO\n\n"
B = "IMGID:2\nTolk\tI-PER\nnaps\ufffd\tO\n\n"
C = "IMGID:3\nMira\tO\nsails\tO\n\n"


def twitter(folder: Path, train: str, dev: str = "", test: str = "") -> Path:
    for name, text in (("train", train), ("valid", dev), ("test", test)):
        (folder / f"{name}.txt").write_text(text)
    return folder


def row(text: str, h: tuple[int, int], t: tuple[int, int], relation: str, image: str) -> str:
    token = text.split()
    ends = {k: {"name": " ".join(token[a:b]), "pos": [a, b]} for k, (a, b) in (("h", h), ("t", t))}
    return repr({"token": token, **ends, "img_id": image, "relation": relation}) + "\n"


def test_counts_tags_duplicates_and_leaks(tmp_path):
    report = examine(f"twitter:{twitter(tmp_path, A + B + A + C, A, B + B)}")
    assert [report.count("documents", s) for s in ("train", "dev", "test", "all")] == [4, 1, 2, 7]
    assert report.count("mentions PER", "train") == 2 and report.count("images", "all") == 3  # without the orphan
    assert report.count("mentions, with orphans", "train") == 3
    assert report.finding("orphan mentions", "train") == 1 and report.finding("orphan mentions", "test") == 2
    assert report.finding("U+FFFD characters", "train") == 1
    assert report.finding("texts with conflicting annotation", "train") == 1
    assert report.finding("duplicate texts", "test") == 1 and report.finding("duplicate texts", "train") == 0
    assert [report.finding("texts in two splits", f"train + {s}") for s in ("dev", "test")] == [1, 1]
    assert report.finding("images in two splits", "train + dev") == 1
    assert report.finding("image ids used before", "train") == 1
    assert report.finding("labels that the split lacks", "test") == 0
    assert report.reference == "" and report.records == ()


def test_published_numbers_count_mentions_that_begin(tmp_path):
    """Orphan `I-` runs are in none of the published numbers: strict and lenient counts stand beside them."""
    labels = {"train": (2217, 2091, 928, 940), "valid": (552, 522, 247, 225), "test": (1816, 1697, 839, 726)}
    sizes = {"train": (4000, 186), "valid": (1000, 53), "test": (3257, 135)}
    for split, (tweets, orphans) in sizes.items():
        begun = [x for x, n in zip(("PER", "LOC", "ORG", "OTHER"), labels[split]) for _ in range(n)]
        rows = [["x\tO\n"] for _ in range(tweets)]
        for number, label in enumerate(begun):
            rows[number % tweets].append(f"name{number}\tB-{label}\nx\tO\n")
        for number in range(orphans):
            rows[number].append(f"orphan{number}\tI-PER\nx\tO\n")
        text = "".join(f"IMGID:{split}{n}\n{''.join(row)}\n" for n, row in enumerate(rows))
        (tmp_path / f"{split}.txt").write_text(text)
    report = examine(f"twitter:{tmp_path}")
    assert "18 of 18 published numbers agree" in str(report)
    assert "strict counts 12,800 mentions in all, lenient 13,174: orphan I- runs too" in str(report)
    assert [report.count("mentions", s) for s in ("train", "dev", "test")] == [6176, 1546, 5078]
    assert [report.count("mentions, with orphans", s) for s in ("train", "dev", "test")] == [6362, 1599, 5213]
    (tmp_path / "valid.txt").unlink(), (tmp_path / "test.txt").unlink()
    (tmp_path / "train.txt").write_text(A)
    assert "with orphans" not in str(examine(f"twitter:{tmp_path}"))  # where there are none, there is one count


def test_what_is_known_of_files_that_differ_is_said():
    """Twitter-2015 as all repositories have it: the tables of the papers count a few mentions more."""
    found = {
        split: {k: n for k, n in row.items() if k != "documents"} | known
        for (split, row), known in zip(TWITTER_2015.table.items(), TWITTER_2015.known[0].table.values())
    }
    counts = {split: {"documents": TWITTER_2015.table[split]["documents"], **row} for split, row in found.items()}
    report = AuditReport("t", TWITTER_2015.title, compare(counts, TWITTER_2015), (), ())
    assert len(report.disagreements) == 7 and report.unexplained == ()
    assert "11 of 18 published numbers agree" in str(report) and "7 differ, the files that all" in str(report)
    for row in counts.values():  # the totals are those of the labels
        assert row["mentions"] == sum(n for name, n in row.items() if name.startswith("mentions "))
    counts["dev"]["mentions PER"] -= 1
    other = AuditReport("t", TWITTER_2015.title, compare(counts, TWITTER_2015), (), ())
    assert [c.what for c in other.unexplained] == ["mentions PER"]
    assert "1 differ, and it is not known why: dev mentions PER" in str(other)


def test_relations(tmp_path):
    rows = [
        row("a b c d", (0, 1), (2, 3), "x", "1.jpg"),
        row("a b c d", (2, 3), (0, 1), "x", "1.jpg"),
        row("a b c d", (0, 2), (1, 3), "x", "1.jpg"),
        row("a b c d", (0, 1), (2, 3), "y", "2.jpg"),
        row("e f", (0, 1), (1, 2), "None", "3.jpg"),
        row("e f", (0, 1), (1, 2), "None", "4.jpg"),
    ]
    (tmp_path / "mnre_train.txt").write_text("".join(rows) + "broken\n")
    (tmp_path / "mnre_test.txt").write_text(row("a b c d", (0, 1), (2, 3), "z", "5.jpg"))
    report = examine(f"mnre:{tmp_path}")
    assert report.finding("tail before head", "train") == 1
    assert report.finding("overlapping head and tail", "train") == 1
    assert report.finding("instances with conflicting annotation", "train") == 1
    assert report.finding("instances with conflicting annotation", "") == 1
    assert report.finding("duplicate instances", "train") == 1
    assert report.finding("labels that the split lacks", "test") == 3
    assert report.finding("labels that train does not show", "test") == 1
    assert report.count("relations", "train") == 4 and report.count("relation None", "train") == 2
    assert len(report.records) == 1 and "mnre_train.txt:7" in str(report.records[0])
    assert report.count("documents", "train") == 6 and len(report.disagreements) > 0


def test_captions_images_and_relevance(tmp_path):
    twitter(tmp_path, A + B + "IMGID:4\nx\tO\n\nIMGID:5\ny\tO\n", C)
    (tmp_path / "captions_zed.txt").write_text("1.jpg :\n2.jpg :\u00a0x\n3.jpg :a\n9.jpg :b\n4.jpg :c\nwhat\n")
    (tmp_path / "images/test").mkdir(parents=True)
    Picture.effect_noise((64, 64), 50).save(tmp_path / "images/1.png")
    whole = (tmp_path / "images/1.png").read_bytes()
    (tmp_path / "images/2.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "images/test/3.png").write_bytes(whole)
    (tmp_path / "images/8.jpg").write_bytes(b"")
    (tmp_path / "images/4.jpg").write_bytes(b"no picture")
    report = examine(f"twitter:{tmp_path}")
    every = "train + dev + test"
    assert report.finding("images without caption (zed)", every) == 1
    assert report.finding("captions of no image (zed)", every) == 1
    assert report.finding("empty captions (zed)", every) == 1
    assert report.finding("captions that begin with a blank (zed)", every) == 1
    assert len(report.records) == 1 and "captions_zed.txt:6" in str(report.records[0])
    assert report.finding("images without a file", "train") == 1 and report.count("image files", "train") == 3
    assert report.finding("broken images", "train") == 2
    assert report.finding("image files in the folder of another split", "dev") == 1
    assert report.finding("image files of no document") == 1
    assert report.side_files == ("captions zed", f"images in {tmp_path / 'images'}")
    assert examine(f"twitter:{tmp_path}", decode=False).finding("broken images", "train") == 1


def test_boxes(tmp_path):
    twitter(tmp_path, A + B)
    (tmp_path / "xml").mkdir()
    text = (
        "<annotation><filename>{}</filename><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>5</xmax><ymax>5</ymax></bndbox></object><object><name>Mira</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>5</xmax>"
        "<ymax>5</ymax></bndbox></object></annotation>"
    )
    (tmp_path / "xml/1.xml").write_text(text.format("1.jpg", "Mira"))
    (tmp_path / "xml/2.xml").write_text(text.format("7.jpg", "Zorv"))
    (tmp_path / "xml/6.xml").write_text("<")
    report = examine(f"gmner:{tmp_path}")
    assert report.count("boxes", "train") == 4 and report.count("images with boxes", "train") == 2
    assert report.finding("boxes without a mention", "train") == 2
    assert report.finding("mentions with several boxes", "train") == 1
    assert report.finding("annotation files that name another image", "train") == 1
    assert report.finding("annotation files of no document") == 1


def test_report_as_text(tmp_path):
    report = examine(f"twitter:{twitter(tmp_path, A + 'oops', B)}")
    text = str(report)
    assert "documents" in text and "orphan mentions: dev 1" in text and "train.txt:5" in text
    header, *rows = report.table()
    assert header == ("", "train", "dev", "all") and all(len(r) == 4 for r in rows)


def test_numbers_beside_the_published(tmp_path):
    tweets = "".join(f"IMGID:{i}\nx{i}\tO\n\n" for i in range(3373))
    report = examine(f"twitter:{twitter(tmp_path, tweets)}")
    assert report.reference.startswith("Twitter-2017")
    assert any("0 (published 6,049)" in line for line in report.lines())
    assert ("mentions", "train", 0, 6049) in [(c.what, c.split, c.found, c.published) for c in report.disagreements]


def test_wrong_options_are_told_before_reading(tmp_path, opened):
    twitter(tmp_path, A)
    del opened[:]
    with pytest.raises(CorpusError, match="zork"):
        examine(f"twitter:{tmp_path}?captions=zork")
    assert not [o for o in opened if str(tmp_path) in o]


def test_other_formats():
    report = examine("diorama:train=4,dev=2,test=2")
    assert report.count("documents", "all") == 8 and report.finding("images in two splits", "train + dev") == 0


@pytest.fixture(scope="module")
def reports() -> dict[str, AuditReport]:
    return {}


def real(reports: dict[str, AuditReport], corpora: Path, name: str, format: str = "") -> AuditReport:
    return reports.setdefault(name, examine(f"{format or name}:{corpora}/{name}"))


@pytest.mark.real
def test_twitter_2017(corpora, reports):
    report = real(reports, corpora, "twitter2017", "twitter")
    assert report.disagreements == () and sum(c.published is not None for c in report.counts) == 18
    assert [report.count(f"mentions {x}", "train") for x in ("PER", "LOC", "ORG", "MISC")] == [2943, 731, 1674, 701]
    assert not [f for f in report.findings if "orphan" in f.kind or "caption" in f.kind]
    assert report.finding("U+FFFD characters", "train") == 4
    assert [(f.split, f.count) for f in report.findings if f.kind == "texts in two splits"] == [("train + dev", 1)]
    assert report.side_files == ("captions blip2",) and report.records == ()


@pytest.mark.slow
@pytest.mark.real
def test_mnre(corpora, reports):
    start = time.process_time()
    report = real(reports, corpora, "mnre")
    assert time.process_time() - start < 30  # 5 s is usual, half of them to read the files
    assert report.disagreements == () and report.records == ()
    assert [report.count("documents", s) for s in ("train", "dev", "test")] == [12247, 1624, 1614]
    assert report.count("images", "all") == 9201 and report.count("relation types", "all") == 23
    assert report.count("relation None", "train") == 7744 and report.count("relation /per/per/alumi", "train") == 8
    assert report.finding("labels that the split lacks", "test") == 2
    assert report.finding("instances with conflicting annotation") == 34
    assert report.finding("overlapping head and tail", "train") == 59
    assert report.finding("tail before head", "train") == 1397
    assert report.count("image files", "all") == 39 and report.count("documents with an image file", "all") == 91
    assert report.finding("image files of no document") == 0
    generators = {b.split()[1] for b in report.side_files if b.startswith("captions")}
    assert generators == {"minicpm", "cogvlm", "caption", "llavanext", "instruct", "BLIP"}
    for name in generators:
        assert [report.finding(f"captions of no image ({name})", s) for s in ("train", "dev", "test")] == [1, 1, 1]
        assert not [f for f in report.findings if f.kind == f"images without caption ({name})"]
    assert sum(f.count for f in report.findings if f.kind == "empty captions (BLIP)") == 35
    blanks = [f.count for f in report.findings if f.kind == "captions that begin with a blank (llavanext)"]
    assert sum(blanks) == 9201 + 3


@pytest.mark.slow
@pytest.mark.real
def test_gmner(corpora, reports):
    report = real(reports, corpora, "gmner")
    assert report.disagreements == () and report.records == ()
    assert [report.count("documents", s) for s in ("train", "dev", "test")] == [7000, 1500, 1500]
    assert [report.count("images with boxes", s) for s in ("train", "dev", "test", "all")] == [3925, 832, 855, 5612]
    assert report.count("boxes", "all") == 8058
    assert sum(f.count for f in report.findings if f.kind == "annotation files that name another image") == 765
    assert sum(f.count for f in report.findings if f.kind == "images without caption (owl)") == 3
    assert not [f for f in report.findings if f.kind in ("boxes without a mention", "broken images")]
    assert report.count("image files", "all") + report.finding("image files of no document") == 6


@pytest.mark.real
def test_m3d(corpora, reports):
    report = real(reports, corpora, "m3d")
    assert report.unexplained == ()
    assert {c.what for c in report.disagreements} == {"boxes"} and report.lost == ()  # times are notes
    splits = ("dev en", "dev zh", "test en", "test zh")
    assert [report.count("documents", s) for s in splits] == [205, 203, 207, 205]
    assert [report.count("relation types", s) for s in splits] == [29, 31, 31, 30]
    assert [report.count("documents with frames", s) for s in splits] == [5, 167, 1, 159]
    assert [report.finding("unresolved sent_time", s) for s in splits] == [23, 0, 35, 0]
    assert [report.finding("relations turned to their label's direction", s) for s in splits] == [669, 447, 679, 457]
    assert "relations turned to their label's direction: dev 669, test 679, in all 1,348" in str(
        examine(f"m3d:{corpora}/m3d?lang=en")
    )
    assert report.finding("videos in two splits", "dev en + test en") == 59
    assert report.finding("videos in two splits", "dev zh + test zh") == 72
