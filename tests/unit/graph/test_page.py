"""The page of a neighbourhood: what is on it, escaped, with faces, and nothing that a browser would fetch or run."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.errors import OpenMIEError
from openmie.graph import build_graph, write_neighbourhood
from openmie.graph.layout import HEIGHT, LEAST, WIDTH, place_entities
from openmie.graph.link_labels import LinkCurve, place_link_labels
from openmie.graph.neighbourhood import find_entity, read_neighbourhood
from openmie.graph.page import link_curve, link_path
from openmie.graph.query import open_store
from tests.fixtures.graph_results import HOSTILE, hostile


def post(id, people, relation="", image=""):
    """A post that names people, all seen side by side in its image."""
    text, mentions = " and ".join(people), []
    for i, name in enumerate(people):
        start = len(" and ".join(people[:i])) + 5 * (i > 0)
        mentions.append(Mention(id=f"m{i}", start=start, end=start + len(name), label="PER"))
    regions = [Region(image="i", box=(20 * i, 0, 20 * i + 16, 40), of=f"m{i}", label="PER") for i in range(len(people))]
    relations = (Relation(head="m0", tail="m1", label=relation),) if relation else ()
    images = (Image(path=image, id="i", width=60, height=40),)
    return Document(
        id=id, text=text, mentions=tuple(mentions), relations=relations, images=images, regions=tuple(regions)
    )


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    Picture.fromarray(np.full((40, 60, 3), (200, 30, 30), np.uint8)).save(folder / "a.png")
    documents = [
        post("one", ["Ada", "Bo"], "knows", str(folder / "a.png")),
        post("two", ["Ada", "Cy"], "", str(folder / "missing.png")),
        post("three", ["Cy", "Dee"], "knows"),
        post(f"four{HOSTILE}", ["Ada", HOSTILE.replace("\n", " ")], HOSTILE),
        hostile(),
    ]
    build_graph(documents, folder / "graph", ["oxigraph"])
    return folder / "graph"


def test_what_surrounds_an_entity(graph):
    store = open_store(graph)
    found = read_neighbourhood(store, find_entity(store, "ada"))
    assert {e.name for e in found.entities.values()} == {"Ada", "Bo", "Cy", HOSTILE.replace("\n", " ")}
    links = {(found.entities[x.head].name, x.label, found.entities[x.tail].name) for x in found.links}
    assert {("Ada", "knows", "Bo"), ("Ada", "", "Bo"), ("Ada", "", "Cy")} < links
    assert [p.id for p in found.posts if p.id in ("one", "two", "three")] == ["one", "two"]
    wider = read_neighbourhood(store, find_entity(store, "PER/ada"), steps=2)
    assert "Dee" in {e.name for e in wider.entities.values()}
    fewer = read_neighbourhood(store, found.centre, most=2)
    assert len(fewer.entities) == 2 and fewer.left_out == 2


def test_a_name_that_is_not_there(graph):
    with pytest.raises(OpenMIEError) as error:
        find_entity(open_store(graph), "Adaa")
    assert "did you mean 'Ada'?" in str(error.value).lower().replace("'ada'", "'Ada'")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.links += [v for k, v in attributes if k in ("src", "href", "xlink:href", "action", "data")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_fetches_and_runs_nothing_of_a_document(graph, tmp_path):
    write_neighbourhood(graph, "Ada", tmp_path / "p.html", image_dir=graph.parent)
    page = (tmp_path / "p.html").read_text(encoding="utf8")
    tags = Tags()
    tags.feed(page)
    assert [tag for tag, _ in tags.tags].count("script") == 1 and "alert(1)" in page and "<script>alert" not in page
    assert all(link.startswith(("#", "data:image/")) for link in tags.links)
    assert not [k for _, attributes in tags.tags for k in attributes if k.startswith("on")]
    policy = next(a["content"] for tag, a in tags.tags if tag == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy and re.search(r"script-src 'sha256-[\w+/=]+'$", policy)
    assert "\u202e" not in page and "\x01" not in page
    assert re.search(r'<a href="#e\d+">Ada</a>', page) and page.count("data:image/") >= 2
    anchors = {a["id"] for _, a in tags.tags if "id" in a}
    assert {link[1:] for link in tags.links if link[0] == "#"} <= anchors
    write_neighbourhood(graph, "Ada", tmp_path / "again.html", image_dir=graph.parent)
    assert (tmp_path / "again.html").read_text(encoding="utf8") == page


def test_images_outside_the_named_folders_are_not_read(graph, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write_neighbourhood(graph, "Ada", tmp_path / "p.html").unread == 3
    assert "data:image/" not in (tmp_path / "p.html").read_text(encoding="utf8")


@pytest.mark.parametrize("number", [1, 2, 3, 9, 25])
def test_no_two_entities_overlap(number):
    names = [f"e{i}" for i in range(number)]
    places = place_entities(names, [(names[0], name) for name in names[1::2]], names[0])
    assert set(places) == set(names)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places.values())
    pairs = [(a, b) for i, a in enumerate(places.values()) for b in list(places.values())[i + 1 :]]
    assert all(math.hypot((a[0] - b[0]) / LEAST[0], (a[1] - b[1]) / LEAST[1]) > 0.6 for a, b in pairs)


def test_arrows_end_outside_of_names():
    """From below through the name: under it; from the side and from above: at the edge of the disc."""
    for head, end in (((50, 300), (50, 152)), ((400, 100), (131, 100)), ((50, -200), (50, 69))):
        path = link_path(link_curve(head, (50 if head[0] == 50 else 100, 100), 0), 26, 60)
        assert path.split()[-2:] == [str(v) for v in end]


def test_labels_of_links_give_way():
    """To a node in the middle of a link, and to the label of a link that crosses it; one without a label takes none."""
    along, down = LinkCurve((0, 50), (50, 50), (100, 50)), LinkCurve((50, 0), (50, 50), (50, 100))
    assert along.at(0.5) == (50, 50) and along.at(0) == (0, 50) and down.at(1) == (50, 100)
    assert place_link_labels([along], [20], []) == [0.5]
    assert place_link_labels([along, down, down], [20, 0, 20], []) == [0.5, 0.5, 0.34]
    (share,) = place_link_labels([along], [20], [(40, 40, 60, 60)])
    assert abs(along.at(share)[0] - 50) >= 20
