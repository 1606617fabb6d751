"""Gold that the page saves: whole files, versions that no tab overwrites, and a corpus that trains."""

from __future__ import annotations

import base64
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import pytest
from starlette.testclient import TestClient

from openmie import corpora
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.data.folder_lock import hold_folder
from openmie.report.comparison import compare
from openmie.report.posts import render_cards
from openmie.serve import openapi
from openmie.serve.card_tree import card_tree
from tests.fixtures import adversarial_inputs
from tests.fixtures.injections import INJECTIONS
from tests.fixtures.serving import HEADERS, application

DOT = openapi.DOT


@pytest.fixture
def client(tmp_path):
    with TestClient(application(annotations=tmp_path / "gold"), headers=HEADERS) as opened:
        opened.folder = tmp_path / "gold"
        yield opened


def found(text="Ada in Turin", **layers) -> dict:
    ada = Mention(id="m0", start=0, end=3, label="PER", score=0.5)
    return json.loads(Document(**{"id": "post", "text": text, "mentions": (ada,), **layers}).to_json())


def save(client, document, version="", images=None):
    body = {"document": document, "version": version, "images": images or {}}
    return client.post("/v1/annotations", json=body)


def with_image() -> dict:
    regions = (Region(image="main", box=(0, 0, 1, 1), label="PER", of="m0", score=0.4),)
    return found(images=(Image(id="main", width=1, height=1),), regions=regions)


def test_what_is_saved_is_a_corpus(client):
    """Without scores, with the picture's file beside it."""
    saved = save(client, with_image(), images={"main": DOT}).json()
    corpus = corpora.load(f"jsonl:{client.folder}")
    (gold,) = corpus.train
    assert [(m.text, m.label, m.score) for m in gold.mentions] == [("Ada", "PER", None)]
    assert gold.regions[0].score is None and not gold.errors
    (image,) = gold.images
    assert (client.folder / image.path).read_bytes() == base64.b64decode(DOT)
    stored = saved["document"]["images"][0]["path"]
    assert client.get(f"/v1/annotations/{stored}").content == base64.b64decode(DOT)


def test_a_change_is_saved_over_the_version_that_it_changes(client):
    first = save(client, found()).json()
    gold = {**first["document"], "mentions": []}
    second = save(client, gold, first["version"])
    assert second.status_code == 200 and second.json()["version"] != first["version"]
    listed = client.get("/v1/annotations").json()["annotations"]
    assert [(e["id"], e["version"], e["mentions"]) for e in listed] == [(gold["id"], second.json()["version"], 0)]
    opened = client.get("/v1/annotations/document", params={"id": gold["id"]}).json()
    assert opened["version"] == second.json()["version"] and "mentions" not in opened["document"]


def test_two_tabs_do_not_overwrite_each_other(client):
    """The second to save a version is refused, and so is who saves the same post as a new one; nothing is lost."""
    first = save(client, found()).json()
    mine, theirs = ({**first["document"], "summary": who} for who in ("mine", "theirs"))
    assert save(client, mine, first["version"]).status_code == 200
    before = (client.folder / "train.jsonl").read_bytes()
    for document, version in ((theirs, first["version"]), ({**theirs, "id": "post"}, "")):
        refused = save(client, document, version)
        assert refused.status_code == 409 and refused.json()["where"] == f"document {mine['id']}"
    assert (client.folder / "train.jsonl").read_bytes() == before
    assert save(client, mine, first["version"]).status_code == 200  # again: the answer was lost on its way


def test_a_saved_post_is_deleted_with_the_pictures_that_are_its_own(client):
    """In the version that was seen; what others wrote stays, and so does a picture that another post shows."""
    client.folder.mkdir()
    (client.folder / "train.jsonl").write_text('{"text": "a row"}\n', encoding="utf8")
    one, two = (save(client, {**with_image(), "text": f"Ada in {place}"}, images={"main": DOT}).json()
                for place in ("Turin", "Rome"))  # fmt: skip
    picture = client.folder / one["document"]["images"][0]["path"]

    def delete(saved, **other):
        asked = {"id": saved["document"]["id"], "version": saved["version"], **other}
        return client.delete("/v1/annotations/document", params=asked).status_code

    assert delete(one, version="older") == 409 and delete(one, id="none") == 404
    assert delete(one) == 200 and picture.is_file() and delete(one) == 404
    assert [e["id"] for e in client.get("/v1/annotations").json()["annotations"]][-1] == two["document"]["id"]
    assert delete(two) == 200 and not picture.exists()
    assert (client.folder / "train.jsonl").read_text(encoding="utf8") == '{"text": "a row"}\n'


def test_many_at_once_are_all_kept(client):
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: save(client, found(f"Ada number {i}")).status_code, range(24)))
    texts = [json.loads(line)["text"] for line in (client.folder / "train.jsonl").open(encoding="utf8")]
    assert codes == [200] * 24 and sorted(texts) == sorted(f"Ada number {i}" for i in range(24))


def test_what_others_wrote_stays_and_a_held_folder_is_told(client):
    client.folder.mkdir()
    (client.folder / "train.jsonl").write_text('no json\n{"text": "a row"}\n', encoding="utf8")
    assert save(client, found()).status_code == 200
    lines = (client.folder / "train.jsonl").read_text(encoding="utf8").splitlines()
    assert lines[:2] == ["no json", '{"text": "a row"}'] and len(lines) == 3
    with hold_folder(client.folder):
        refused = save(client, found("Ada alone"))
    assert refused.status_code == 503 and refused.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.png", "images/../train.jsonl", "images/x.png", "images/" + "0" * 32 + ".png"]
)
def test_no_other_file_is_named_or_read(client, path):
    asked = found(images=(Image(id="main", path=path),))
    assert save(client, asked).status_code == 422 and not (client.folder / "train.jsonl").exists()
    name = path.rpartition("/")[2] if path.startswith("images/") else path
    assert client.get(f"/v1/annotations/images/{name}").status_code == 404
    card = client.post("/v1/page/card", json={"document": asked}).json()["card"]
    assert "not read" in json.dumps(card) and "/etc" not in json.dumps(card)


def test_an_image_is_checked_before_it_is_stored(client):
    for data, status in (("http://localhost/x.png", 422), ("AAAA", 422)):
        assert save(client, with_image(), images={"main": data}).status_code == status
    assert save(client, with_image(), images={"other": DOT}).status_code == 422
    assert not list(client.folder.rglob("*.png"))


def test_without_a_folder_nothing_is_saved():
    with TestClient(application(), headers=HEADERS) as client:
        assert save(client, found()).status_code == client.get("/v1/annotations").status_code == 404
        assert client.get("/v1/page").json()["annotations"] is False


def test_the_files_of_the_page_need_no_token_and_all_else_does():
    with TestClient(application()) as client:
        page = client.get("/")
        assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
        named = {part.split('"')[0] for part in page.text.replace('src="', 'href="').split('href="')[1:]}
        assert named == {"page/icon.svg", "page/cards.css", "page/page.css", "page/look.js", "page/app.js"}
        assert all(client.get(f"/{name}").status_code == 200 for name in named)
        assert client.get("/page/..%2fpages.py").status_code == client.get("/page/pages.py").status_code == 404
        for path in ("/v1/page", "/v1/annotations", "/v1/annotations/images/x.png"):
            assert client.get(path).status_code == 401
        assert client.post("/v1/page/card", json={}).status_code == 401


def test_a_table_of_a_document_runs_nothing(client):
    asked = found("=1+1", mentions=(Mention(id="m", start=0, end=4, label="@x"),))
    table = client.post("/v1/page/export/csv", json={"document": asked})
    assert table.headers["content-type"].startswith("text/csv") and "'=1+1" in table.text and '"=1' not in table.text
    assert client.post("/v1/page/export/exe", json={"document": asked}).status_code == 404


def hostile(text: str = " ".join(INJECTIONS)) -> Document:
    """All injections as text, label, id, relation, words of a box, caption and summary."""
    mentions = tuple(
        Mention(id=f"{i}{bad}", start=text.index(bad), end=text.index(bad) + len(bad), label=bad, score=0.9)
        for i, bad in enumerate(INJECTIONS)
        if bad in text
    )
    ids = [m.id for m in mentions]
    return Document(
        id=INJECTIONS[0],
        text=text,
        images=(Image(id=INJECTIONS[2], width=10, height=10),),
        mentions=mentions,
        chains=(Chain(id="chain", mentions=tuple(ids[:3]), label=INJECTIONS[1]),),
        relations=tuple(Relation(head=a, tail=b, label=bad) for a, b, bad in zip(ids, ids[1:], INJECTIONS)),
        regions=tuple(
            Region(image=INJECTIONS[2], box=(0, 0, 9, 9), label=bad, text=bad, of=id)
            for bad, id in zip(INJECTIONS, ids)
        ),
        captions=dict.fromkeys(INJECTIONS, INJECTIONS[3]),
        summary=text,
        lang=INJECTIONS[7],
    )


def test_sixty_injections_are_texts_and_values_only(client):
    """The tags of the card are those of a harmless one; every injection is text, and nowhere an element or a script."""
    assert len(set(INJECTIONS)) >= 60
    card = client.post("/v1/page/card", json={"document": json.loads(hostile().to_json())}).json()["card"]
    tags, attributes, texts = set(), set(), []

    def walk(nodes):
        for node in nodes:
            if isinstance(node, str):
                texts.append(node)
            else:
                tags.add(node[0])
                attributes.update(node[1])
                walk(node[2])

    walk(card)
    built = (resources.files("openmie.serve") / "page" / "card.js").read_text(encoding="utf8")
    allowed = set(re.findall(r'"([a-z0-9-]+)"', built[: built.index("The text of each node")]))
    assert tags | attributes - {"id", "data-labels", "src", "style"} <= allowed and len(tags) > 15
    assert not allowed & {"script", "iframe", "a", "svg", "style", "href", "srcdoc", "form", "onclick"}
    assert all(bad in texts for bad in INJECTIONS if bad.isprintable())


def test_no_document_is_an_error_of_the_server(client):
    """Adversarial documents, wrong values in each field, and too many parts: a card and files, or a problem."""
    documents = [json.loads(adversarial_inputs.document(random.Random(n), ("A", "B")).to_json()) for n in range(12)]
    wrong = [
        {**found(), key: value} for key in ("id", "mentions", "images", "source", "x") for value in (7, [7], {"a": []})
    ]
    codes = {True: set(), False: set()}
    for document in [*documents, *wrong]:
        for path in ("card", "export/csv", "export/ttl"):
            answer = client.post(f"/v1/page/{path}", json={"document": document})
            codes[document in documents].add(answer.status_code)
        codes[document in documents].add(save(client, document).status_code)
    assert codes[True] <= {200, 422} and codes[False] <= {200, 422} and 200 in codes[True]
    many = [{"id": f"m{i}", "start": 0, "end": 1} for i in range(5001)]
    assert (
        client.post("/v1/page/card", json={"document": {"id": "a", "text": "a", "mentions": many}}).status_code == 413
    )
    assert client.post("/v1/page/card", content=b'{"document": {"id": "\\ud800"}}').status_code == 422


def test_a_tree_says_what_its_html_says():
    view = compare(Document(id="a", text="Ada & <b>Bo</b>", mentions=(Mention(id="m", start=0, end=3, label="P>"),)))
    html = str(render_cards([view], 1, {"P>": 1}, 0))
    card = next(node for node in card_tree(html) if isinstance(node, list))
    text = json.dumps(card)
    assert card[0] == "article" and " & <b>Bo</b>" in text and '["mark", {"class": "c1"' in text and "P>" in text
