"""What Label Studio's TaskValidator and its SDK's `LabelInterface` ask of tasks holds for all that we write.

Their rules, written down: every `$key` of the configuration is in every task and a text that is not empty; every result
names a control of the configuration, its object and labels that it offers; a rectangle has no side beyond 100 percent;
a relation has a direction and two results of its own annotation. Where `label_studio_sdk` is installed (with all it
needs 509 MB, so it is no dependency of the tests), its own validator is asked, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from openmie.annotation import caption_review_labelstudio as captions
from openmie.annotation.caption_review import CaptionJudgement
from openmie.annotation.export_import import export
from openmie.cli import application as cli
from openmie.formats import registry as files
from openmie.formats.labelstudio_paths import BLANK
from tests.fixtures.labelstudio_posts import posts


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
                    ends = {x.get("id") for x in result["result"] if x["type"] != "relation"}
                    found += [f"end {item[end]}" for end in ("from_id", "to_id") if item[end] not in ends]
                    found += [] if item["direction"] in ("left", "right", "bi") else [f"direction {item['direction']}"]
                    continue
                control = controls.get(item["from_name"])
                if control is None or control.get("toName") != item["to_name"]:
                    found.append(f"control {item['from_name']}")
                    continue
                offered = {x.get("value") for x in (*control.iter("Label"), *control.iter("Choice"))}
                chosen = item["value"].get(item["type"], ()) if item["type"] != "textarea" else ()
                found += [f"label {x}" for x in chosen if x not in offered]
                sides = [item["value"][k] for k in ("x", "y", "width", "height") if k in item["value"]]
                found += [f"side {x}" for x in sides if not 0 <= x <= 100]
    return found


def written(folder: Path) -> dict[str, tuple[list[dict[str, Any]], str]]:
    """The tasks and the configuration of every writer of tasks, by its name."""
    made = posts(folder)
    for name, guessed in (("gold", False), ("guessed", True)):
        paths = folder / f"{name}.json", folder / f"{name}.xml"
        files.write(made, paths[0], "labelstudio", served=True, config=paths[1], predictions=guessed)
    export(made, folder / "video", ("labelstudio",))
    rows = [CaptionJudgement(document=d.id, generator="g", caption="a street") for d in made]
    captions.write(((r, d.text) for r, d in zip(rows, made)), folder / "captions.json")
    video = folder / "video" / "labelstudio"
    places = {n: (folder / f"{n}.json", folder / f"{n}.xml") for n in ("gold", "guessed", "captions")}
    places["video"] = video / "tasks.json", video / "interface.xml"
    return {n: (json.loads(a.read_text("utf8")), b.read_text("utf8")) for n, (a, b) in places.items()}


def test_no_writer_s_tasks_are_refused(tmp_path: Path) -> None:
    made = written(tmp_path)
    assert {name: refusals(*pair) for name, pair in made.items()} == {name: [] for name in made}
    assert all(len(tasks) == 3 for tasks, _ in made.values())
    tasks, config = made["gold"]
    tasks[0]["annotations"][0]["result"][0]["value"]["labels"] = ["TIME"]  # and the rules can refuse
    del tasks[1]["data"]["image2"]
    assert refusals(tasks, config) == ["no image2", "label TIME"]


def test_the_sdk_s_own_validator_passes_all_writers(tmp_path: Path) -> None:
    why = "label_studio_sdk is not installed; its rules are those of test_no_writer_s_tasks_are_refused"
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason=why)
    for name, (tasks, config) in written(tmp_path).items():
        label = interface.LabelInterface(config)
        label.validate()
        for task in tasks:
            assert label.validate_task({"data": task["data"]}), name
            for result in task.get("annotations", ()):
                assert label.validate_annotation(result), name
            for result in task.get("predictions", ()):
                assert label.validate_prediction(result, return_errors=True) == [], name


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
