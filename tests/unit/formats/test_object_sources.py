"""Posts and images of object stores, by fsspec's store in memory, and folders of files of posts."""

import io
import json

import pytest

fsspec = pytest.importorskip("fsspec", reason="the extra ray is not installed: pip install '.[ray]'")
import PIL.Image  # noqa: E402

from openmie.cli import extract_settings  # noqa: E402
from openmie.data.document import Document, Mention  # noqa: E402
from openmie.data.images import load_image  # noqa: E402
from openmie.errors import CorpusError, ErrorRecord  # noqa: E402
from openmie.formats import parquet  # noqa: E402
from openmie.formats.sources import read_sources  # noqa: E402
from openmie.inference import pipeline  # noqa: E402

ROWS = [{"text": "Ada in Turin", "image": "red.png"}, {"text": "Bo", "image": "../secret.png"}, {"txt": "broken"}]


@pytest.fixture
def store():
    system = fsspec.filesystem("memory")
    data = io.BytesIO()
    PIL.Image.new("RGB", (3, 2), "red").save(data, "png")
    system.pipe("/bucket/posts/a.jsonl", "\n".join(map(json.dumps, ROWS)).encode())
    system.pipe("/bucket/posts/b.csv", b"id,text,image\n7,Cleo,green.png\n")
    system.pipe("/bucket/posts/red.png", data.getvalue())
    system.pipe("/bucket/pictures/green.png", data.getvalue())
    yield "memory://bucket/posts"
    system.rm("/bucket", recursive=True)


class Looks:
    """A model that reads the size of each image."""

    def predict(self, documents):
        found = []
        for document in documents:
            sizes = ["x".join(map(str, load_image(i.path).size)) for i in document.images if i.path]
            found.append(document.replace(mentions=(Mention(id="m", start=0, end=2, label="|".join(sizes) or "none"),)))
        return found


def test_files_of_a_store_are_read_as_files_are_and_their_images_are_fetched(store):
    """Ids by file, records with the address, no path out of the folder; images by address before and after."""
    items = list(pipeline.read_posts([f"{store}/a.jsonl", f"{store}/b.csv"]))
    assert [type(i).__name__ for i in items] == ["Document", "Document", "ErrorRecord", "Document"]
    assert [i.id for i in items if isinstance(i, Document)] == ["a:1", "a:2", "7"]
    assert items[0].images[0].path == "memory://bucket/posts/red.png"
    assert items[1].images[0].path == "" and "leads out of its folder" in items[1].errors[0].found
    assert items[2].where == "memory://bucket/posts/a.jsonl:3"
    found = list(pipeline.predict_each([Looks()], items))
    assert [m.label for d in found for m in d.mentions] == ["3x2", "none", "none"]
    assert found[0].images[0].path == "memory://bucket/posts/red.png" and not found[0].errors
    assert "file not found" in found[3].errors[0].found or "green.png" in found[3].errors[0].found


def test_a_folder_of_images_in_a_store_serves_posts_that_lie_here(store, tmp_path):
    (tmp_path / "posts.jsonl").write_text(json.dumps({"text": "Cleo", "image": "green.png"}) + "\n", encoding="utf8")
    items = list(pipeline.read_posts(str(tmp_path / "posts.jsonl"), "memory://bucket/pictures"))
    assert items[0].images[0].path == "memory://bucket/pictures/green.png"
    (found,) = pipeline.predict_each([Looks()], items)
    assert found.mentions[0].label == "3x2"
    parquet.write([found], tmp_path / "found.parquet")
    assert next(parquet.read(tmp_path / "found.parquet")).images[0].path in ("", "memory://bucket/pictures/green.png")


def test_folders_and_patterns_name_their_files(store, tmp_path):
    assert len(list(read_sources([store]))) == 4 == len(list(read_sources(["memory://bucket/posts/*.[jc]s*"])))
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(json.dumps({"text": name}) + "\n", encoding="utf8")
    (tmp_path / "manifest.json").write_text("{}", encoding="utf8")
    assert [d.text for d in read_sources([str(tmp_path)])] == ["a.jsonl", "b.jsonl"]


def test_other_contents_are_other_settings_and_the_web_is_no_store(store):
    before = extract_settings._contents(f"{store}/b.csv")
    fsspec.filesystem("memory").pipe("/bucket/posts/b.csv", b"id,text\n8,Dora\n")
    assert extract_settings._contents(f"{store}/b.csv") != before
    for address, told in (("https://example.org/a.jsonl", "web server"), ("memory://bucket/none", "no such file")):
        with pytest.raises(CorpusError, match=told):
            list(read_sources([address]))
    assert isinstance(next(iter(read_sources([f"{store}/b.csv"]))), Document | ErrorRecord)
