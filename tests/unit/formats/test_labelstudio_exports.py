"""Label Studio exports as people have them: skipped tasks, predictions, uploads, old versions, keys of any name."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from openmie.data.document import Document, Relation
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry as files

TEXT = "Kei near Oslo"
KEI = {
    "id": "s1",
    "type": "labels",
    "from_name": "label",
    "to_name": "text",
    "value": {"start": 0, "end": 3, "text": "Kei", "labels": ["PER"]},
}
OSLO = {
    "id": "s2",
    "type": "labels",
    "from_name": "label",
    "to_name": "text",
    "value": {"start": 9, "end": 13, "text": "Oslo", "labels": ["PER"]},
}


def box(to_name: str = "image", **more: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["PER"]}
    size = {"original_width": 200, "original_height": 100, "image_rotation": 0}
    return {"id": "b1", "type": "rectanglelabels", "to_name": to_name, "value": value, **size, **more}


def export(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps([{"id": n, "data": {"text": TEXT}, **t} for n, t in enumerate(tasks, 1)]))
    return path


def one(folder: Path, result: list[dict[str, Any]], data: dict[str, Any], **options: Any) -> Document:
    return next(files.read(export(folder, {"data": data, "annotations": [{"result": result}]}), **options))


def test_skipped_tasks_and_prediction_ids(tmp_path: Path) -> None:
    path = export(
        tmp_path,
        {"annotations": [{"result": [KEI]}], "predictions": [285]},
        {"annotations": [{"was_cancelled": True, "result": []}], "predictions": [286]},
    )
    first, second = files.read_items(path)
    assert isinstance(first, Document) and isinstance(second, ErrorRecord) and not first.errors
    assert [(m.text, m.label) for m in first.mentions] == [("Kei", "PER")]
    assert "task 1" in second.where and "skipped" in second.found
    found = list(files.read_items(path, layer="predictions"))
    assert all(isinstance(r, ErrorRecord) and "only the ids" in r.found for r in found)


def test_predictions_are_never_gold(tmp_path: Path) -> None:
    made = [{"model_version": "m", "result": [OSLO]}]
    path = export(
        tmp_path,
        {"annotations": [{"was_cancelled": True, "result": []}], "predictions": made},
        {"annotations": [], "predictions": made},
        {"predictions": made},
        {"annotations": []},
        {"annotations": [], "drafts": [{"result": [OSLO]}]},
        {"annotations": [7]},
    )
    found = list(files.read_items(path))
    assert all(isinstance(r, ErrorRecord) and not r.note for r in found)
    said = [r.found for r in found if isinstance(r, ErrorRecord)]
    assert ["skipped" in x for x in said] == [True, *[False] * 5] and "draft" in said[4] and "ids" in said[5]
    asked = [d for d in files.read_items(path, layer="predictions") if isinstance(d, Document)]
    assert [d.mentions[0].text for d in asked] == ["Oslo"] * 3
    bare = next(files.read(export(tmp_path, {})))  # a task to be annotated is a text, and nothing is missing of it
    assert bare.text == TEXT and not bare.mentions and not bare.errors


def test_annotators_are_chosen_and_ground_truth_goes_first(tmp_path: Path) -> None:
    ann = {"id": 3, "email": "ann@example.org"}
    made = [{"completed_by": 1, "result": [KEI]}, {"completed_by": ann, "result": [OSLO]}]
    path = export(tmp_path, {"annotations": made})
    document = next(files.read(path))
    assert document.mentions[0].text == "Kei" and "1, ann@example.org" in document.errors[0].found
    assert "annotator=NAME" in document.errors[0].remedy
    for name in ("ann@example.org", "3"):
        chosen = next(files.read(path, annotator=name))
        assert chosen.mentions[0].text == "Oslo" and not chosen.errors
    assert [d.id for d in files.read(path, annotator="all")] == ["1#1", "1#ann@example.org"]
    record = next(iter(files.read_items(path, annotator="bo")))
    assert isinstance(record, ErrorRecord) and "'bo' did not annotate" in record.found
    true = next(files.read(export(tmp_path, {"annotations": [made[0], {**made[1], "ground_truth": True}]})))
    assert true.mentions[0].text == "Oslo" and not true.errors


def test_uploads_are_found_by_their_path_or_name(tmp_path: Path) -> None:
    """In the folder `media` of the server, in the upload's own, beside the export, and by the name it once had."""
    stored = tmp_path / "media" / "upload" / "3" / "ab12cd34-post.png"
    stored.parent.mkdir(parents=True)
    Pillow.new("1", (200, 100)).save(stored)
    (tmp_path / "own").mkdir()
    Pillow.new("1", (200, 100)).save(tmp_path / "own" / "post.png")
    (tmp_path / "work").mkdir()
    for value in ("/data/upload/3/ab12cd34-post.png", "http://localhost:8080/data/upload/3/ab12cd34-post.png"):
        data = {"text": TEXT, "image": value}
        for folder, images, expected in (
            ("work", "media", stored),
            ("work", "media/upload/3", stored),
            ("work", "own", tmp_path / "own" / "post.png"),
            (".", "own", tmp_path / "own" / "post.png"),
        ):
            document = one(tmp_path / folder, [KEI, box()], data, images=str(tmp_path / images))
            assert document.images[0].path == str(expected) and not document.errors
            assert document.regions[0].image == document.images[0].id
        assert one(tmp_path, [KEI, box()], data).images[0].path == str(stored)
        lost = one(tmp_path / "work", [KEI, box()], data)
        assert "uploaded to Label Studio" in lost.errors[0].found and "--image-dir" in lost.errors[0].remedy
    outside = one(tmp_path / "work", [KEI], {"text": TEXT, "image": "/data/upload/../../media/x.png"})
    assert not outside.images[0].path and "leads out" in outside.errors[-1].found


def test_served_folders_and_clouds_are_found_by_the_end_of_their_path(tmp_path: Path) -> None:
    picture = tmp_path / "photos" / "a" / "one.png"
    picture.parent.mkdir(parents=True)
    Pillow.new("1", (2, 2)).save(picture)
    link = urlsafe_b64encode(b"s3://bucket/a/one.png").decode()
    for value in (
        "/data/local-files/?d=photos/a/one.png",
        "http://localhost:8080/data/local-files/?d=photos/a/one.png",
        "s3://bucket/a/one.png",
        f"/tasks/5/resolve/?fileuri={link}",
    ):
        for folder in ("photos", "photos/a"):
            document = one(tmp_path, [KEI], {"text": TEXT, "image": value}, images=str(tmp_path / folder))
            assert document.images[0].path == str(picture) and not document.errors, value
    (record,) = one(tmp_path, [KEI], {"text": TEXT, "image": "https://example.org/b.png"}).errors
    assert "a URL" in record.found


def test_completions_of_before_1_0(tmp_path: Path) -> None:
    skipped = {"completions": [{"id": 1002, "skipped": True, "result": []}], "predictions": []}
    path = export(tmp_path, {"completions": [{"id": 1001, "result": [KEI]}], "predictions": []}, skipped)
    first, second = files.read_items(path)
    assert isinstance(first, Document) and [(m.start, m.end, m.label) for m in first.mentions] == [(0, 3, "PER")]
    assert isinstance(second, ErrorRecord) and "skipped" in second.found


def test_images_are_what_boxes_and_file_names_say(tmp_path: Path) -> None:
    drawn = one(tmp_path, [KEI, box("picture")], {"text": TEXT, "photo": "photo.png"})
    assert [Path(i.path).name for i in drawn.images] == ["photo.png"] and len(drawn.regions) == 1 and not drawn.errors
    data = {"text": TEXT, "image_id": "775", "image_path": "photo.png", "image_caption": "two people on a bridge"}
    told = one(tmp_path, [KEI], data)
    assert [Path(i.path).name for i in told.images] == ["photo.png"]
    assert told.source == {"image_id": "775", "image_caption": "two people on a bridge"}
    same = one(tmp_path, [KEI], {"text": TEXT, "original_image": "a.JPG", "alt": "a dog", "img_url": "x/y"})
    assert [i.id for i in same.images] == ["a.JPG", "x/y"] or [i.id for i in same.images] == ["x/y", "a.JPG"]
    many = one(tmp_path, [KEI, box("pictures", item_index=1)], {"text": TEXT, "pictures": ["a.png", "b.png"]})
    assert [i.id for i in many.images] == ["a.png", "b.png"] and many.regions[0].image == "b.png"


def test_text_is_what_spans_stand_in(tmp_path: Path) -> None:
    data = {"title": "Kei", "tweet": TEXT, "image": "a.png"}
    document = one(tmp_path, [{**OSLO, "to_name": "t"}], data)
    assert document.text == TEXT and document.mentions[0].text == "Oslo" and document.source == {"title": "Kei"}
    (tmp_path / "config.xml").write_text(
        '<View><Text name="t" value="$title"/><Image name="i" value="$poster"/><!-- <x> --></View>'
    )
    data = {"tweet": TEXT, "title": "Kei", "poster": "77", "image": "b.png"}
    told = one(tmp_path, [KEI, box("i")], data, config=tmp_path / "config.xml")
    assert told.text == "Kei" and [i.id for i in told.images] == ["77"] and told.regions[0].image == "77"
    (tmp_path / "config.xml").write_text("<View>")
    with pytest.raises(CorpusError, match="labelling configuration"):
        one(tmp_path, [KEI], data, config=tmp_path / "config.xml")


def test_every_label_of_a_relation(tmp_path: Path) -> None:
    link = {"type": "relation", "from_id": "s1", "to_id": "s2", "direction": "right", "labels": ["lives_in", "born_in"]}
    document = one(tmp_path, [KEI, OSLO, link], {"text": TEXT})
    assert document.relations == tuple(Relation(head="s1", tail="s2", label=x) for x in ("lives_in", "born_in"))
    shows = {"type": "relation", "from_id": "b1", "to_id": "s1", "direction": "right", "labels": []}
    both = box(value={**box()["value"], "rectanglelabels": ["PER", "face"]})
    regions = one(tmp_path, [KEI, both, shows], {"text": TEXT, "image": "a.png"}).regions
    assert [(r.label, r.of) for r in regions] == [("PER", "s1"), ("face", "s1")]


def test_blanks_at_the_ends_of_spans_are_cut_off_and_counted(tmp_path: Path) -> None:
    def at(start: int, end: int, name: str) -> dict[str, Any]:
        return {**KEI, "id": name, "value": {"start": start, "end": end, "text": TEXT[start:end], "labels": ["PER"]}}

    document = one(tmp_path, [at(0, 4, "a"), at(8, 13, "b"), at(0, 3, "c")], {"text": TEXT})
    assert [(m.start, m.end) for m in document.mentions] == [(0, 3), (9, 13), (0, 3)]
    (note,) = document.errors
    assert note.note and note.found.startswith("2 spans with white space")


def test_offsets_that_count_crlf_as_one(tmp_path: Path) -> None:
    """As browsers show the text; and with a character of two UTF-16 units before it."""
    for before in ("", "\U0001f600 "):
        seen = len(before.encode("utf-16-le")) // 2
        spans = [("a", seen + 6, "Kei"), ("b", seen + 13, "Oslo")]
        result = [
            {**KEI, "id": id, "value": {"start": at, "end": at + len(word), "text": word, "labels": ["PER"]}}
            for id, at, word in spans
        ]
        document = one(tmp_path, result, {"text": before + "Hello\r\nKei\r\nin Oslo"})
        assert [m.text for m in document.mentions] == ["Kei", "Oslo"] and not document.errors
        assert document.mentions[0].start == len(before) + 7


def test_json_min_is_named(tmp_path: Path) -> None:
    row = {"id": 1, "text": TEXT, "label": [], "annotator": 1, "annotation_id": 2, "lead_time": 1.0}
    (tmp_path / "min.json").write_text(json.dumps([row]))
    with pytest.raises(CorpusError, match="JSON-MIN"):
        list(files.read(tmp_path / "min.json"))
