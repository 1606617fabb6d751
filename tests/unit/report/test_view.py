"""Pages of a result: every post on its page, found and filtered, texts that stay texts, nothing asked of a host."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from openmie.base import loading
from openmie.cli import application as cli
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.data.provenance import provenance, stamp
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry
from openmie.report import view
from openmie.report.entity_numbers import number_entities
from openmie.report.markup import script
from tests.fixtures.base_stub import stub_base

BAD = "\x1b[31m</script><script>document.title='owned'</script>\u202e\"'><img src=x onerror=\"document.title='owned'\">"
URL = "javascript:document.title='owned'"
TOLD = provenance([{"name": "openmie-base", "version": "1.0"}], "0.1.0", "2026-11-30T10:40:12Z")


class Reader(HTMLParser):
    """Tags with their attributes, and what scripts hold."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags, self.scripts, self._tag = [], [], ""
        self.text = ""
        self.feed(file.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._tag = tag

    def handle_endtag(self, tag):
        self._tag = ""

    def handle_data(self, data):
        if self._tag == "script":
            self.scripts.append(data)
        elif self._tag != "style":
            self.text += data

    def find(self, tag, **wanted):
        return [a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in wanted.items())]


def post(number: int) -> Document:
    mention = Mention(id="m0", start=0, end=3, label="PER" if number % 2 else "LOC")
    return Document(id=f"post {number}", text=f"Ada number{number}", mentions=(mention,))


def hostile() -> Document:
    return Document(
        id=BAD,
        text=f"Ada {BAD} in Turin",
        lang=BAD,
        images=(Image(path=f"none/{BAD}.png", id=BAD), Image(id="i", pixels=np.full((40, 40, 3), 200, np.uint8))),
        mentions=(Mention(id=BAD, start=0, end=3, label=BAD), Mention(id="n", start=4, end=9, label=URL)),
        chains=(Chain(id="c", mentions=(BAD, "n"), label=BAD),),
        relations=(Relation(head=BAD, tail="n", label=BAD),),
        regions=(
            Region(image="i", box=(1, 1, 9, 9), label=BAD, of=BAD),
            Region(image="i", box=(1, 1, 9, 9), label="WORDS", text=BAD),
        ),
        captions={BAD: BAD},
        summary=BAD,
        source={BAD: {BAD: URL}, "url": URL},
        errors=(ErrorRecord(where=BAD, found=BAD),),
    )


def pages(folder: Path, *documents, per_page: int = 50, title: str = "result") -> list[Reader]:
    first, _ = view.write_view(lambda: iter(documents), folder, title, per_page)
    assert first == folder / "index.html"
    return [Reader(file) for file in [first, *sorted(folder.glob("page-*.html"))]]


def test_every_post_stands_on_its_page(tmp_path):
    """Five posts, two a page: in order, each under its number, and in the list that all of them are found in."""
    index, *rest = pages(tmp_path, *map(post, range(1, 6)), per_page=2)
    assert [[a["id"] for a in page.find("article")] for page in rest] == [["p1", "p2"], ["p3", "p4"], ["p5"]]
    assert "number5" in rest[2].text and not index.find("article")
    listed = json.loads(index.scripts[0])
    assert listed["labels"] == ["LOC", "PER"]
    assert listed["posts"] == [[f"post {n}", f"Ada number{n}", [n % 2], 0, (n + 1) // 2] for n in range(1, 6)]
    links = {a["href"] for page in rest for a in page.find("a")}
    assert links == {"index.html", *(f"page-{n}.html" for n in (1, 2, 3))}


def test_few_posts_are_one_page(tmp_path):
    (index,) = pages(tmp_path, post(1), ErrorRecord(where="a.jsonl:2", found="no JSON"))
    assert [("data-failed" in a, a["data-labels"]) for a in index.find("article")] == [(False, '["PER"]'), (True, "[]")]
    assert "2 posts, 1 mention, 1 failed." in index.text and "a.jsonl:2" in index.text
    assert [a["value"] for a in index.find("option")] == ["", "PER"]


def test_no_posts(tmp_path):
    (index,) = pages(tmp_path)
    assert "No posts." in index.text


def test_a_document_that_cannot_be_drawn_ends_no_job(tmp_path):
    """Its card says why, the others stand; as a format of extract it is counted and recorded."""
    bad = [post(1).model_copy(update={"source": {"x": object()}}), post(2).model_copy(update={"mentions": (None,)})]
    (page,) = pages(tmp_path, *bad, post(3))
    assert ["data-failed" in a for a in page.find("article")] == [True, True, False]
    written = view.write_page([*bad, post(3)], tmp_path / "a.html")
    assert (written.documents, written.lost) == (3, 2) and "cannot be" in written.records[0].found
    page = Reader(tmp_path / "a.html")
    assert ["data-failed" in a for a in page.find("article")] == [True, True, False] and "number3" in page.text


def test_earlier_pages_are_replaced_and_nothing_else(tmp_path):
    assert len(pages(tmp_path / "v", *map(post, range(6)), per_page=2)) == 4
    assert len(pages(tmp_path / "v", post(1))) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("<p>my own page")
    with pytest.raises(CorpusError, match="holds something else"):
        pages(tmp_path / "mine", post(1))


def test_one_file_for_few_posts_only(tmp_path, monkeypatch):
    first, _ = view.write_view(lambda: map(post, range(3)), tmp_path / "a" / "b.html", "x")
    assert len(Reader(first).find("article")) == 3 and sorted(p.name for p in (tmp_path / "a").iterdir()) == ["b.html"]
    monkeypatch.setattr(view, "ONE_FILE", 2)
    with pytest.raises(CorpusError, match="Name a folder with --out"):
        view.write_view(lambda: map(post, range(3)), tmp_path / "b.html", "x")


@pytest.mark.parametrize("per_page", [50, 1])
def test_hostile_texts_stay_texts(per_page, tmp_path):
    """In ids, texts, labels, names of files, columns, errors and the title: no tag, script or link of theirs."""
    for page in pages(tmp_path, hostile(), post(2), per_page=per_page, title=BAD):
        tags = {tag for tag, _ in page.tags}
        assert not tags & {"iframe", "object", "embed", "link", "base", "svg", "template"}
        assert not [k for _, a in page.tags for k in a if k.startswith("on") or k in ("srcset", "srcdoc")]
        assert all(re.fullmatch(r"index\.html|page-\d+\.html", a["href"]) for a in page.find("a"))
        assert all(a["src"].startswith("data:image/") for a in page.find("img"))
        source, allowed = script("look.js", "view.js")
        assert page.scripts[-1] == source and len(page.scripts) == len(page.find("script")) <= 2
        (policy,) = [a["content"] for a in page.find("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; img-src data:;") and policy.endswith(f"; script-src {allowed}")
        assert "\x1b" not in page.text + "".join(page.scripts) and "\u202e" not in page.text + "".join(page.scripts)


def test_what_is_one_thing_lights_up_together(tmp_path):
    """A mention, the other mentions of its chain, its box, its ends of relations: one number, another for the rest."""
    document = Document(
        id="a",
        text="Ada Lovelace met Bo . Ada left",
        images=(Image(id="i", pixels=np.zeros((40, 40, 3), np.uint8)),),
        mentions=(
            Mention(id="x", start=0, end=12, label="PER"),
            Mention(id="y", start=17, end=19, label="PER"),
            Mention(id="z", start=22, end=25, label="PER"),
        ),
        chains=(Chain(id="c", mentions=("x", "z"), label="PER"),),
        relations=(Relation(head="c", tail="y", label="met"),),
        regions=(Region(image="i", box=(1, 1, 20, 20), of="c"), Region(image="i", box=(2, 2, 9, 9), label="dog")),
    )
    assert number_entities(document) == {"c": 1, "x": 1, "z": 1, "y": 2 + 1}
    (page,) = pages(tmp_path, document)
    assert [a["data-e"] for a in page.find("mark")] == ["1", "3", "1"]
    assert [a.get("data-e") for t, a in page.tags if "box" in (a.get("class") or "").split()] == ["1", None]
    chips = [a.get("data-e") for t, a in page.tags if (a.get("class") or "").startswith("chip")]
    assert chips == ["1", "3", "1", "1"]  # head and tail of the relation, then the chain
    assert '[data-e="3"]:is(:hover,:focus)) [data-e="3"]' in (tmp_path / "index.html").read_text()


def test_pictures_are_small_and_boxes_of_the_original(tmp_path):
    PIL.Image.effect_noise((2000, 1000), 50).convert("RGB").save(tmp_path / "big.jpg")
    image = Image(path=str(tmp_path / "big.jpg"), id="i")
    words = Region(image="i", box=(500, 250, 1000, 500), label="WORDS", text="EXIT")
    (page,) = pages(tmp_path / "v", Document(id="a", images=(image,), regions=(words,)))
    ((shown),) = page.find("img")
    size = PIL.Image.open(io.BytesIO(base64.b64decode(shown["src"].partition(",")[2]))).size
    assert size == (view.LONGEST, view.LONGEST // 2) and (shown["width"], shown["height"]) == ("2000", "1000")
    ((box),) = [a for t, a in page.tags if "words" in (a.get("class") or "").split()]
    assert box["style"] == "left:25%;top:25%;right:50%;bottom:50%" and box["title"] == "EXIT" and "EXIT" in page.text


def test_where_it_comes_from_and_the_columns_of_a_user(tmp_path):
    (page,) = pages(tmp_path, *stamp([post(1).replace(source={"url": URL, "likes": 3})], TOLD))
    assert page.text.count("openmie-base 1.0, 2026-11-30 10:40 UTC") == 2 and URL in page.text and "likes" in page.text


def test_a_notebook_shows_a_card():
    """The rules hold below one class, so that the notebook keeps its own look; nothing runs."""
    html = hostile()._repr_html_()
    style = re.search("<style>(.*?)</style>", html, re.S)[1]
    depth, outside = 0, ""
    for c in style:
        outside += c if depth == 0 else ""
        depth += (c == "{") - (c == "}")
    assert outside == ".openmie{" and depth == 0
    assert "<script" not in html.replace("&lt;script", "") and "<img src=x" not in html and "\u202e" not in html


def run(*words):
    return CliRunner().invoke(cli.app, [str(w) for w in words])


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "conll", "folder"])
def test_the_command_reads_what_extract_writes(kind, tmp_path):
    name = tmp_path / ("r" if kind == "folder" else f"r.{kind}")
    if kind == "folder":
        name.mkdir()
        for number in (1, 2):
            registry.write([post(number)], name / f"part-{number}.jsonl")
    else:
        registry.write([post(1), post(2)], name)
    said = run("view", name, "--no-open")
    pages = tmp_path / ("r-pages")
    assert said.exit_code == 0 and f"2 posts, 2 mentions, 0 failed. {pages / 'index.html'}" in said.stderr, said.stderr
    assert len(Reader(pages / "index.html").find("article")) == 2


def test_what_cannot_be_read_is_on_the_page_and_told(tmp_path):
    (tmp_path / "r.jsonl").write_text(post(1).to_json() + "\nno json\n")
    said = run("view", tmp_path / "r.jsonl", "--out", tmp_path / "p", "--no-open")
    assert said.exit_code == cli.PARTIAL and "r.jsonl:2" in said.stderr and "1 failed" in said.stderr
    assert "data-failed" in (tmp_path / "p" / "index.html").read_text()
    assert "no such file or folder" in str(run("view", tmp_path / "none.jsonl").exception)


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_find_and_filter_in_a_browser(tmp_path):
    """The script runs under the policy and hides what does not fit; nothing of a post runs."""
    pages(tmp_path, hostile(), post(1), post(2), post(3), title=BAD)
    file = (tmp_path / "index.html").as_uri() + "#q=ADA+number&label=PER"
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000")
    ran = subprocess.run([BROWSER, *flags, "--dump-dom", file], capture_output=True, text=True, timeout=300)
    (tmp_path / "dom.html").write_text(ran.stdout)
    seen = Reader(tmp_path / "dom.html")
    assert [("hidden" in a) for a in seen.find("article")] == [True, False, True, False]
    assert "2 of 4" in seen.text and "hidden" not in seen.find("form")[0]
    assert "<title>owned" not in ran.stdout


@pytest.mark.parametrize("out", ["found", "found.jsonl", "found.html"])
def test_from_posts_to_pages(out, tmp_path, monkeypatch):
    """What extract writes, a folder, a file or a page, with a photograph beside the posts."""
    monkeypatch.setattr(loading, "shipped", stub_base)
    monkeypatch.chdir(tmp_path)
    PIL.Image.new("RGB", (30, 20), "red").save("a.png")
    Path("posts.jsonl").write_text('{"text": "Ada Lovelace in Turin", "image": "a.png", "url": "u-u"}\nno json\n')
    assert run("extract", "posts.jsonl", "--out", out).exit_code == cli.PARTIAL
    if out.endswith(".html"):
        page = Reader(Path(out))
    else:
        assert run("view", out, "--no-open").exit_code == cli.PARTIAL  # of the row that is no JSON
        page = Reader(Path("found-pages") / "index.html")
    assert ["data-failed" in a for a in page.find("article")] == [False, True]
    assert len(page.find("mark")) == 2 and len(page.find("img")) == 1 and "u-u" in page.text and "stub 7" in page.text
