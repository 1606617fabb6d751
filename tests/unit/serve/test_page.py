"""The page in a browser: from a pasted post to gold annotation, by pointer and by keyboard; nothing of a post runs."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import PIL.Image
import pytest

from openmie import report
from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.graph import build_graph, write_neighbourhood
from openmie.report import Bars, Curves, Table
from openmie.report.view import write_view
from openmie.serve.served_model import ModelQuery, ServedBase
from tests.fixtures.base_stub import stub_base, stub_photographs
from tests.fixtures.injections import INJECTIONS
from tests.fixtures.serving import TOKEN, WordsModel, application, running
from tests.unit.serve.test_annotations import hostile

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
TEXT = "🙂 Ada Lovelace met Bo in Turin. Ada wrote in 1843."
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class HostileModel(WordsModel):
    """Predicts `hostile` in whatever it is asked, on the picture of the post."""

    def query(self, labels, relations, threshold):
        return ModelQuery(key="", predict=lambda documents: [self.predicted(d) for d in documents])

    def predicted(self, document):
        bad = hostile(document.text).replace(id=document.id, images=document.images)
        return bad.replace(regions=tuple(r.model_copy(update={"image": document.images[0].id}) for r in bad.regions))


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    base = ServedBase(stub_base(stub_photographs("NASA")).with_query(["PER", "LOC", "TIME"], ["spouse"]))
    models = {"base": base, "hostile": HostileModel()}
    with running(application(models, annotations=folder / "gold")) as (address, _):
        PIL.Image.new("RGB", (400, 300), "#789").save(folder / "photo.png")
        (folder / "frames").mkdir()
        for i in range(1, 13):
            shutil.copyfile(folder / "photo.png", folder / "frames" / f"f{i}.png")
        yield address, folder


@contextmanager
def opened(browser, address, query="", slow="", **settings):
    """A page with the token, whose errors and requests are kept; requests of `slow` wait in `held`."""
    context = browser.new_context(accept_downloads=True, **settings)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.wrong, page.asked, page.held = [], [], []
    if slow:
        page.route(slow, lambda route: page.held.append(route))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("dialog", lambda dialog: page.wrong.append("dialog"))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{address}/#token={TOKEN}{query}")
    page.wait_for_selector("#model option", state="attached")
    yield page
    assert not page.wrong and all(url.startswith((f"{address}/", "blob:")) for url in page.asked)
    context.close()


def extract(page, folder, text=TEXT, picture="photo.png"):
    page.fill("#text", text)
    if picture:
        page.set_input_files("#photograph", folder / picture)
    page.press("#text", "Control+Enter")
    page.wait_for_selector("#card mark")


def violations(page) -> list:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in axe.run(page, options=AXE)["violations"]]


def until(page, holds: str) -> None:
    """Wait until something holds; the policy of the page lets no function of Playwright's wait in it."""
    for _ in range(600):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(holds)


def marks(page) -> list[tuple[str, str]]:
    script = "m => [m.firstChild.textContent, m.querySelector('.label').textContent, m.checkVisibility()]"
    return [tuple(m) for m in page.eval_on_selector_all("#card mark", f"all => all.map({script})")]


def download(page, name):
    with page.expect_download() as made:
        page.click(f"[data-format={name}]")
    return made.value.path().read_text(encoding="utf8")


def select_text(page, start, end):
    """Select words of the card's text, as a pointer does."""
    script = """([start, end]) => {
      const text = document.querySelector("#card .text"), walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const node = walk.currentNode, at = node.data.indexOf(start);
        if (at < 0) continue;
        getSelection().setBaseAndExtent(node, at, node, node.data.indexOf(end) + end.length);
        return;
      }
    }"""
    page.evaluate(script, [start, end])


def saved(folder) -> list[Document]:
    return [Document.from_json(line) for line in (folder / "gold" / "train.jsonl").read_bytes().splitlines()]


def test_from_a_post_to_a_download(browser, service):
    """Extracted, shown, lit, hidden by score without a request, downloaded, and linked without its text."""
    address, folder = service
    with opened(browser, address, viewport={"width": 1100, "height": 900}) as page:
        assert TOKEN not in page.url
        extract(page, folder)
        assert [m[:2] for m in marks(page)] == [
            ("Ada Lovelace", "PER"), ("Bo", "PER"), ("Turin", "LOC"), ("Ada", "PER"), ("1843", "TIME")]  # fmt: skip
        assert page.locator("#card .box").count() == 2 and page.locator("#card .arcs path.head").count()
        ada = page.get_attribute("#card mark >> nth=0", "data-e")
        lit = f"""getComputedStyle(document.querySelector('#card .chip[data-e="{ada}"]')).getPropertyValue('--share')"""
        assert page.evaluate(lit) == "15%"
        page.hover("#card mark >> nth=0")
        assert page.evaluate(lit) == "45%"
        asked = [url for url in page.asked if "/v1/" in url]
        page.fill("#least", "0.7")
        badges = "all => all.filter(m => m.querySelector('.badge').checkVisibility()).length"
        assert page.eval_on_selector_all("#card mark", badges) == 4  # without the year
        assert [url for url in page.asked if "/v1/" in url] == asked
        document = Document(**json.loads(download(page, "json")))
        assert [m.text for m in document.mentions] == ["Ada Lovelace", "Bo", "Turin", "Ada"]
        assert '"Ada Lovelace"' in download(page, "csv") and "1843" not in page.inner_text("#mention-list")
        assert "@prefix" in (turtle := download(page, "ttl")) and '"Ada Lovelace"' in turtle
        assert violations(page) == []
        drop = """() => {
          const given = new DataTransfer();
          given.items.add(new File(["x"], "dropped.png", { type: "image/png" }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: given, cancelable: true }));
        }"""
        page.evaluate(drop)
        until(page, "document.getElementById('chosen').textContent === 'dropped.png'")
        page.set_input_files("#frames", folder / "frames")  # of 12, evenly 8, in the order of their numbers
        until(page, "document.querySelectorAll('#thumbs img').length === 8")
        assert page.inner_text("#chosen") == ", ".join(f"f{i}.png" for i in (1, 2, 4, 5, 7, 8, 10, 11)) + (
            ". 4 more than 8 pictures are left out."
        )
        page.click("#extract")
        until(page, "document.querySelectorAll('#card img').length === 8")
        assert page.inner_text("#card figcaption >> nth=0") == "Frame image"
        assert "least=0.7" in page.url and "Ada" not in page.url and TOKEN not in page.url


@pytest.mark.slow
def test_a_correction_is_undone_saved_and_kept_apart_in_two_tabs(browser, service):
    """Type, span, box, accept and reject; undo; what another tab saved is not overwritten, but can be opened."""
    address, folder = service
    with opened(browser, address, color_scheme="dark", viewport={"width": 360, "height": 740}) as page:
        extract(page, folder)
        page.fill("#row-mention-2 input", "CITY")
        page.press("#row-mention-2 input", "Enter")
        until(page, "document.querySelectorAll('#card mark .label')[2].textContent === 'CITY'")
        page.focus("#card mark >> nth=4")
        page.keyboard.press("Delete")
        until(page, "document.querySelectorAll('#card mark').length === 4")
        for keys, left in (("Control+z", 5), ("Control+Shift+z", 4), ("Control+z", 5), ("Control+y", 4)):
            page.keyboard.press(keys)
            until(page, f"document.querySelectorAll('#card mark').length === {left}")
        page.click("#undo")
        until(page, "document.querySelectorAll('#card mark').length === 5")
        select_text(page, " met", "met ")
        page.fill("#new-label", "VERB")
        page.click("#add-mention")
        until(page, "document.querySelectorAll('#card mark').length === 6")
        page.click("text=end ▸")  # the entity is "met Bo" now, which holds another
        until(page, "document.querySelectorAll('#card mark mark').length === 1")
        page.click("text=Draw box")
        page.keyboard.press("Escape")
        assert page.locator("#card .drawing").count() == 0
        page.click("text=Draw box")
        assert page.locator("#card .drawing").count() == 1
        frame = page.locator("#card .boxed")
        size = frame.bounding_box()
        frame.hover(position={"x": size["width"] / 4, "y": size["height"] / 4})
        page.mouse.down()
        frame.hover(position={"x": size["width"] / 2, "y": size["height"] / 2})
        page.mouse.up()
        until(page, "document.querySelectorAll('#card .box').length === 3")
        page.keyboard.press("Control+s")
        until(page, "document.getElementById('saving').textContent.startsWith('Saved at')")
        (gold,) = saved(folder)
        assert [(m.text, m.label) for m in gold.mentions if m.label in ("CITY", "VERB")] == [
            ("met Bo", "VERB"), ("Turin", "CITY")]  # fmt: skip
        (box,) = [r.box for r in gold.regions if r.label == "VERB"]
        assert box == pytest.approx((100, 75, 200, 150), abs=2)
        assert all(part.score is None for layer in (gold.mentions, gold.relations, gold.regions) for part in layer)
        assert violations(page) == [] and page.evaluate("document.documentElement.scrollWidth") <= 360
        other = page.context.new_page()
        other.goto(f"{address}/#token={TOKEN}")
        other.click("#stored-list button")
        other.wait_for_selector("#card mark")
        page.click("[aria-label='Reject entity 1843']")  # saved by itself, as the document was saved before
        until(page, "document.getElementById('saving').textContent.startsWith('Saved at')")
        assert len(saved(folder)[0].mentions) == 5
        other.click("[aria-label='Reject entity Bo']")
        other.wait_for_selector("#open-stored:visible")
        assert "saved meanwhile" in other.inner_text("#saving") and len(saved(folder)[0].mentions) == 5
        other.click("#open-stored")
        until(other, "document.querySelectorAll('#card mark').length === 5")
        page.reload()
        until(page, "document.querySelectorAll('#card mark').length === 5")
        assert page.eval_on_selector("#card img", "image => image.naturalWidth") == 400
        page.click("#stored-list li >> text=Delete")
        assert violations(page) == [] and len(saved(folder)) == 1  # it asks first
        page.click("text=Delete for good")
        page.wait_for_selector("#stored", state="hidden")
        assert not saved(folder) and page.locator("#card mark").count() == 5
        page.keyboard.press("Control+s")  # what is open can be saved again, with its picture
        until(page, "document.getElementById('saving').textContent.startsWith('Saved at')")
        assert (folder / "gold" / saved(folder)[0].images[0].path).is_file()


def test_what_is_opened_while_the_page_starts_is_not_replaced_by_its_draft(browser, service):
    address, folder = service
    picture = Image(id="main", path="/elsewhere/photo.png", width=400, height=300)
    seen = Document(id="one", text="Ada in Rome", images=(picture,))
    (folder / "early.jsonl").write_text(seen.to_json(), encoding="utf8")
    with opened(browser, address, slow="**/v1/annotations") as page:
        page.set_input_files("#results-file", [folder / "early.jsonl", folder / "photo.png"])
        until(page, "document.querySelector('#card img')?.naturalWidth === 400")
        until(page, "sessionStorage.length > 0")
        page.held[0].continue_()
        page.wait_for_timeout(300)
        assert page.evaluate("document.querySelector('#card img')?.naturalWidth") == 400


def test_results_are_shown_and_corrected(browser, service):
    """JSON lines with their pictures: each post in turn, corrections stay, one is saved; a bad line is told."""
    address, folder = service
    ada = Mention(id="m0", start=0, end=3, label="PER", score=0.9)
    picture = Image(id="main", path="/elsewhere/photo.png", width=400, height=300)
    seen = Region(image="main", box=(10, 10, 90, 90), label="PER", of="m0", score=0.8)
    posts = [
        Document(id="one", text="Ada in Rome", images=(picture,), mentions=(ada,), regions=(seen,)),
        Document(id="two", text="Ada & <b>Bo</b>", mentions=(ada,)),
    ]
    lines = "\n".join([*(post.to_json() for post in posts), "no json"])
    (folder / "results.jsonl").write_text(lines, encoding="utf8")
    with opened(browser, address) as page:
        page.set_input_files("#results-file", [folder / "results.jsonl", folder / "photo.png"])
        until(page, "document.querySelector('#card img')?.naturalWidth === 400")
        assert marks(page) == [("Ada", "PER", True)] and page.locator("#card .box").count() == 1
        assert page.inner_text("#results-told") == "2 posts. 1 lines are no Documents." and violations(page) == []
        page.fill("#row-mention-0 input", "WRITER")
        page.press("#row-mention-0 input", "Enter")
        until(page, "document.querySelector('#card mark .label').textContent === 'WRITER'")
        page.click("#results-list button >> nth=1")
        until(page, "document.querySelector('#card .text').textContent.includes('<b>Bo</b>')")
        page.click("#results-list button >> nth=0")
        until(page, "document.querySelector('#card mark .label').textContent === 'WRITER'")
        page.click("#save")
        until(page, "document.getElementById('saving').textContent.startsWith('Saved at')")
        gold = next(document for document in saved(folder) if document.text == "Ada in Rome")
        assert gold.mentions[0].label == "WRITER" and (folder / "gold" / gold.images[0].path).is_file()
        drop = """text => {
          const given = new DataTransfer();
          given.items.add(new File([text], "dropped.jsonl"));
          dispatchEvent(new DragEvent("drop", { dataTransfer: given, cancelable: true }));
        }"""
        page.evaluate(drop, posts[1].to_json())
        until(page, "document.querySelectorAll('#results-list li').length === 1")
        until(page, "document.querySelector('#card .text').textContent.includes('<b>Bo</b>')")


def test_sixty_injections_run_nowhere(browser, service):
    """In text, labels, relations, ids, captions, words of boxes and the file's name: all of them are seen as texts."""
    address, folder = service
    name = "<img src=x onerror=window.owned=1>.png"
    shutil.copyfile(folder / "photo.png", folder / name)
    with opened(browser, address, "&model=hostile&labels=" + "%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E") as page:
        before = page.evaluate("document.scripts.length")
        extract(page, folder, text="\n".join(INJECTIONS), picture=name)
        page.click("#mention-list .named >> nth=1")
        page.wait_for_selector("#row-mention-1.chosen")
        assert page.evaluate("[window.owned, document.title, document.scripts.length]") == [None, "openmie", before]
        assert page.locator("main :is(iframe, object, embed, base, meta, form form, svg script)").count() == 0
        assert page.evaluate(
            "[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => !a.name.startsWith('on')))"
        )
        shown = page.inner_text("#card")
        assert all(bad in shown for bad in INJECTIONS if bad.isprintable())
        assert page.inner_text("#chosen") == name


def test_pages_of_a_view_are_drawn_alike(browser, tmp_path):
    """Arcs, chains and scores of `openmie view` by the same script, and no violation of the rules of access."""
    ada, bo = (
        Mention(id=n, start=s, end=s + len(n), label="PER", score=p) for n, s, p in (("Ada", 0, 0.9), ("Bo", 8, 0.4))
    )
    layers = {"mentions": (ada, bo), "relations": (Relation(head="Ada", tail="Bo", label="met"),)}
    layers["regions"] = (Region(image="i", box=(1, 1, 8, 8), label="PER", of="Ada", score=0.8),)
    picture = Image(id="i", pixels=np.zeros((9, 9, 3), np.uint8))
    posts = [Document(id=f"p{i}", text="Ada met Bo", images=(picture,), **layers) for i in range(2)]
    write_view(lambda: iter(posts), tmp_path, "result")
    page = browser.new_page(viewport={"width": 900, "height": 700})
    page.goto((tmp_path / "index.html").as_uri())
    assert page.locator(".arcs path.head").count() == 2 and violations(page) == []
    value = "e => getComputedStyle(e).getPropertyValue('--share') + getComputedStyle(e).getPropertyValue('--edge')"
    ends = {"mark": "#p1 mark >> nth=0", "box": "#p1 .box"}
    for one, other, lit in (("mark", "box", "4px"), ("box", "mark", "45%")):
        page.hover("h1")
        assert lit not in page.eval_on_selector(ends[other], value)
        page.hover(ends[one])
        assert lit in page.eval_on_selector(ends[other], value)
    page.fill("#least", "0.5")
    assert page.locator(".arcs path.head").count() == 0 and page.locator("tr.faint").count() == 2
    page.close()


def test_labels_of_arcs_hide_no_word(browser, tmp_path):
    """Of relations whose ends are several lines apart, on a narrow screen: labels stand between the lines."""
    text = "Eileen Collins, the first woman to command a Space Shuttle, poses for NASA with a model in Elmira"
    ends = [
        Mention(id=name, start=text.index(name), end=text.index(name) + len(name), label="X")
        for name in ("Eileen Collins", "NASA", "Elmira")
    ]
    relations = [Relation(head=a.id, tail=b.id, label="member of") for a, b in ((ends[0], ends[1]), (ends[2], ends[0]))]
    write_view(lambda: iter([Document(id="p", text=text, mentions=ends, relations=relations)]), tmp_path, "result")
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto((tmp_path / "index.html").as_uri())
    hidden = """() => {
      const range = document.createRange(), found = [];
      const words = document.createTreeWalker(document.querySelector(".text"), NodeFilter.SHOW_TEXT);
      const labels = [...document.querySelectorAll(".arcs text")].map(label => label.getBoundingClientRect());
      const over = (a, b) => a.left < b.right && b.left < a.right && a.top + 5 < b.bottom && b.top + 5 < a.bottom;
      while (words.nextNode()) {
        if (words.currentNode.parentElement.closest(".arcs")) continue;
        range.selectNodeContents(words.currentNode);
        if ([...range.getClientRects()].some(line => labels.some(label => over(line, label))))
          found.push(words.currentNode.data);
      }
      return [labels.length, found];
    }"""
    assert page.evaluate(hidden) == [2, []]
    page.close()


def test_reports_and_graphs_have_no_violation(browser, tmp_path):
    """The rules of access on `report.html`, light and dark, and on the page of a neighbourhood."""
    pytest.importorskip("pyoxigraph", reason="pyoxigraph is not installed")
    ada, bo = (Mention(id=name, start=s, end=s + len(name), label="PER") for name, s in (("Ada", 0), ("Bo", 8)))
    gold = Document(
        id="p", text="Ada met Bo", mentions=(ada, bo), relations=(Relation(head="Ada", tail="Bo", label="met"),)
    )
    charts = [Table(title="t", columns=["a", "b"], rows=[["x", 1.0]]), Bars(title="b", bars={"x": 3}, lines={"top": 9})]
    lines = [Curves(title="c", x="step", y="loss", lines={"loss": [(0, 1), (1, 0.5)]})]
    documents = [(gold, gold.replace(mentions=(ada,), relations=()))]
    report.write(tmp_path / "report.html", title="r", tables=charts, curves=lines, documents=documents, notes=["n"])
    build_graph([gold], tmp_path / "graph", ["oxigraph"])
    write_neighbourhood(tmp_path / "graph", "Ada", tmp_path / "ada.html")
    page = browser.new_page(viewport={"width": 900, "height": 700})
    for name, scheme in (
        ("report.html", "light"),
        ("report.html", "dark"),
        ("ada.html", "light"),
        ("ada.html", "dark"),
    ):
        page.emulate_media(color_scheme=scheme)
        page.goto((tmp_path / name).as_uri())
        assert violations(page) == [], (name, scheme)
    page.close()
