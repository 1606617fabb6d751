"""The report: what is written stays text, what is drawn is where it should be, and verdicts are right."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie import report
from openmie.data.box_iou import box_iou
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import DocumentError, ErrorRecord
from openmie.report import Bars, Curves, Table, picture, write
from openmie.report.box_labels import place_labels
from openmie.report.charts import ticks
from openmie.report.comparison import SpanNode, SpanView, compare, nest_spans
from openmie.report.label_colours import COLOURS, assign_colours
from openmie.report.markup import text
from openmie.report.text_layout import Atom, TextPen, break_lines, split_atoms

HOSTILE = (
    '<script>document.title="owned"</script>',
    '</style><img src=x onerror=document.title="owned">',
    '" onload="x',
    "'",
    "</script>",
    "\u202egnp.exe\u202c",
    "a\x00b\x1bc",
    "]]>",
    "<!--",
    "&lt;",
    "javascript:x",
    "\u2067x",
)
VOID = {"meta", "img", "line", "polyline"}


class Reader(HTMLParser):
    """The page as a list of tags with their attributes, and its text; fails where tags do not close."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    def find(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        found = [a for t, a in self.tags if t == tag]
        return [a for a in found if name in (a.get("class") or "").split(" ")] if name else found


def safe(page: str) -> Reader:
    """The page runs nothing, fetches nothing, and holds only tags and attributes that this package writes."""
    read = Reader(page)
    for tag, attributes in read.tags:
        assert tag not in ("script", "iframe", "object", "embed", "link", "form", "base", "audio", "video", "use")
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in ("srcdoc", "action", "xlink:href", "srcset", "poster")
            if name == "src":
                assert re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", value or "")
            if name == "href":
                assert (value or "").startswith("#")
            if name == "style":
                lengths = r"(?:(?:left|top|right|bottom|width):(?:calc\(100% - )?[\d.]+%\)?;?)+"
                assert re.fullmatch(lengths, value or ""), value
            if name == "class":
                assert re.fullmatch(r"[a-z0-9 -]*", value or ""), value
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", page)
    assert re.search(r"url\(|@import", page.split("</style>")[0]) is None
    return read


def pixels(width: int = 64, height: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def post(**layers: Any) -> Document:
    base: dict[str, Any] = {
        "id": "one",
        "text": "Ada Moss met the Brill choir in Tornby .",
        "lang": "en",
        "images": [Image(pixels=pixels())],
        "mentions": [
            Mention(id="a", start=0, end=8, label="PER"),
            Mention(id="b", start=17, end=28, label="ORG"),
            Mention(id="c", start=32, end=38, label="LOC"),
        ],
        "relations": [Relation(head="a", tail="b", label="member_of"), Relation(head="b", tail="c", label="locate_at")],
        "regions": [
            Region(image="main", box=(4, 4, 30, 40), label="PER", of="a"),
            Region(image="main", box=(40, 20, 60, 44), label="ORG", of="b"),
        ],
        "captions": {"made": "a woman and some singers"},
        "summary": "Ada Moss meets a choir .",
    }
    return Document(**{**base, **layers})


def page(folder: Path, **parts: Any) -> str:
    return write(folder / "report.html", **({"title": "A report"} | parts)).read_text(encoding="utf-8")


def test_whole_page(tmp_path: Path) -> None:
    gold = post()
    losses = {"text": [(0, 2.0), (1, 1.0)], "cross": [(0, 3.0), (1, 0.25)]}
    curves = Curves(title="Loss", x="step", y="loss", lines=losses)
    bars = Bars(
        title="F1",
        bars={"text": 61.0, "cross": 86.0},
        lines={"ceiling": 87.5},
        intervals={"text": (59.0, 63.0)},
        note="higher is better",
    )
    table = Table(
        title="Scores",
        columns=["Model", "F1", "Posts"],
        rows=[["text", 61.04, 1500], ["best", None, None]],
        marked=[1],
        note="in percent",
    )
    html = page(
        tmp_path / "new" / "folder",
        intro="What\nthis is.",
        tables=[bars, table],
        curves=[curves],
        documents=[(gold, gold), gold.without_gold()],
        notes=["A note."],
    )
    read = safe(html)
    said = "".join(read.said)
    for part in (
        "A report",
        "this is.",
        "61.0",
        "1,500",
        "–",
        "87.5%",
        "59.0 to 63.0",
        "0.25",
        "Ada Moss",
        "member_of",
        "a woman and some singers",
        "A note.",
        "in percent",
    ):
        assert part in said
    assert html.startswith("<!DOCTYPE html>\n") and "default-src 'none'" in (read.find("meta")[1]["content"] or "")
    assert [a["id"] for a in read.find("section")] == ["scores", "curves", "posts", "notes"]
    assert all(a["alt"] for a in read.find("img")) and len(read.find("img")) == 2
    assert all(a.get("scope") in ("col", "row") for a in read.find("th"))
    assert len(read.find("caption")) == 2  # scores, and the relations of the first post
    assert all(a.get("aria-label") for a in read.find("svg", "plot"))
    assert said.count("✓") == 3 + 2 + 2 + 1  # mentions, relations, boxes, and the legend
    assert "Written by openmie" in said and "higher is better" in said


def test_empty_page(tmp_path: Path) -> None:
    read = safe(page(tmp_path))
    assert read.find("section") == [] and read.find("nav") == []


def test_templates_insert_nothing_unescaped() -> None:
    """Only values of type Markup are inserted as they are; a template may not turn escaping off."""
    templates = sorted(Path(report.__file__).parent.glob("templates/*.html"))
    assert templates
    for file in templates:
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape", source), file
        inside = re.findall(r'="[^"]*\{\{\s*([^}]*?)\s*\}\}', source)
        fixed = (
            "bar.",
            "rule.",
            "ticks.",
            "line.",
            "loop.",
            "number",
            "verdict",
            "r.verdict",
            "x",
            "y",
            "view.width",
            "view.height",
        )
        assert all(x.endswith("|attribute") or x.startswith(fixed) for x in inside), (file, inside)


def test_equal_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "a.html", title="x", documents=[post()]).read_bytes()
    assert first == write(tmp_path / "b.html", title="x", documents=[post()]).read_bytes()


def hostile_page(folder: Path, bad: str) -> str:
    layers: dict[str, Any] = {
        "images": [Image(path=bad.replace("\0", "") or "x", id=bad), Image(id="i", pixels=pixels())],
        "mentions": [
            Mention(id="m", start=0, end=len(bad), label=bad),
            Mention(id="u", start=0, end=0, label=bad, text=bad, status="unlocated"),
        ],
        "relations": [Relation(head="m", tail=bad, label=bad)],
        "captions": {bad: bad},
        "summary": bad,
        "regions": [Region(image="i", box=(0, 0, 9, 9), label=bad, of="m")],
        "errors": [ErrorRecord(where=bad, found=bad)],
    }
    document = Document(id=bad, text=bad + " tail", lang=bad, **layers)
    return page(
        folder,
        title=bad,
        heading=bad,
        intro=bad,
        notes=[bad],
        documents=[document, (document, document)],
        tables=[
            Table(title=bad, columns=[bad, bad], rows=[[bad, bad]], note=bad),
            Bars(title=bad, bars={bad: 1}, lines={bad: 2}, unit=bad, note=bad),
        ],
        curves=[Curves(title=bad, x=bad, y=bad, lines={bad: [(0, 0), (1, 1)]}, note=bad)],
    )


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_text(tmp_path: Path, bad: str) -> None:
    """Row S9: whatever stands in any field, the tags are those of the same page with harmless text."""
    read, harmless = safe(hostile_page(tmp_path, bad)), safe(hostile_page(tmp_path, "x"))
    assert [t for t, a in read.tags if a.get("class") != "code"] == [t for t, _ in harmless.tags]
    if bad.isprintable():
        assert "".join(read.said).count(bad) >= 20


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_text_round_trip(value: str) -> None:
    """Escaped and read back it is the same, but for control characters, which show as their code."""
    read = Reader(f"<p>{text(value)}</p>")
    assert all(tag in ("p", "span") for tag, _ in read.tags)
    plain = value.replace("\r\n", "\n").replace("\r", "\n")
    acting = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
    if not re.search(acting, plain):
        assert "".join(read.said) == plain


def test_bidi_is_shown() -> None:
    assert "U+202E" in text("\u202e") and "right-to-left override" in text("\u202e") and "\u202e" not in text("\u202e")


def browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(browser() is None, reason="no Chromium on this machine")
def test_in_a_browser(tmp_path: Path) -> None:
    """Nothing runs, nothing is asked for, and nothing is wider than a telephone."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    hostile_page(tmp_path, " ".join(HOSTILE))
    with api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        view, seen = chromium.new_page(viewport={"width": 390, "height": 800}), []
        view.on("request", lambda request: seen.append(request.url))
        view.on("dialog", lambda dialog: seen.append("dialog"))
        view.on("console", lambda message: seen.append(message.text))
        view.goto((tmp_path / "report.html").as_uri())
        assert view.title() != "owned"
        assert view.evaluate("document.documentElement.scrollWidth") <= 390
        assert [url for url in seen if not url.startswith(("file:", "data:"))] == []
        view.set_viewport_size({"width": 1280, "height": 800})
        assert view.evaluate("document.documentElement.scrollWidth") <= 1280
        chromium.close()


def test_image(tmp_path: Path) -> None:
    """Small images are embedded exactly, large ones scaled down; boxes in percent; unread ones say why."""
    array = pixels()
    large = Image(id="large", pixels=pixels(2000, 1000), kind="frame", time=2.5)
    document = post(
        images=[
            Image(pixels=array),
            large,
            Image(id="gone", path=str(tmp_path / "gone.png")),
            Image(id="p", kind="patch", parent="main", box=(0, 0, 9, 9)),
        ]
    )
    html = page(tmp_path, documents=[document])
    read = safe(html)
    small, big = [base64.b64decode((a["src"] or "").split(",")[1]) for a in read.find("img")]
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(small))), array)
    assert PIL.Image.open(io.BytesIO(big)).size == (960, 480)
    boxes = read.find("span", "box")
    assert len(boxes) == 2 and boxes[0]["style"] == "left:6.25%;top:8.33%;right:53.12%;bottom:16.67%"
    assert "Ada Moss (PER)" in (read.find("img")[0]["alt"] or "")
    said = "".join(read.said)
    assert "Image not read." in said and "gone.png" in said and "at 2.5 s" in said


def test_many_frames(tmp_path: Path) -> None:
    frames = [Image(id=f"f{i}", kind="frame", pixels=pixels(8, 8)) for i in range(20)]
    read = safe(page(tmp_path, documents=[post(images=frames, regions=())]))
    assert len(read.find("img")) == 12 and "8 more images" in "".join(read.said)


def test_verdicts_of_mentions() -> None:
    gold = post()
    predicted = gold.replace(
        relations=(),
        regions=(),
        mentions=(
            Mention(id="x", start=0, end=8, label="PER"),
            Mention(id="y", start=17, end=28, label="LOC"),
            Mention(id="z", start=9, end=12, label="MISC"),
        ),
    )
    spans = compare((gold, predicted)).spans
    assert [(s.text, s.label, s.verdict, s.instead) for s in spans] == [
        ("Ada Moss", "PER", "right", ""),
        ("Brill choir", "LOC", "wrong", "ORG"),
        ("met", "MISC", "wrong", ""),
        ("Tornby", "LOC", "missed", ""),
    ]
    assert {s.verdict for s in compare(predicted).spans} == {""}


def test_verdicts_of_relations() -> None:
    gold = post(relations=[Relation(head="a", tail="b", label="peer"), Relation(head="b", tail="c", label="locate_at")])
    ids = [m.model_copy(update={"id": "p" + m.id}) for m in gold.mentions]
    predicted = gold.replace(
        mentions=tuple(ids),
        regions=(),
        relations=(
            Relation(head="pb", tail="pa", label="peer"),
            Relation(head="pb", tail="pc", label="member_of"),
            Relation(head="pa", tail="pc", label="None"),
        ),
    )
    directed = [(k.label, k.verdict, k.instead) for k in compare((gold, predicted)).links]
    assert directed == [
        ("peer", "wrong", ""),
        ("member_of", "wrong", "locate_at"),
        ("None", "right", ""),
        ("peer", "missed", ""),
    ]
    either = [(k.label, k.verdict, k.instead) for k in compare((gold, predicted), symmetric=("peer",)).links]
    assert either == [("peer", "right", ""), ("member_of", "wrong", "locate_at"), ("None", "right", "")]
    several = gold.replace(relations=(*gold.relations, Relation(head="a", tail="b", label="member_of")))
    assert [k.verdict for k in compare((several, gold)).links] == ["right", "right", "missed"]


def test_relations_of_chains() -> None:
    chains = [Chain(id="A", mentions=("a",), label="PER"), Chain(id="B", mentions=("b", "c"), label="ORG")]
    gold = post(chains=chains, relations=[Relation(head="A", tail="B", label="member_of")])
    (link,) = compare((gold, gold)).links
    assert (link.head, link.tail, link.tail_label, link.verdict) == ("Ada Moss", "Brill choir (+1)", "ORG", "right")
    (lost,) = compare(gold.replace(chains=(), relations=(Relation(head="gone", tail="a", label="x"),))).links
    assert lost.head == "gone"


def test_verdicts_of_boxes() -> None:
    gold = post()
    predicted = gold.replace(
        relations=(),
        regions=(
            Region(image="main", box=(4, 4, 30, 38), label="PER", of="a"),
            Region(image="main", box=(40, 20, 60, 44), label="ORG", of="c"),
        ),
    )
    assert [(f.name, f.verdict) for f in compare((gold, predicted)).frames] == [
        ("Ada Moss", "right"),
        ("Tornby", "wrong"),
        ("Brill choir", "missed"),
    ]


def test_two_different_documents() -> None:
    with pytest.raises(DocumentError, match="two versions of one document"):
        compare((post(), post(id="two")))


boxes = st.tuples(*[st.integers(0, 12)] * 4).map(lambda b: (b[0], b[1], b[0] + b[2] + 1, b[1] + b[3] + 1))


@given(boxes, boxes)
def test_overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> None:
    """Against counting pixels."""
    grids = np.zeros((2, 30, 30), dtype=bool)
    for grid, (x0, y0, x1, y1) in zip(grids, (a, b)):
        grid[y0:y1, x0:x1] = True
    assert box_iou(a, b) == pytest.approx(float((grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum()))


spans = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from(["", "missed"])), max_size=12).map(
    lambda found: [SpanView(a, a + n, "X", "", v) for a, n, v in found]
)  # type: ignore[arg-type]


@given(spans)
def test_nest(found: list[SpanView]) -> None:
    """Every span is placed once; siblings are in order and apart, children inside; only crossing ones are left over."""
    roots, crossing = nest_spans(found)
    placed: list[SpanView] = []

    def walk(row: list[SpanNode], start: int, end: int) -> None:
        for node in row:
            assert start <= node.span.start and node.span.end <= end
            start = node.span.end
            placed.append(node.span)
            walk(node.inside, node.span.start, node.span.end)

    walk(roots, 0, 99)
    assert sorted([*placed, *crossing], key=repr) == sorted(found, key=repr)
    for span in crossing:
        assert any(p.start < span.start < p.end < span.end or span.start < p.start < span.end < p.end for p in placed)


def test_overlapping_mentions_on_the_page(tmp_path: Path) -> None:
    document = post(
        relations=(),
        regions=(),
        mentions=[
            Mention(id="a", start=0, end=28, label="OUT"),
            Mention(id="b", start=4, end=8, label="IN"),
            Mention(id="c", start=6, end=12, label="X"),
        ],
    )
    said = "".join(safe(page(tmp_path, documents=[document])).said)
    assert "Crossing another mention" in said and "Ada Moss" in said


@given(st.lists(st.tuples(boxes, st.integers(1, 8)), max_size=6))
def test_spots(found: list[tuple[tuple[int, int, int, int], int]]) -> None:
    """Names lie in the picture; one outside its box hides no other."""
    places = place_labels([b for b, _ in found], [(w, 2) for _, w in found], 30, 30)
    rows = [(s.x, s.y, s.x + w, s.y + 2) for s, (_, w) in zip(places, found)]
    for i, (a, spot) in enumerate(zip(rows, places)):
        assert a[0] >= 0 and a[2] <= 30
        if spot.side != "inside":
            assert a[1] >= 0 and a[3] <= 30 and all(box_iou(a, b) == 0 for b in rows[:i])


def test_names_of_equal_boxes_are_written_below_each_other() -> None:
    """Boxes of one thing, as of all mentions of a chain, that fill the picture: no name hides another."""
    places = place_labels([(1, 1, 20, 29)] * 3, [(10, 4)] * 3, 30, 30)
    rows = [(s.x, s.y, s.x + 10, s.y + 4) for s in places]
    assert [s.side for s in places] == ["inside"] * 3 and rows[0][1] == 1 and rows[2][3] <= 30
    assert all(box_iou(a, b) == 0 for i, a in enumerate(rows) for b in rows[:i])


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 8
    step = found[1] - found[0]
    assert found[0] <= low + 1e-6 * step + 1e-6 and found[-1] >= low + span - 1e-6 * step - 1e-6


def test_curves(tmp_path: Path) -> None:
    """Points that are not numbers are left out; long lines keep their peaks; nothing to draw is said."""
    long = [(float(i), 5.0 if i == 31_415 else float(np.sin(i / 900))) for i in range(60_000)]
    read = safe(
        page(
            tmp_path,
            curves=[
                Curves(
                    title="a", x="x", y="y", lines={"one": [(0, float("nan")), (1, 2), (2, float("inf"))], "none": []}
                ),
                Curves(title="b", x="x", y="y", lines={}),
                Curves(title="c", x="x", y="y", lines={"long": long}),
                Curves(title="d", x="x", y="y", lines={"flat": [(1, 1), (2, 1)]}),
            ],
        )
    )
    lines_drawn = [a["points"] or "" for a in read.find("polyline", "c0") if (a["points"] or "").count(",") > 5]
    assert len(lines_drawn) == 1 and len(lines_drawn[0]) < 30_000
    heights = sorted(float(p.split(",")[1]) for p in lines_drawn[0].split())
    assert heights[0] < heights[1] - 80
    assert "No points." in "".join(read.said)


def test_digits_of_a_table(tmp_path: Path) -> None:
    table = Table(title="t", columns=["name", "f1", "share"], rows=[["a", 61.04, -0.057]], digits=[0, 1, 2])
    assert "61.0−0.06" in "".join(safe(page(tmp_path, tables=[table])).said)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours() -> None:
    """Readable on white and on the dark card (WCAG AA); as many as there are, then from the start."""
    for light, dark in COLOURS:
        assert 1.05 / (luminance(light) + 0.05) >= 4.5
        assert (luminance(dark) + 0.05) / (luminance("#171b21") + 0.05) >= 4.5
    assert assign_colours(["b", "a", "", "b"]) == {"a": 0, "b": 1}
    assert assign_colours(map(str, range(10, 25)))["20"] == 0


def test_picture() -> None:
    document = post()
    drawn = picture(document, width=800)
    assert drawn.mode == "RGB" and drawn.width == 800 and 200 < drawn.height < 500
    assert drawn.tobytes() == picture(document, width=800).tobytes()
    seen = {tuple(c) for c in np.asarray(drawn).reshape(-1, 3).tolist()}
    for label in ("LOC", "ORG", "PER"):
        ink = COLOURS[assign_colours(["LOC", "ORG", "PER"])[label]][0]
        assert tuple(int(ink[i : i + 2], 16) for i in (1, 3, 5)) in seen
    assert picture(document, width=800, labels=("A", "LOC", "ORG", "PER")).tobytes() != drawn.tobytes()


@pytest.mark.parametrize(
    "layers",
    [
        {"images": (), "regions": ()},
        {"images": [Image(path="nowhere.png")], "regions": ()},
        {
            "text": "W" * 400,
            "mentions": [Mention(id="a", start=3, end=390, label="LONG")],
            "relations": (),
            "regions": (),
        },
        {"text": "", "mentions": (), "relations": (), "regions": ()},
        {
            "text": "在上海 \U0001f600 x\n\nمرحبا",
            "mentions": [Mention(id="a", start=1, end=3, label="LOC")],
            "relations": (),
            "regions": [
                Region(image="main", box=(-5, -5, 900, 900), of="a"),
                Region(image="main", box=(99, 99, 120, 120)),
            ],
        },
        {"relations": [Relation(head="a", tail="b", label="a_very_long_label_" * 6)]},
        {"images": [Image(pixels=pixels(4, 400))], "regions": ()},
    ],
)
def test_any_picture(layers: dict[str, object]) -> None:
    assert picture(post(**layers), width=640).width == 640


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab longword.,\n 上海ü"), max_size=80), st.integers(60, 400))
def test_lines(value: str, width: int) -> None:
    """No line is too wide and no letter is lost."""
    pen = TextPen(unit=20, path=None)
    assert "".join(split_atoms(value)) == value
    rows = break_lines([Atom(w, 0 if w == "\n" else pen.width(w)) for w in split_atoms(value)], width)
    assert all(x + a.width <= width + 1 for row in rows for x, a in row if not a.text.isspace())
    assert "".join("".join(a.text for _, a in row) for row in rows).replace(" ", "") == re.sub(r"\s", "", value)


def test_no_torch() -> None:
    code = "import sys, openmie.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
