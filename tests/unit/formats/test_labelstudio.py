"""Label Studio: what its own exports hold, offsets in code points and in UTF-16 units, the labelling interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import labelstudio
from openmie.formats import registry as files
from tests.fixtures.strategies import texts

TEXT = "😂 Zorvane joins 👨‍👩‍👧 Vane FC"  # code points before Vane: 22; UTF-16 units: 26


def span(id: str, start: int, end: int, text: str | None, label: str = "PER") -> dict[str, Any]:
    said = {} if text is None else {"text": text}
    return {
        "id": id,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
        "value": {"start": start, "end": end, "labels": [label], **said},
    }


def exported(folder: Path, *results: list[dict[str, Any]], **task: Any) -> Path:
    """A file as Label Studio exports it, with the keys that it adds."""
    annotations = [
        {
            "id": n,
            "completed_by": 1,
            "was_cancelled": False,
            "ground_truth": False,
            "lead_time": 4.2,
            "created_at": "2031-01-01T00:00:00Z",
            "result": r,
        }
        for n, r in enumerate(results)
    ]
    whole = {
        "id": 7,
        "project": 3,
        "file_upload": "x.json",
        "data": {"text": TEXT},
        "annotations": annotations,
        "predictions": [],
        "meta": {},
        "drafts": [],
        **task,
    }
    path = folder / "export.json"
    path.write_text(json.dumps([whole], ensure_ascii=False), encoding="utf-8")
    return path


def test_offsets_are_code_points(tmp_path: Path) -> None:
    document = Document(id="a", text=TEXT, mentions=(Mention(id="m", start=22, end=26),))
    assert document.mentions[0].text == "Vane"
    files.write([document], tmp_path / "t.json", "labelstudio")
    value = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))[0]["annotations"][0]["result"][0]["value"]
    assert (value["start"], value["end"], value["text"]) == (22, 26, "Vane")
    assert next(files.read(tmp_path / "t.json")).mentions[0].start == 22


def test_old_exports_in_utf16(tmp_path: Path) -> None:
    """Two spans whose texts only fit UTF-16 units, and one without text that then is read so too."""
    spans = [span("a", 3, 10, "Zorvane"), span("b", 26, 33, "Vane FC", "ORG"), span("c", 3, 10, None)]
    path = exported(tmp_path, spans)
    mentions = next(files.read(path)).mentions
    assert [(m.start, m.end, m.text) for m in mentions] == [(2, 9, "Zorvane"), (22, 29, "Vane FC"), (2, 9, "Zorvane")]


@settings(max_examples=300, deadline=None, database=None)
@given(texts.filter(bool), st.data())
def test_either_reading_gives_the_text(text: str, data: st.DataObject) -> None:
    from openmie.formats.labelstudio_results import Annotated

    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = [len(text[:at].encode("utf-16-le")) // 2 for at in (start, end)]
    for first, last in ((start, end), units):
        task = Annotated("here", text, {})
        task.read([span("a", first, last, text[start:end])])
        assert all(e.note for e in task.errors)
        found = text[task.mentions["a"].start : task.mentions["a"].end]
        assert "".join(found.split()) == "".join(text[start:end].split())


def test_spans_that_fit_nowhere_are_told(tmp_path: Path) -> None:
    path = exported(
        tmp_path, [span("a", 2, 9, "Zorvane"), span("b", 3, 9, "joins"), span("c", 0, 99, None), span("d", 5, 2, None)]
    )
    document = next(files.read(path))
    assert [m.id for m in document.mentions] == ["a"] and len(document.errors) == 3
    assert "export.json, task 0, result b" in document.errors[0].where and "'joins'" in document.errors[0].found


def test_a_whole_export(tmp_path: Path) -> None:
    box: dict[str, Any] = {
        "id": "r",
        "from_name": "image-box",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["figure"]},
    }
    links: list[dict[str, Any]] = [
        {"type": "relation", "from_id": "b", "to_id": "a", "direction": "left", "labels": ["member_of"]},
        {"type": "relation", "from_id": "r", "to_id": "a", "direction": "right"},
        {"type": "relation", "from_id": "r", "to_id": "r", "direction": "right"},
    ]
    other: list[dict[str, Any]] = [{"id": "x", "type": "choices", "value": {"choices": ["fun"]}}]
    (tmp_path / "img").mkdir()
    path = exported(
        tmp_path,
        [span("a", 2, 9, "Zorvane"), span("b", 22, 29, "Vane FC", "ORG"), box, *links, *other],
        data={"text": TEXT, "image": "/data/local-files/?d=img/a%20b.png"},
    )
    document = next(files.read(path))
    assert document.id == "7" and [m.label for m in document.mentions] == ["PER", "ORG"]
    assert document.relations == (Relation(head="a", tail="b", label="member_of"),)
    assert document.regions == (Region(image="img/a b.png", box=document.regions[0].box, label="figure", of="a"),)
    assert document.regions[0].box == pytest.approx((20, 20, 80, 60))
    image = document.images[0]
    assert (image.path, image.width, image.height) == (str(tmp_path / "img/a b.png"), 200, 100)
    assert [e.found for e in document.errors] == ["a result of type 'choices'", "a relation from 'r' to 'r'"]


def test_turned_and_unsized_rectangles_are_told(tmp_path: Path) -> None:
    value = {"x": 1, "y": 1, "width": 1, "height": 1, "rotation": 30, "rectanglelabels": ["f"]}
    sized = {"original_width": 9, "original_height": 9}
    boxes: list[dict[str, Any]] = [
        {"id": "r", "type": "rectanglelabels", "to_name": "image", "value": value, **sized},
        {"id": "s", "type": "rectanglelabels", "to_name": "image", "value": {**value, "rotation": 0}},
    ]
    document = next(files.read(exported(tmp_path, boxes, data={"text": "x", "image": "a.png"})))
    assert not document.regions and ["rotated" in e.found for e in document.errors] == [True, False]


def test_which_annotation_is_read(tmp_path: Path) -> None:
    first, second, third = ([span(x, 2, 9, "Zorvane", x)] for x in "ABC")
    path = exported(tmp_path, first, second, predictions=[{"model_version": "m", "result": third}])
    assert next(files.read(path)).mentions[0].label == "A" and "2 annotations" in next(files.read(path)).errors[0].found
    assert [(d.id, d.mentions[0].label) for d in files.read(path, annotator="all")] == [("7#1", "A"), ("7#1", "B")]
    assert next(files.read(path, layer="predictions")).mentions[0].label == "C"
    data = json.loads(path.read_text(encoding="utf-8"))
    data[0]["annotations"][0]["was_cancelled"] = True
    path.write_text(json.dumps(data), encoding="utf-8")
    assert next(files.read(path)).mentions[0].label == "B" and not next(files.read(path)).errors
    data[0]["annotations"] = []
    path.write_text(json.dumps(data), encoding="utf-8")
    record = next(iter(files.read_items(path)))
    assert isinstance(record, ErrorRecord) and "nobody annotated" in record.found and "predictions" in record.remedy
    assert next(files.read(path, layer="predictions")).mentions[0].label == "C"
    with pytest.raises(CorpusError, match="Unknown layer 'x'"):
        list(files.read(path, layer="x"))


def test_text_under_another_key(tmp_path: Path) -> None:
    path = exported(tmp_path, [span("a", 0, 3, "Zor")], data={"tweet": "Zor"})
    assert next(files.read(path, text="tweet")).mentions[0].text == "Zor"
    assert next(files.read(path)).mentions[0].text == "Zor"  # what the span's own text stands in
    record = next(iter(files.read_items(path, text="post")))
    assert isinstance(record, ErrorRecord) and "no text under 'post'" in record.found and "text=KEY" in record.remedy


def test_bad_tasks_are_records(tmp_path: Path) -> None:
    good = {"data": {"text": "Zor"}}
    bad = [
        1,
        {},
        {"data": None},
        {"data": {"text": 5}},
        {**good, "annotations": [{"result": [1]}]},
        {**good, "annotations": [{"result": [{"type": "labels"}]}]},
        {**good, "annotations": 3},
        {"data": {"text": "x", "image": "a", "image2": "a"}},
    ]
    (tmp_path / "t.json").write_text(json.dumps([good, *bad, good]), encoding="utf-8")
    items = list(files.read_items(tmp_path / "t.json"))
    assert [isinstance(i, ErrorRecord) for i in items] == [False, *[True] * len(bad), False]
    assert all(f"task {n}" in i.where for n, i in enumerate(items) if isinstance(i, ErrorRecord))
    (tmp_path / "t.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CorpusError, match="no list"):
        list(files.read(tmp_path / "t.json", "labelstudio"))


def test_interface_names_all_labels() -> None:
    documents = [
        Document(
            id="a",
            text="Zor",
            mentions=(Mention(id="m", start=0, end=3, label='<"P&O">'),),
            images=(Image(id="i"), Image(id="j")),
            relations=(Relation(head="m", tail="m", label="peer"),),
            regions=(Region(image="i", box=(0, 0, 1, 1), label="figure"),),
        )
    ]
    tree = ElementTree.fromstring(labelstudio.labelling_interface(documents))
    assert [x.get("value") for x in tree.iterfind("Labels/Label")] == ['<"P&O">']
    assert [x.get("value") for x in tree.iterfind("Relations/Relation")] == ["peer", "shows"]
    assert [x.get("value") for x in tree.iterfind("Image")] == ["$image", "$image2"]
    assert [x.get("value") for x in tree.iterfind("RectangleLabels/Label")] == ["figure"] * 2


@pytest.mark.parametrize(("label", "width"), [([], 10), (0.5, 10), ({}, 10), ("PER", "a"), ("PER", 2.5)])
def test_a_box_with_a_label_or_a_size_that_is_none_is_a_record(tmp_path, label, width):
    value = {"x": 1, "y": 1, "width": 20, "height": 20, "rectanglelabels": [label]}
    sizes = {"original_width": width, "original_height": 10}
    box = {"id": "r", "type": "rectanglelabels", "from_name": "l", "to_name": "image", "value": value, **sizes}
    task = {"id": 1, "data": {"text": "Ada sang", "image": "a.png"}, "annotations": [{"result": [box]}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    (record,) = files.read_items(tmp_path / "a.json", "labelstudio")
    assert isinstance(record, ErrorRecord) and record.found


def test_predictions_name_the_model_that_made_them(tmp_path):
    from openmie.data.provenance import provenance, stamp

    told = provenance([{"name": "openmie-base", "version": "1.0"}, {"name": "mine", "recipe": "5d1f"}], "0.1", "2026")
    (stamped,) = stamp([Document(id="a", text="Ada")], told)
    for document, options, version in (
        (stamped, {}, "openmie-base 1.0 then mine recipe 5d1f"),
        (stamped, {"model": "given"}, "given"),
        (Document(id="a", text="Ada"), {}, "openmie"),
    ):
        files.write([document], tmp_path / "t.json", "labelstudio", predictions=True, **options)
        (task,) = json.loads((tmp_path / "t.json").read_text(encoding="utf8"))
        assert [p["model_version"] for p in task["predictions"]] == [version]


def test_score_reads_two_annotators_of_one_export(tmp_path):
    from typer.testing import CliRunner

    from openmie.cli import application as cli
    from openmie.errors import OpenMIEError

    def span(start, end):
        value = {"start": start, "end": end, "text": "Ada met Bo"[start:end], "labels": ["PER"]}
        return {"id": f"s{start}", "from_name": "label", "to_name": "text", "type": "labels", "value": value}

    results = {3: [span(0, 3), span(8, 10)], 5: [span(0, 3)]}
    annotations = [{"completed_by": who, "result": result} for who, result in results.items()]
    path = tmp_path / "e.json"
    path.write_text(
        json.dumps([{"id": 1, "data": {"id": "a", "text": "Ada met Bo"}, "annotations": annotations}]), encoding="utf8"
    )

    def score(*typed, predicted=path):
        words = ["score", path, predicted, "--bootstrap", "0", "--format", "json"]
        words += [word for option in typed for word in ("--read-option", option)]
        result = CliRunner().invoke(cli.app, list(map(str, words)))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return json.loads(result.stdout)[0]

    both = score("gold.annotator=3", "predicted.annotator=5")
    assert (both["gold"], both["predicted"], both["precision"], both["recall"]) == (2, 1, 100.0, 50.0)
    files.write([Document(id="a", text="Ada met Bo")], tmp_path / "p.jsonl")
    assert score("annotator=5", predicted=tmp_path / "p.jsonl")["gold"] == 1  # of the side that has such an option
    with pytest.raises(OpenMIEError, match="Did you mean 'annotator'"):
        score("anotator=5")
