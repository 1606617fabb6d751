"""What annotators return is odd: nothing is lost, taken for another's, or read wrong without a word."""

import json

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.annotation.coref_links import COREFERENCE, chains_to_links, links_to_chains
from openmie.annotation.export_import import collect, export
from openmie.cli import application as cli
from openmie.corpora import read, write
from openmie.data.corpus import Labels
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.data.frame_files import copy_frames
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import brat, labelstudio, voc

TEXT = "Orla met Bram . Orla left ."


@pytest.fixture
def clips(tmp_path):
    """Two clips of a video with an awkward name, annotated."""
    found = []
    for n in range(2):
        images = []
        for k in (0, 24):
            file = tmp_path / "frames" / f"50%25 a.b_{n}_{k}.png"
            file.parent.mkdir(exist_ok=True)
            Picture.new("RGB", (64, 48)).save(file)
            images.append(Image(id=f"frame_{k}", kind="frame", path=str(file), width=64, height=48))
        mentions = [Mention(id=i, start=a, end=a + 4, label="PER") for i, a in (("a", 0), ("b", 9), ("c", 16))]
        chains = [Chain(id="L0", label="PER", mentions=("a", "c")), Chain(id="L1", label="PER", mentions=("b",))]
        regions = [
            Region(image="frame_0", box=(5, 6, 20, 30), label="PER", of="L1"),
            Region(image="frame_24", box=(7, 8, 22, 33), label="PER", of="L0"),
        ]
        found.append(
            Document(
                id=f"50% a.b_{n}",
                text=TEXT,
                images=images,
                mentions=mentions,
                chains=chains,
                relations=[Relation(head="L0", tail="L1", label="PER-PER_peer")],
                regions=regions,
                source={"video": "50% a.b"},
            )
        )
    return found


@pytest.fixture
def tasks(clips, tmp_path):
    export(clips, tmp_path / "tasks")
    return tmp_path / "tasks"


def back(clips, *paths):
    found = list(collect(clips, *paths))
    return (
        [d for d in found if isinstance(d, Document)],
        [str(e) for d in found if isinstance(d, Document) for e in d.errors],
        [str(e) for e in found if isinstance(e, ErrorRecord)],
    )


def same(found, clips):
    return [(d.chains, d.relations, d.regions) for d in found] == [
        (
            tuple(
                c.model_copy(update={"mentions": tuple({"a": "T1", "b": "T2", "c": "T3"}[m] for m in c.mentions)})
                for c in d.chains
            ),
            d.relations,
            d.regions,
        )
        for d in clips
    ]


@pytest.mark.parametrize("boxes", ["voc", "yolo", "yolo/labels"])
def test_awkward_names_come_back_and_boxes_still_show_their_chain(clips, tasks, boxes):
    found, errors, strays = back(clips, tasks / "brat", tasks / "labelimg" / boxes)
    close = [
        d.replace(regions=tuple(r.model_copy(update={"box": tuple(round(x, 3) for x in r.box)}) for r in d.regions))
        for d in found
    ]
    assert same(close, clips) and not errors and not strays


def test_a_chain_whose_mentions_went_takes_its_boxes_along_and_says_so(clips, tasks):
    file = next((tasks / "brat").glob("*_0.ann"))
    file.write_text("".join(x for x in file.read_text().splitlines(True) if "T2" not in x))
    file.with_suffix(".txt").write_text(TEXT + "\n")  # an editor's line end
    found, errors, _ = back(clips, tasks / "brat")
    assert [r.of for r in found[0].regions] == ["", "L0"] and "'L1', which a box" in " ".join(errors)


def test_a_frame_that_lacks_takes_no_other_along(clips, tasks):
    for kind, ending in (("voc", "xml"), ("yolo/labels", "txt")):
        next((tasks / "labelimg" / kind).glob(f"*_0_24.{ending}")).unlink()
    for kind in ("voc", "yolo"):
        changed = [d.replace(regions=[r.model_copy(update={"box": (1, 1, 9, 9)}) for r in d.regions]) for d in clips]
        found, errors, _ = back(changed, None, tasks / "labelimg" / kind)
        assert [tuple(map(round, r.box)) for r in found[0].regions] == [(5, 6, 20, 30), (1, 1, 9, 9)]
        assert len(errors) == 1 and "_0_24" in errors[0]


def test_labelimg_s_own_list_of_classes_counts(clips, tasks):
    folder = tasks / "labelimg" / "yolo" / "labels"
    assert (folder / "classes.txt").read_text().split() == ["PER", "LOC", "ORG"]  # where LabelImg looks for it
    label = next(folder.glob("*_0_0.txt"))
    label.write_text(label.read_text() + "3 0.5 0.5 0.25 0.25\n")
    (folder / "classes.txt").write_text("PERSON\r\nLOC\r\nORG\r\nHORSE\r\n")  # one renamed, one new
    found, errors, _ = back(clips, None, folder.parent)
    assert [r.label for r in found[0].regions] == ["PERSON", "HORSE", "PERSON"] and not errors
    (folder / "classes.txt").write_text("dog\nPER\nLOC\nORG\n")
    with pytest.raises(CorpusError, match="'PER' at number 1"):
        back(clips, None, folder.parent)


def test_labelimg_s_voc_without_our_source_and_with_a_new_label(clips, tasks):
    for n, file in enumerate(sorted((tasks / "labelimg" / "voc").glob("*.xml"))):
        name = f"<name>{'HORSE' if n == 0 else 'PER'}</name>"
        file.write_text(
            f"<annotation><filename>x.png</filename><source><database>Unknown</database></source><size>"
            f"<width>64</width><height>48</height></size><object>{name}<bndbox><xmin>6</xmin><ymin>6</ymin>"
            "<xmax>21</xmax><ymax>30</ymax></bndbox></object></annotation>"
        )
    found, errors, strays = back(clips, None, tasks / "labelimg" / "voc")
    assert (
        [(r.label, r.of) for d in found for r in d.regions]
        == [("HORSE", ""), ("PER", "L0"), ("PER", "L1"), ("PER", "L0")]
        and not errors
        and not strays
    )


def test_frames_of_another_size_or_name_are_said(clips, tasks):
    files = sorted((tasks / "labelimg" / "voc").glob("*.xml"))
    files[0].write_text(files[0].read_text().replace("<width>64", "<width>128"))
    files[1].rename(files[1].with_name("other.xml"))
    files[1].with_name("other.xml").write_text(
        "<annotation><size><width>64</width><height>48</height></size></annotation>"
    )
    found, errors, strays = back(clips, None, tasks / "labelimg" / "voc")
    assert found[0].regions == clips[0].regions and ["128 x 48" in errors[0], "no file" in errors[1]] == [True, True]
    assert "1 files of no frame, such as other" in strays[0]


def test_two_frames_of_one_name_are_not_taken_for_each_other(clips, tasks):
    twin = clips[0].replace(id="twin", regions=())
    found, errors, _ = back([clips[0], twin], None, tasks / "labelimg" / "yolo")
    assert not found[1].regions and all("a second frame called" in e for e in errors) and len(errors) == 2


def test_texts_that_cannot_be_read_or_belong_to_no_clip_are_said(clips, tasks):
    for end in ("txt", "ann"):
        file = next((tasks / "brat").glob(f"*_0.{end}"))
        file.rename(file.with_name(f"renamed.{end}"))
    next((tasks / "brat").glob("*_1.txt")).write_bytes(b"\xff\xfe\xff")
    found, errors, strays = back(clips, tasks / "brat")
    assert [d.mentions for d in found] == [d.mentions for d in clips]
    assert "no annotation" in errors[0] and "utf-8" in errors[1]
    assert "1 documents of no clip, such as 'renamed'" in strays[0]


def test_a_text_whose_annotations_went_keeps_what_the_clip_had(clips, tasks):
    notes = next((tasks / "brat").glob("*_0.ann"))
    notes.write_text("")  # an annotator who found nothing
    found, errors, _ = back(clips, tasks / "brat")
    assert not found[0].mentions and all("which a box in" in e for e in errors)
    notes.unlink()
    found, errors, _ = back(clips, tasks / "brat")
    assert found[0].mentions == clips[0].mentions and len(errors) == 1 and "no annotation" in errors[0]


# -- Label Studio


def labelled(tasks, change):
    found = json.loads((tasks / "labelstudio" / "tasks.json").read_text())
    for task in found:
        task["annotations"] = [{"result": p["result"]} for p in task["predictions"]]
    change(found)
    (tasks / "out.json").write_text(json.dumps(found))
    return tasks / "out.json"


def test_a_task_that_nobody_did_keeps_what_the_clip_had(clips, tasks):
    exported = json.loads((tasks / "labelstudio" / "tasks.json").read_text())
    assert not any(t.get("annotations") for t in exported)  # else Label Studio takes them for done
    for annotations in ([], [{"was_cancelled": True, "result": []}]):
        found, errors, _ = back(clips, labelled(tasks, lambda t: t[0].update(annotations=annotations)))  # noqa: B023
        assert found[0].mentions == clips[0].mentions and found[0].chains == clips[0].chains
        assert len(errors) == 1 and "no annotation" in errors[0]


def test_lost_meta_doubles_and_strange_tasks(clips, tasks):
    def change(found):
        del found[0]["meta"]
        found.append(json.loads(json.dumps(found[0])))
        found[-1]["annotations"][0]["result"] = []
        found.append({"data": {"id": "elsewhere", "text": "x"}, "annotations": [{"result": []}]})
        found.append("nothing")

    found, errors, strays = back(clips, labelled(tasks, change))
    assert [[(r.image, r.of) for r in d.regions] for d in found] == [[("frame_0", "L1"), ("frame_24", "L0")]] * 2
    assert not errors and len(found[0].mentions) == 3
    said = " ".join(strays)
    assert len(strays) == 3 and "again" in said and "'elsewhere'" in said and "another shape" in said


def test_a_box_in_no_picture_of_the_task_is_in_none(tmp_path):
    result = [
        {
            "id": "r",
            "type": "rectanglelabels",
            "to_name": "gone",
            "original_width": 10,
            "original_height": 10,
            "value": {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["PER"]},
        }
    ]
    for names, regions in ((["image"], 1), (["image", "image2"], 0)):
        task = {"data": {"id": "d", "text": "x", **{k: f"{k}.png" for k in names}}, "annotations": [{"result": result}]}
        (tmp_path / "a.json").write_text(json.dumps([task]))
        document = next(iter(labelstudio.read(tmp_path / "a.json")))
        assert len(document.regions) == regions and sum("rectangle" in e.found for e in document.errors) == 1 - regions


def test_many_frames_keep_their_order_in_label_studio(tmp_path):
    images = [Image(id=f"f{k}", kind="frame", width=4, height=4, path="") for k in range(12)]
    write([Document(id="d", text="x", images=images)], tmp_path / "a.json", "labelstudio")
    assert [i.id for i in next(iter(labelstudio.read(tmp_path / "a.json"))).images] == [i.id for i in images]


# -- out


def test_frames_that_went_are_said_and_a_folder_that_is_there_is_left(clips, tmp_path):
    from pathlib import Path

    Path(clips[0].images[0].path).unlink()
    written = export(clips, tmp_path / "tasks", ("labelstudio", "labelstudio"))["labelstudio"]
    assert written.documents == 2 and "no file" in str(written.records[0])
    for tool in ("labelstudio", "labelimg"):
        (tmp_path / "tasks" / tool).mkdir(exist_ok=True)
        with pytest.raises(CorpusError, match="there already"):
            export(clips, tmp_path / "tasks", ("brat", tool))
        assert not (tmp_path / "tasks" / "brat").exists()


def test_labels_of_any_form_are_one_word_in_brat_s_settings(clips, tmp_path):
    export(clips, tmp_path / "tasks", ("brat",), Labels(("date of birth", "PER\n[events]"), ("is in",), (), ()))
    said = (tmp_path / "tasks" / "brat" / "annotation.conf").read_text().split("\n")
    assert "date%20of%20birth" in said and any(x.startswith("is%20in\t") for x in said) and said.count("[events]") == 1
    assert brat.escape_label("date of birth") == "date%20of%20birth"


def test_the_command_says_what_belongs_to_no_clip(clips, tasks, tmp_path):
    write(clips[:1], tmp_path / "clips.jsonl")
    command = ["video", "import", str(tmp_path / "clips.jsonl"), "--text", str(tasks / "brat"), "--out"]
    result = CliRunner().invoke(cli.app, [*command, str(tmp_path / "found.jsonl")])
    assert result.exit_code == cli.PARTIAL and "1 documents of no clip" in result.output
    assert len(list(read(tmp_path / "found.jsonl"))) == 1


def test_frames_go_along_to_another_folder(clips, tasks, tmp_path):
    many = [d.replace(id=f"{v} {d.id}", source={"video": v}) for v in ("a", "b", "c") for d in clips]
    write(many, tmp_path / "clips.jsonl")
    run, far = CliRunner(), tmp_path / "far"
    (far / "text").mkdir(parents=True)
    result = run.invoke(
        cli.app,
        [
            "video",
            "import",
            str(tmp_path / "clips.jsonl"),
            "--text",
            str(tasks / "brat"),
            "--out",
            str(far / "text" / "found.jsonl"),
        ],
    )
    assert result.exit_code == cli.PARTIAL and "outside" not in result.output
    for _ in range(2):  # again: the frames are there already
        result = run.invoke(cli.app, ["video", "split", str(tmp_path / "clips.jsonl"), "--out", str(far)])
        assert result.exit_code == 0 and "outside" not in result.output, result.output
    for file in (far / "text" / "found.jsonl", far / "train.jsonl", far / "dev.jsonl", far / "test.jsonl"):
        for d in read(file):
            assert len(d.images) == 2 and all(Picture.open(i.path).size == (64, 48) for i in d.images), d.errors
    strange = far / "frames" / "50%25 a.b_0_0.png"
    strange.unlink()
    Picture.new("RGB", (64, 48), "red").save(strange)
    with pytest.raises(CorpusError, match="two frames called"):
        list(copy_frames(clips, far))
    gone = clips[0].replace(images=(clips[0].images[0].model_copy(update={"path": str(tmp_path / "none.png")}),))
    assert list(copy_frames([gone], far)) == [gone]


def test_what_has_no_direction_is_decided_and_read_back(clips, tmp_path):
    turned = [
        d.replace(relations=[r.model_copy(update={"head": r.tail, "tail": r.head}) for r in d.relations]) for d in clips
    ]
    more = [d.replace(relations=[*d.relations, Relation(head="L0", tail="L1", label="met")]) for d in clips]
    other = [d.replace(relations=[*d.relations, Relation(head="L0", tail="L1", label="left")]) for d in turned]
    for name, documents in (("a", more), ("b", other)):
        write(documents, tmp_path / f"{name}.jsonl")
    run, said = (
        CliRunner(),
        ["video", "agree", *(str(tmp_path / f"{n}.jsonl") for n in "ab"), "--symmetric", "met", "--symmetric", "left"],
    )
    differ = tmp_path / "differ.csv"
    assert "2 disagreements" in run.invoke(cli.app, [*said, "--out", str(differ)]).output  # PER-PER_peer is agreed
    decided = [*said, "--decided", str(differ), "--resolved", str(tmp_path / "c.jsonl")]
    assert "--undecided" in str(run.invoke(cli.app, decided).exception)
    assert run.invoke(cli.app, [*decided, "--undecided", "b"]).exit_code == 0
    assert [{r.label for r in d.relations} for d in read(tmp_path / "c.jsonl")] == [{"PER-PER_peer", "left"}] * 2
    table = differ.read_text(encoding="utf-8-sig").split("\n")
    table[1:3] = [line[: line.rindex('"",""')] + '"a",""' for line in table[1:3]]
    differ.write_text("\n".join(table), encoding="utf-8-sig")
    assert run.invoke(cli.app, decided).exit_code == 0
    assert [{r.label for r in d.relations} for d in read(tmp_path / "c.jsonl")] == [{"PER-PER_peer", "met"}] * 2


# -- chains and VOC


def test_a_mention_that_is_not_in_the_text_breaks_no_chain():
    mentions = [
        Mention(id="m0", start=0, end=4, label="PER"),
        Mention(id="m2", start=16, end=20, label="PER"),
        Mention(id="m1", start=0, end=0, label="PER", text="the singer", status="unlocated"),
    ]
    gold = Document(id="d", text=TEXT, mentions=mentions, chains=[Chain(id="c", mentions=("m1", "m0", "m2"))])
    assert [(r.head, r.tail) for r in chains_to_links(gold).relations] == [("m0", "m2"), ("m2", "m1")]
    assert [set(c.mentions) for c in links_to_chains(chains_to_links(gold)).chains] == [{"m0", "m1", "m2"}]


def test_what_is_of_a_chain_that_went_is_said():
    mentions = [Mention(id=i, start=a, end=a + 4, label="PER") for i, a in (("L0", 0), ("b", 9))]
    found = links_to_chains(
        Document(
            id="d",
            text=TEXT,
            mentions=mentions,
            chains=[Chain(id="c", mentions=("L0",))],
            relations=[Relation(head="c", tail="b", label="x"), Relation(head="b", tail="gone", label=COREFERENCE)],
            regions=[Region(image="i", box=(0, 0, 1, 1), of="c")],
        )
    )
    assert not found.relations and found.regions[0].of == "" and len(found.errors) == 3 and not found.dangling()[1:]
    assert [c.mentions for c in found.chains] == [("L0",), ("b",)]  # a mention called as chains are is in nobody's way


def test_a_copied_or_strange_voc_file_is_a_record(clips, tmp_path):
    write(clips[:1], tmp_path / "voc", "voc")
    files = sorted((tmp_path / "voc").glob("*.xml"))
    (tmp_path / "voc" / "z.xml").write_text(files[0].read_text().replace(">frame<", ">strange<"))
    items = list(voc.read(tmp_path / "voc"))
    assert len(items) == 2 and isinstance(items[0], ErrorRecord) and len(items[1].images) == 2
    (tmp_path / "voc" / "z.xml").write_text(files[0].read_text())
    assert "used twice" in str(next(iter(voc.read(tmp_path / "voc"))))
