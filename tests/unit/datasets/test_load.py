"""`load`: specs, options, laziness, and what is attached."""

from __future__ import annotations

from pathlib import Path

import pytest

import openmie.corpora as corpora_
from openmie.corpora import Spec, load
from openmie.data.document import Document
from openmie.datasets.reading.attachments import (
    AttachmentOptions,
    Attachments,
    image_stem,
    read_captions,
    read_relevance,
)
from openmie.datasets.reading.python_literal_rows import parse_literal
from openmie.datasets.reading.split_files import split_of
from openmie.errors import CorpusError

TWEET = "IMGID:1\nMira\tB-PER\n\nIMGID:2\nwaves\tO\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(TWEET)
    return tmp_path


@pytest.mark.parametrize(
    "spec, says",
    [
        ("", "twitter"),
        ("mnre", "FORMAT:PATH"),
        ("brat:.", "one of the formats"),
        ("mnre:", "No path"),
        ("mnre:/no/such/place", "nothing at"),
        ("mnre:{}?captions=zed", "captions=zed"),
        ("mnre:{}?image=x", "'image'"),
        ("mnre:{}?images", "key=value"),
        ("mnre:{}?images=nowhere", "images=nowhere"),
        ("mnre:{}?weights=true", "weights"),
        ("twitter:{}/empty", "which holds nothing"),
        ("diorama:trian=3", "'trian'"),
        ("diorama:train=x", "number of posts"),
        ("diorama:train=-1", "number of posts"),
        ("diorama:seed=x", "seed"),
    ],
)
def test_errors_say_what_was_expected(folder, spec, says):
    (folder / "empty").mkdir()
    with pytest.raises(CorpusError, match=says) as error:
        load(spec.format(folder))
    assert error.value.record.found and error.value.record.expected and error.value.record.remedy


def test_options_in_the_spec_and_as_keywords(folder):
    assert Spec.parse(f"twitter:{folder}?captions=a&images=b", images="c").options == {"captions": "a", "images": "c"}
    (folder / "odd?name.txt").write_text(TWEET)
    assert len(list(load(f"twitter:{folder}/odd?name.txt").test)) == 2


def test_files_and_split_names(folder):
    assert set(load(f"twitter:{folder}").sources) == {"train", "dev", "test"}
    assert set(load(f"twitter:{folder}/valid.txt").sources) == {"dev"}
    (folder / "mine.txt").write_text(TWEET)
    assert set(load(f"twitter:{folder}/mine.txt").sources) == {"test"}
    (folder / "more_train.txt").write_text(TWEET)
    assert set(load(f"twitter:{folder}").sources) == {"train", "dev", "test"}  # the bare name wins
    (folder / "train.txt").unlink()
    (folder / "other_train.txt").write_text(TWEET)
    with pytest.raises(CorpusError, match=r"2 files for train: more_train\.txt, other_train\.txt"):
        load(f"twitter:{folder}")


@pytest.mark.parametrize(
    "name, split",
    [
        ("mnre_val .txt", "dev"),
        ("dev_en.json", "dev"),
        ("Train.TXT", "train"),
        ("notes.txt", ""),
        ("owltraincaption_1.txt", ""),
        ("train_test.txt", ""),
    ],
)
def test_split_of(name, split):
    assert split_of(Path(name)) == split


def test_only_the_split_that_is_asked_for_is_opened(folder, opened):
    (folder / "captions.txt").write_text("1.jpg :a boat\n")
    del opened[:]
    corpus = load(f"twitter:{folder}?captions=captions.txt")
    assert not [o for o in opened if str(folder) in o]
    list(corpus.train)
    assert {Path(o).name for o in opened if str(folder) in o} == {"train.txt", "captions.txt"}


def test_a_file_that_vanishes(folder):
    corpus = load(f"twitter:{folder}")
    (folder / "train.txt").unlink()
    with pytest.raises(CorpusError, match=r"train\.txt.*still there"):
        list(corpus.train)


def test_plain_formats(tmp_path):
    documents = [Document.from_words(f"d{i}", ["Mira", "waves"]) for i in range(3)]
    for name in ("train", "dev", "test"):
        corpora_.write(documents, tmp_path / f"{name}.jsonl")
    corpus = load(f"jsonl:{tmp_path}?symmetric=couple,peer")
    assert list(corpus.train) == documents and list(corpus.train) == documents
    assert corpus.symmetric == {"couple", "peer"} and not len(corpus.skipped)
    (tmp_path / "train.jsonl").write_text(documents[0].to_json() + "\nbroken\n")
    assert list(corpus.train) == documents[:1] and ["train.jsonl:2" in str(r) for r in corpus.skipped] == [True]


def test_conll_folder(tmp_path):
    (tmp_path / "dev.conll").write_text("Mira B-PER\nwaves O\n\n")
    corpus = load(f"conll:{tmp_path}")
    assert [m.text for m in next(iter(corpus.dev)).mentions] == ["Mira"]


def test_diorama_takes_its_options_after_the_colon():
    corpus = load("diorama:train=3,dev=2,test=1,seed=5,ambiguous=0.5,translation=false")
    assert [len(list(corpus.split(s))) for s in ("train", "dev", "test")] == [3, 2, 1]
    assert len(list(load("diorama:", train=4).train)) == 4


@pytest.mark.parametrize(
    "content, expected",
    [
        ("a.jpg :a boat\nb.jpg :two boats: red\n", {"a": "a boat", "b": "two boats: red"}),
        ("a.jpg\ta boat\n", {"a": "a boat"}),
        ("a.jpg :\nb.jpg :x\n", {"a": "", "b": "x"}),
        ("{'img_id': 'a.jpg', 'text': \"it's\"}\n", {"a": "it's"}),
        ('{"img_id": "a.jpg", "text": "\\nx"}\n', {"a": "x"}),
        ("{'img_id': 17, 'text': 'x'}\n{'img_id': '18', 'text': 'y'}\n", {"17": "x", "18": "y"}),
        ("imgid:a###one\ntwo\n\nthree\nimgid:b###x\n", {"a": "one\ntwo\n\nthree", "b": "x"}),
        ("a.jpg :x\na.jpg :x\n", {"a": "x"}),
        ("", {}),
    ],
)
def test_caption_files(tmp_path, content, expected):
    (tmp_path / "c.txt").write_text(content)
    assert read_captions(tmp_path / "c.txt") == (expected, [])


@pytest.mark.parametrize(
    "content",
    ["a.jpg :x\na.jpg :y\n", "a.jpg :x\nnothing\n", "a.jpg :x\n{'img_id': 3}\n", "a.jpg :x\n{'img_id': 'b', 'text'\n"],
)
def test_bad_caption_lines_are_records(tmp_path, content):
    (tmp_path / "c.txt").write_text(content)
    found, errors = read_captions(tmp_path / "c.txt")
    assert found == {"a": "x"} and len(errors) == 1 and errors[0].where.endswith("c.txt:2")


def test_weights(tmp_path):
    (tmp_path / "w.txt").write_text("a.jpg\t0.5\na.jpg\t1.0\nb.jpg\t\nc.jpg\t1e-3\nd.jpg\tnan\nc.jpg\tinf\n")
    found, errors = read_relevance(tmp_path / "w.txt")
    assert found == {"a": 0.75, "c": 0.001} and len(errors) == 3


def test_image_ids_never_lead_out_of_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    media = Attachments(AttachmentOptions(images=tmp_path / "in"), "train")
    for image in ("../secret.jpg", str(tmp_path / "secret.jpg"), "..\\secret.jpg", "a/../../secret.jpg"):
        assert Path(media.image(image).path) == tmp_path / "in/secret.jpg"
    assert "no file for 4 images" in media.records()[0].found


@pytest.mark.parametrize(
    "image, key", [("a.jpg", "a"), ("a.JPEG", "a"), ("a.b", "a.b"), ("17_06_1", "17_06_1"), (".jpg", ".jpg")]
)
def test_bare(image, key):
    assert image_stem(image) == key


def test_images_are_found_with_any_ending(folder):
    (folder / "pics").mkdir()
    (folder / "pics/1.png").write_bytes(b"x")
    corpus = load(f"twitter:{folder}?images=pics")
    first, second = corpus.train
    assert first.images[0].path == str(folder / "pics/1.png") and second.images[0].path == str(folder / "pics/2.jpg")
    assert len(corpus.skipped) == 1 and "no file for 1 images, the first '2'" in corpus.skipped[0].found


@pytest.mark.parametrize(
    "text, value",
    [
        ("{'a': 'it\\'s'}", {"a": "it's"}),
        ('{"a": "x\\/y", "b": null}', {"a": "x/y", "b": None}),
        ('["\\ud83d\\ude00"]', ["\U0001f600"]),
        ('["\\ud83d"]', None),
        ("['\\udc00']", None),
        ("('a', 1.5, True)", ("a", 1.5, True)),
        ("__import__('os')", None),
        ("[" * 300 + "]" * 300, None),
        ("1" * 10_000, None),
        ("{[]: 1}", None),
        ("", None),
    ],
)
def test_literals(text, value):
    assert parse_literal(text) == value


@pytest.mark.parametrize("name", ["LLaVA-1.5", "Qwen2.5-VL", "BLIP", "captions_v1.5"])
@pytest.mark.parametrize("ending", [".txt", ".jsonl", "", None])
def test_a_caption_file_gives_its_whole_name_to_the_generator(tmp_path, name, ending):
    """`LLaVA-1.5` is no `LLaVA-1`: a file for all splits, with an ending or none, or one a split."""
    (tmp_path / "train.txt").write_text("IMGID:7\nMira\tB-PER\n", encoding="utf8")
    files = [f"{name}_train.txt"] if ending is None else [f"{name}{ending}"]
    (tmp_path / "captions").mkdir()
    for file in files:
        (tmp_path / "captions" / file).write_text("7.jpg :a boat\n", encoding="utf8")
    asked = name if ending is None else files[0]
    (document,) = load(f"twitter:{tmp_path}?captions={asked}").train
    assert document.captions == {name.removeprefix("captions_"): "a boat"}
