"""Captions to Label Studio and back: nothing changed on the way, every mistake named, the same as the sheet."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from openmie import corpora
from openmie.annotation import caption_review as review
from openmie.annotation.caption_review import CaptionJudgement, read, write
from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.errors import CorpusError
from openmie.formats.labelstudio_paths import BLANK, LOCAL_FILES_URL


def post(number, image="", **captions):
    return Document(
        id=f"d{number}",
        text=f"text {number}",
        images=(Image(id=image, path=image),) if image else (),
        captions=captions,
    )


def done(path, **said):
    """The export, as Label Studio writes it: document -> (verdict, text of the area, note)."""
    tasks = json.loads(path.read_text(encoding="utf8"))
    for number, task in enumerate(tasks):
        task["id"] = number
        if task["data"]["document"] in said:
            verdict, text, note = said[task["data"]["document"]]
            fields = [
                ("corrected", "textarea", {"text": [text]}),
                ("note", "textarea", {"text": [note]} if note else None),
                ("correct", "choices", {"choices": [verdict]} if verdict else None),
            ]
            task["annotations"] = [
                {
                    "id": 9,
                    "was_cancelled": False,
                    "result": [
                        {"id": name, "from_name": name, "to_name": "text", "type": kind, "value": value}
                        for name, kind, value in fields
                        if value
                    ],
                }
            ]
    out = path.with_name("export.json")
    out.write_text(json.dumps(tasks), encoding="utf8")
    return out


def test_there_and_back(tmp_path):
    docs = [post(1, str(tmp_path / "a b.jpg"), a="a dog"), post(2, "/far/away.jpg", a="a tree"), post(3, a="bare")]
    path = tmp_path / "review.json"
    assert write(docs, path, "a") == 3
    tasks = json.loads(path.read_text(encoding="utf8"))
    assert (
        unquote(tasks[0]["data"]["image"]) == f"{LOCAL_FILES_URL}{tmp_path.name}/a b.jpg"  # a storage below the root
        and tasks[1]["data"]["image"] == "/far/away.jpg"
    )
    assert tasks[2]["data"] == {
        "document": "d3",
        "generator": "a",
        "caption": "bare",
        "picture": "",
        "image": BLANK,
        "text": "text 3",
    }
    assert read(path) == [j for j, _ in review.captions(docs, "a")]
    export = done(path, d1=("yes", "a dog", ""), d2=("no", "two trees", "see the left"))
    assert read(export) == [
        CaptionJudgement(document="d1", generator="a", caption="a dog", correct=True, image=str(tmp_path / "a b.jpg")),
        CaptionJudgement(
            document="d2",
            generator="a",
            caption="a tree",
            correct=False,
            corrected="two trees",
            image="/far/away.jpg",
            note="see the left",
        ),
        CaptionJudgement(document="d3", generator="a", caption="bare"),
    ]
    assert [d.captions.get("a (corrected)") for d in review.apply(docs, read(export))] == [None, "two trees", None]


def test_the_configuration_has_a_control_for_each_result(tmp_path):
    write([post(1, a="x")], tmp_path / "r.json")
    view = ElementTree.fromstring((tmp_path / "r.xml").read_text(encoding="utf8"))
    names = {x.get("name") for x in view.iter() if x.get("name")}
    assert names == {"image", "text", "correct", "corrected", "note"}
    assert {x.get("toName") for x in view.iter() if x.get("toName")} == {"text"}
    task = json.loads((tmp_path / "r.json").read_text(encoding="utf8"))[0]
    assert {v[1:] for x in view.iter() if (v := x.get("value", "")).startswith("$")} <= task["data"].keys()
    assert [r["from_name"] for r in task["predictions"][0]["result"]] == ["corrected"]


texts = st.text(min_size=1, max_size=30).filter(lambda t: t.strip() and not any("\ud800" <= c <= "\udfff" for c in t))


@given(st.lists(texts, min_size=1, max_size=4), texts, st.sampled_from(["yes", "no", ""]))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_unchanged(tmp_path_factory, captions, better, verdict):
    path = tmp_path_factory.mktemp("review") / "r.json"
    docs = [Document(id=f"d{i}", text=t, images=(Image(id=t),), captions={t: t}) for i, t in enumerate(captions)]
    write(docs, path)
    plain = [j for j, _ in review.captions(docs)]
    assert read(path) == plain
    found = read(done(path, d0=(verdict, better, better)))
    same = better.split() == captions[0].split()
    assert found[0] == CaptionJudgement(
        document="d0",
        generator=captions[0],
        caption=captions[0],
        image=captions[0],
        correct={"yes": True, "no": False, "": None}[verdict],
        corrected="" if same else better,
        note=better,
    )
    assert found[1:] == plain[1:]


def test_of_several_annotations(tmp_path):
    write([post(1, a="x")], tmp_path / "r.json")
    export = done(tmp_path / "r.json", d1=("yes", "x", ""))
    tasks = json.loads(export.read_text(encoding="utf8"))
    first = tasks[0]["annotations"][0]
    other = json.loads(json.dumps(first))
    other["result"][0]["value"]["text"] = "y"  # a text of its own, as some versions write it

    def saved(*annotations):
        tasks[0]["annotations"] = annotations
        export.write_text(json.dumps(tasks), encoding="utf8")
        return export

    assert read(saved(first, first))[0].correct is True
    assert read(saved(first, {**other, "was_cancelled": True}))[0].corrected == ""
    assert read(saved(first, {**other, "ground_truth": True}))[0].corrected == "y"
    with pytest.raises(CorpusError, match=r"task 0.*2 annotations.*ground truth"):
        read(saved(first, other))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "no list"),
        ("[1]", "task 0.*another shape"),
        ('[{"data": {}}]', "another shape.*document"),
        ('[{"data": {"document": "d", "generator": "g", "caption": 3}}]', "caption is no text"),
        (
            '[{"data": {"document": "d", "generator": "g", "caption": "c"}, "annotations": [{"result": [{"from_name": '
            '"correct", "value": {"choices": ["perhaps"]}}]}]}]',
            "correct='perhaps'.*yes or no",
        ),
        (
            '[{"data": {"document": "d", "generator": "g", "caption": "c"}}, '
            '{"data": {"document": "d", "generator": "g", '
            '"caption": "c"}}]',
            "two rows.*tasks 0 and 1|tasks 0 and 1",
        ),
        ("[", "broken JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, words):
    (tmp_path / "e.json").write_text(content, encoding="utf8")
    with pytest.raises(CorpusError, match=words):
        read(tmp_path / "e.json")


def test_the_command_writes_tasks_and_counts_what_was_said(tmp_path):
    corpora.write([post(i, a=f"caption number {i}") for i in range(4)], tmp_path / "test.jsonl")

    def run(*arguments):
        result = CliRunner().invoke(cli.app, ["caption-review", f"jsonl:{tmp_path}", *map(str, arguments)])
        assert result.exit_code == 0, result.output
        return result

    out = tmp_path / "sheets"
    out.mkdir()
    said = run("--out", out / "review.json").stderr
    assert "4 captions" in said and "review.xml" in said and "Label Studio" in said
    export = done(out / "review.json", d0=("yes", "caption number 0", ""), d1=("no", "a better one", ""))
    result = run("--read", export, "--out", tmp_path / "better")
    assert "50.00" in result.stdout
    made = list(corpora.load(f"jsonl:{tmp_path / 'better'}").test)
    assert [d.captions["a (corrected)"] for d in made][:2] == ["caption number 0", "a better one"]
