"""Takes the pictures of the guides anew, in headless Chromium: `python docs/build/screenshots.py`.

Needs the extras `models`, `serve` and `graph`, Playwright, and a Chromium on the path. The pictures: the page of
`openmie serve`, wide, and narrow in the dark scheme; `openmie view`; `openmie graph page`. Look at each of them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from playwright.sync_api import sync_playwright

from openmie import diorama
from openmie.client import Client
from openmie.data.document import Document, Image
from openmie.graph import build_graph, query_graph, write_neighbourhood
from openmie.report.view import write_view

DOCS = Path(__file__).resolve().parents[1]
PHOTOGRAPH = DOCS / "collins.jpg"
POST = (
    "Eileen Collins, the first woman to command a Space Shuttle, poses for NASA with a model of the orbiter. "
    "Collins was born in Elmira, New York."
)
LINKED = """SELECT ?e (COUNT(?o) AS ?links) { ?e a mie:Entity ; mie:label "PER" ; ?p ?o . ?p a rdf:Property }
GROUP BY ?e ORDER BY DESC(?links) ?e LIMIT 1"""
COLUMN, GAP = 1240, 20  # pixels: height of a column of the narrow page, and between two of them


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """openmie-base as a service: its address, and its token."""
    command = [sys.executable, "-m", "openmie", "serve", "--port", "0", "--annotations", str(folder / "gold")]
    env = {name: value for name, value in os.environ.items() if name != "OPENMIE_TOKEN"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as run:
        try:
            assert run.stdout is not None
            found = re.search(r"(http://\S+?)/#token=(\S+)", run.stdout.readline())
            assert found, "no service"
            yield found[1], found[2]
        finally:
            run.terminate()


def save(pixels: Pillow.Image, folder: Path, name: str) -> None:
    """Write a picture as WebP."""
    pixels.convert("RGB").save(folder / f"{name}.webp", quality=82, method=6)
    print(f"{name}.webp: {pixels.width} x {pixels.height}, {(folder / f'{name}.webp').stat().st_size >> 10} KiB")


def taken(page: Any, whole: bool = False) -> Pillow.Image:
    """What a page shows."""
    return Pillow.open(BytesIO(page.screenshot(full_page=whole)))


def extract(page: Any, address: str, token: str) -> None:
    """Open the page, and extract from the post with its photograph."""
    page.goto(f"{address}/#token={token}")
    page.wait_for_selector("#model option", state="attached")
    page.fill("#text", POST)
    page.set_input_files("#photograph", PHOTOGRAPH)
    page.click("#extract")
    page.wait_for_selector("#card mark")


def take_page(browser: Any, address: str, token: str, out: Path) -> None:
    """The page, wide; and narrow and dark, as three columns: what is asked, what was found, and what is corrected."""
    page = browser.new_page(viewport={"width": 1080, "height": 1500})
    extract(page, address, token)
    page.hover("#card mark >> nth=0")
    page.evaluate("scrollTo(0, 0)")
    save(taken(page), out, "page")
    page.close()
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    extract(page, address, token)
    page.click("#mention-list .named >> nth=0")
    page.evaluate("scrollTo(0, 0)")
    tops = [0, *(int(page.locator(at).bounding_box()["y"]) - 16 for at in ("#result-title", "#review-title"))]
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == 360, f"the page is {wide} pixels wide"
    whole = taken(page, whole=True)
    joined = Pillow.new("RGB", (3 * 360 + 2 * GAP, COLUMN), "white")
    for n, (top, end) in enumerate(zip(tops, (*tops[1:], whole.height))):
        joined.paste(whole.getpixel((1, 1)), (n * (360 + GAP), 0, n * (360 + GAP) + 360, COLUMN))
        joined.paste(whole.crop((0, top, 360, min(top + COLUMN, end))), (n * (360 + GAP), 0))
    save(joined, out, "page-narrow")
    page.close()


def take_view(browser: Any, client: Client, folder: Path, out: Path) -> None:
    """A card of `openmie view`, with the pointer at the first entity."""
    post = Document(id="collins", text=POST, images=[Image(path=str(PHOTOGRAPH))])
    documents = list(client.predict([post]))
    write_view(lambda: iter(documents), folder / "view", "result")
    page = browser.new_page(viewport={"width": 1080, "height": 800})
    page.goto((folder / "view" / "index.html").as_uri())
    page.hover(".post mark >> nth=0")
    save(taken(page), out, "view")
    page.close()


def take_graph(browser: Any, folder: Path, out: Path) -> None:
    """The neighbourhood of the person of Diorama who has most relations."""
    made = diorama.generate(diorama.Config(documents=True), "test", 3)
    lines = diorama.save(made, folder).read_text(encoding="utf8").splitlines()
    documents = [Document.from_json(line) for line in lines]
    os.chdir(folder)  # which paths of images are relative to
    build_graph(documents, "graph", ["oxigraph"])
    entity = query_graph("graph", LINKED)[0]["e"]
    write_neighbourhood("graph", entity, "entity.html")
    page = browser.new_page(viewport={"width": 1040, "height": 1050})
    page.goto((folder / "entity.html").as_uri())
    save(taken(page), out, "graph")
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=DOCS / "guides")
    out = parser.parse_args().out.resolve()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        raise SystemExit("no Chromium on the path")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        folder = Path(name)
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--hide-scrollbars"])
        with served(folder) as (address, token), Client(address, token) as client:
            take_page(browser, address, token, out)
            take_view(browser, client, folder, out)
        take_graph(browser, folder, out)
        browser.close()


if __name__ == "__main__":
    main()
