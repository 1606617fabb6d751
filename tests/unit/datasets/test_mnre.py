"""The reader of MNRE, on made-up rows and on the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from openmie.corpora import load
from openmie.data.document import Document
from openmie.metrics import relations


def row(**changes) -> dict:
    base = {
        "token": ["Mira", "Tolk", "'s", "boat", "left", "Quend"],
        "h": {"name": "Mira Tolk", "pos": [0, 2]},
        "t": {"name": "Quend", "pos": [5, 6]},
        "img_id": "pic_1.jpg",
        "relation": "/per/loc/place_of_birth",
    }
    return {**base, **changes}


def write(folder: Path, *rows: object, name: str = "mnre_train.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join((r if isinstance(r, str) else repr(r)) + "\n" for r in rows), encoding="utf-8")
    return folder


def read(folder: Path, **options) -> tuple[list[Document], list[str]]:
    corpus = load(f"mnre:{folder}", **options)
    return list(corpus.train), [str(r) for r in corpus.skipped]


def test_a_row_becomes_a_document(tmp_path):
    documents, skipped = read(write(tmp_path, row(), row(relation="None")))
    assert skipped == []
    first = documents[0]
    assert first.id == "train-1" and first.text == "Mira Tolk 's boat left Quend"
    assert [(m.id, m.text, m.label) for m in first.mentions] == [("h", "Mira Tolk", ""), ("t", "Quend", "")]
    assert [(r.head, r.tail, r.label) for r in first.relations] == [("h", "t", "/per/loc/place_of_birth")]
    assert documents[1].relations[0].label == "None"
    assert first.images[0].id == "pic_1.jpg" and first.images[0].path == ""


@pytest.mark.parametrize("image, named", [(17, "17"), ("17", "17"), ("17.jpg", "17")])
def test_a_numeric_image_id_finds_its_caption_and_its_picture(tmp_path, image, named):
    """Rows and caption files write one id as a number, as a text or with the ending of its file."""
    write(tmp_path, row(img_id=image))
    (tmp_path / "captions").mkdir()
    for split in ("train", "val", "test"):
        (tmp_path / "captions" / f"blip_{split}.txt").write_text("{'img_id': 17, 'text': 'a boat'}\n", encoding="utf8")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / f"{named}.jpg").write_bytes(b"")
    (found,), skipped = read(tmp_path, captions="blip", images=str(tmp_path / "pictures"))
    assert skipped == [] and found.captions == {"blip": "a boat"} and found.source["img_id"] == str(image)
    assert found.images[0].path == str(tmp_path / "pictures" / "17.jpg")


def test_the_blank_in_the_name_of_the_dev_file(tmp_path):
    write(tmp_path, row(), name="mnre_val .txt")
    corpus = load(f"mnre:{tmp_path}")
    assert set(corpus.sources) == {"dev"} and len(list(corpus.dev)) == 1


def test_json_rows_are_read_too(tmp_path):
    import json

    documents, skipped = read(write(tmp_path, json.dumps(row())))
    assert documents[0].mentions[1].text == "Quend" and skipped == []


@pytest.mark.parametrize(
    "bad",
    [
        "{'token': ['a'",
        "__import__('os').getcwd()",
        "[1, 2]",
        "(" * 5000,
        "[" * 100000,
        "{'token': 9}",
        "1" * 5000,
        repr(row(h={"name": "Mira", "pos": [0, 9]})),
        repr(row(h={"name": "Mira", "pos": [2, 2]})),
        repr(row(h={"name": "Mira", "pos": [-1, 1]})),
        repr(row(h={"name": "Mira", "pos": [0, 1.0]})),
        repr(row(h={"name": "Mira", "pos": [0, True]})),
        repr(row(h={"name": "Quend", "pos": [0, 2]})),
        repr(row(h=None)),
        repr(row(token=[])),
        repr(row(token=["a", 3])),
        repr(row(relation="")),
        repr(row(img_id=3.5)),
    ],
)
def test_bad_rows_are_records(tmp_path, bad):
    documents, skipped = read(write(tmp_path, row(), bad, row()))
    assert [d.id for d in documents] == ["train-1", "train-3"]
    assert len(skipped) == 1 and "mnre_train.txt:2" in skipped[0] and "left out" in skipped[0]
    assert len(skipped[0]) < 700


def test_nothing_is_evaluated(tmp_path):
    target = tmp_path / "proof"
    write(tmp_path / "c", f"open({str(target)!r}, 'w').close()")
    read(tmp_path / "c")
    assert not target.exists()


def test_odd_rows_are_kept(tmp_path):
    both = row(h={"name": "Tolk", "pos": [1, 2]}, t={"name": "Mira Tolk", "pos": [0, 2]})
    documents, skipped = read(write(tmp_path, both))
    assert skipped == [] and documents[0].mentions[1].start == 0


def test_symmetric_relations_are_declared(tmp_path):
    corpus = load(f"mnre:{write(tmp_path, row())}")
    assert "/per/per/couple" in corpus.labels.symmetric and "/per/per/parent" not in corpus.labels.symmetric
    assert "None" not in corpus.labels.symmetric


def test_captions_relevance_and_images(tmp_path):
    write(tmp_path, row(), row(img_id="pic_2.jpg"))
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions/zed_train.txt").write_text(
        "{'img_id': 'pic_1.jpg', 'text': '\\nA boat.'}\n"
        "{'img_id': 'other.png', 'text': 'x'}\n"
        "{'img_id': 'pic_2.jpg', 'text': ''}\n"
    )
    (tmp_path / "captions/train_weight_strong.txt").write_text("pic_1.jpg\t0.25\npic_1.jpg\t0.75\nodd\n")
    (tmp_path / "pics/val").mkdir(parents=True)
    (tmp_path / "pics/val/pic_1.jpg").write_bytes(b"")
    corpus = load(f"mnre:{tmp_path}?captions=zed&images=pics&weights=true")
    first, second = corpus.train
    assert first.captions == {"zed": "A boat."} and second.captions == {}
    assert first.images[0].relevance == (("strong", 0.5),) and second.images[0].relevance == ()
    assert first.images[0].path.endswith("pics/val/pic_1.jpg") and second.images[0].path.endswith("pics/pic_2.jpg")
    assert sorted(r.found for r in corpus.skipped) == ["'odd'", "no file for 1 images, the first 'pic_2.jpg'"]


def test_version_1_writes_none_in_small_letters_and_numbers_for_images(tmp_path):
    """A system that never answers a relation scores 0, however it spells that there is none."""
    documents, skipped = read(write(tmp_path, row(relation="none", img_id=17), row()))
    assert skipped == [] and documents[0].relations[0].label == "None" and documents[0].images[0].id == "17"
    for none in ("none", "None", "NONE", ""):
        silent = [d.replace(relations=[r.model_copy(update={"label": none}) for r in d.relations]) for d in documents]
        for gold in (documents, [documents[1], silent[0]]):
            for as_released in (False, True):
                found = relations(gold, silent, as_released=as_released)
                assert (found.f1, found.predicted, found.gold) == (0, 0, 1)


@pytest.mark.slow
@pytest.mark.real
def test_real(corpora):
    corpus = load(f"mnre:{corpora}/mnre")
    train = list(corpus.train)
    assert len(train) == 12247 and len(list(corpus.dev)) == 1624 and len(list(corpus.test)) == 1614
    assert corpus.skipped == () and len(corpus.labels.relations) == 23
    assert sum(d.relations[0].label == "None" for d in train) == 7744
    assert corpus.labels.symmetric <= set(corpus.labels.relations)


@pytest.mark.real
def test_real_companions(corpora):
    corpus = load(f"mnre:{corpora}/mnre?captions=minicpm,BLIP&images=images&weights=true")
    dev = list(corpus.dev)
    assert all(d.captions["minicpm"] for d in dev) and all(len(d.images[0].relevance) == 2 for d in dev)
    assert len({d.images[0].id for d in dev if "BLIP" not in d.captions}) == 4
