"""Images outside the folder of a file: some have a record each, however many there are, and all are counted."""

from openmie.data.document import Document, Image
from openmie.formats import output
from openmie.formats.registry import write


def test_records_of_images_outside_are_bounded_and_the_others_counted(tmp_path):
    posts = [Document(id=f"d{i}", text="a", images=(Image(path=f"/elsewhere/{i}.jpg", id="main"),)) for i in range(57)]
    (tmp_path / "out").mkdir()
    for few in (posts[:5], posts[: output.MOST_OUTSIDE]):
        records = write(few, tmp_path / "out" / "few.jsonl", "jsonl").records
        assert len(records) == len(few) and all("outside the folder" in r.found for r in records)
    written = write(posts, tmp_path / "out" / "many.jsonl", "jsonl")
    assert written.documents == 57 and len(written.records) == output.MOST_OUTSIDE + 1
    assert "37 more images" in written.records[-1].found and written.records[-1].remedy == written.records[0].remedy
