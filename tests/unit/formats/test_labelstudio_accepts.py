"""What Label Studio's TaskValidator and its SDK's `LabelInterface` ask of tasks holds for all that we write.

Their rules, written down: every `$key` of the configuration is in every task and a text that is not empty; every result
names a control of the configuration, its object and labels that it offers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from openmie.annotation.export_import import export
from openmie.cli import application as cli
from openmie.data.document import Document, Image, Mention, Region, Relation
from openmie.formats import registry as files
from openmie.formats.labelstudio_paths import BLANK


def posts(folder: Path) -> list[Document]:
    """Documents with two images, with one whose labels are empty, with none."""
    for name in ("a 1.png", "b.png"):
        Pillow.new("RGB", (20, 10)).save(folder / name)
    two = (Image(path=str(folder / "a 1.png"), id="a"), Image(path=str(folder / "b.png"), id="b"))
    names = (Mention(id="m", start=0, end=3, label="PER"), Mention(id="n", start=9, end=13, label="LOC"))
    return [
        Document(
            id="1",
            text="Kei near Oslo",
            mentions=names,
            relations=(Relation(head="m", tail="n", label="in"),),
            images=two,
            regions=(Region(image="b", box=(0, 0, 5, 5), label="PER", of="m"),),
        ),
        Document(id="2", text="Nothing"),
        Document(id="3", text="Bo", images=two[:1], mentions=(Mention(id="m", start=0, end=2),)),
    ]


def refusals(tasks: list[dict[str, Any]], config: str) -> list[str]:
    """What Label Studio would refuse."""
    tree = ElementTree.fromstring(config)
    keys = [x.get("value", "")[1:] for x in tree.iter() if x.get("value", "").startswith("$")]
    controls = {x.get("name"): x for x in tree.iter() if x.get("toName")}
    relations = {x.get("value") for x in tree.iter("Relation")}
    found = [f"no {k}" for t in tasks for k in keys if not isinstance(t["data"].get(k), str) or not t["data"][k]]
    for task in tasks:
        for result in (*task.get("annotations", ()), *task.get("predictions", ())):
            for item in result["result"]:
                if item["type"] == "relation":
                    found += [f"relation {x}" for x in item["labels"] if x not in relations]
                    continue
                control = controls.get(item["from_name"])
                if control is None or control.get("toName") != item["to_name"]:
                    found.append(f"control {item['from_name']}")
                    continue
                offered = {x.get("value") for x in control.iter("Label")}
                found += [f"label {x}" for x in item["value"][item["type"]] if x not in offered]
    return found


def test_convert_writes_a_configuration_and_paths_that_are_served(tmp_path: Path) -> None:
    made = posts(tmp_path)
    files.write(made, tmp_path / "gold.jsonl")
    done = CliRunner().invoke(
        cli.app, ["convert", str(tmp_path / "gold.jsonl"), str(tmp_path / "tasks.json"), "--to", "labelstudio"]
    )
    assert done.exit_code == 0 and "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT" in done.output
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert not refusals(tasks, (tmp_path / "tasks.label_config.xml").read_text())
    assert [t["data"]["image2"] == BLANK for t in tasks] == [False, True, True]
    served = [t["data"][k] for t in tasks for k in ("image", "image2") if t["data"][k] != BLANK]
    assert len(served) == 3
    for url in served:  # below a storage that is a child of the root, as Label Studio asks
        path = parse_qs(urlsplit(url).query)["d"][0]
        assert (tmp_path.parent / path).is_file() and path.startswith(f"{tmp_path.name}/")
    back = list(files.read(tmp_path / "tasks.json"))
    assert [[i.path for i in d.images] for d in back] == [[i.path for i in d.images] for d in made]
    assert not any(d.errors or d.source for d in back)


def test_video_export_fills_the_frames_that_a_clip_lacks(tmp_path: Path) -> None:
    made = posts(tmp_path)
    export(made, tmp_path / "tasks", ("labelstudio",))
    folder = tmp_path / "tasks" / "labelstudio"
    tasks = json.loads((folder / "tasks.json").read_text())
    assert len(tasks) == 3 and not refusals(tasks, (folder / "interface.xml").read_text())
    assert all((folder.parent / t["data"]["image"].split("?d=")[1].replace("%20", " ")).is_file() for t in tasks[::2])
    back = list(files.read(folder / "tasks.json", layer="predictions"))
    assert [len(d.images) for d in back] == [2, 0, 1] and back[0].relations == made[0].relations


@pytest.mark.parametrize("option", ["annotator=bo", "annotator"])
def test_the_annotator_is_chosen_on_the_command_line(tmp_path: Path, option: str) -> None:
    result = [{"completed_by": who, "result": []} for who in ("ann", "bo")]
    (tmp_path / "e.json").write_text(json.dumps([{"data": {"text": "x y"}, "annotations": result}]))
    arguments = ["convert", str(tmp_path / "e.json"), str(tmp_path / "o.jsonl"), "--read-option", option]
    done = CliRunner().invoke(cli.app, arguments)
    if option == "annotator":
        assert "KEY=VALUE" in str(done.exception)
    else:
        assert done.exit_code == 0 and not next(files.read(tmp_path / "o.jsonl")).errors
