"""MNRE with what HVPNeT and TMR publish beside it: synthetic folders in their layouts."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from openmie.corpora import load
from openmie.data.images import image_or_crop
from openmie.errors import CorpusError
from openmie.model.features.images import relevance, select_images
from openmie.nn.encode.inputs import EncoderInputs

SPLITS = ("train", "val", "test")
IDS = ["a_1.jpg", "b_2.jpg", "a_1.jpg"]  # two rows of one picture


def picture(path: Path, size=(40, 30), colour=(9, 9, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("RGB", size, colour).save(path)


def crop(image: str, number: int) -> str:
    return f"{image.partition('.')[0]}_pred_yolo_crop_{number}.png"


def tmr(folder: Path, boxes=lambda x: torch.tensor(x), write=torch.save, ending="pth") -> Path:
    """A folder as TMR and CAMIM publish it: three rows a split."""
    text = folder / "txt"
    text.mkdir(parents=True)
    for split in SPLITS:
        rows = [
            {
                "token": ["Mira", "left", "Quend", str(i)],
                "h": {"name": "Mira", "pos": [0, 1]},
                "t": {"name": "Quend", "pos": [2, 3]},
                "img_id": image,
                "relation": "None",
            }
            for i, image in enumerate(IDS)
        ]
        (text / f"ours_{split}.txt").write_text("".join(f"{r!r}\n" for r in rows), encoding="utf8")
        for image in set(IDS):
            picture(folder / "img_org" / split / image, colour=(255, 0, 0))
            picture(folder / "diffusion_pic" / split / image, colour=(0, 255, 0))
            for number in (0, 1):
                picture(folder / "img_vg" / split / "crops" / crop(image, number), (8, 8))
        crops = {0: [crop(IDS[0], 0)], 1: [crop(IDS[1], 1), crop(IDS[1], 0)], 2: []}
        write(crops, text / f"mre_{split}_dict.{ending}")
        drawn = {0: boxes([[1.0, 2.0, 11.0, 12.0]]), 1: boxes([[0.0, 0.0, 5.0, 5.0], [1.0, 1.0, 9.0, 9.0]]), 2: []}
        write(drawn, text / f"mre_dif_{split}_dict.{ending}")
        phrases = {str(i): f"Mira Quend {i}" for i in range(3)}
        (text / f"phrase_text_{split}.json").write_text(json.dumps(phrases), encoding="utf8")
        for start, weak in (("", 0.25), ("dif_", 0.75)):
            for name, score in (("weak", weak), ("strong", 1 - weak)):
                lines = "".join(f"{image}\t{score}\n" for image in IDS)
                (text / f"{start}{split}_weight_{name}.txt").write_text(lines, encoding="utf8")
    return folder


ALL = "images=img_org&objects=img_vg&generated=diffusion_pic&generated_objects=true&phrases=true&weights=true"


def read(folder: Path, options: str = ALL, split: str = "train"):
    corpus = load(f"mnre:{folder}?{options}")
    return list(corpus.split(split)), [str(r) for r in corpus.skipped]


def dump_json(data, path):
    plain = {str(k): [x.tolist() if hasattr(x, "tolist") else x for x in v] for k, v in data.items()}
    path.write_text(json.dumps(plain), encoding="utf8")


@pytest.mark.parametrize(
    ("boxes", "write", "ending"),
    [
        (torch.tensor, torch.save, "pth"),
        (np.array, torch.save, "pth"),
        (lambda x: [torch.tensor(b) for b in x], torch.save, "pth"),
        (torch.tensor, dump_json, "json"),
    ],
)
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_folder_of_tmr(tmp_path, boxes, write, ending, split):
    documents, skipped = read(tmr(tmp_path, boxes, write, ending), split=split)
    assert skipped == [] and len(documents) == 3
    kinds = [[(i.kind, i.parent) for i in d.images] for d in documents]
    drawn = ("object", "generated")
    assert kinds == [
        [("main", ""), ("object", "a_1.jpg"), ("generated", ""), drawn],
        [("main", ""), ("object", "b_2.jpg"), ("object", "b_2.jpg"), ("generated", ""), drawn, drawn],
        [("main", ""), ("generated", "")],
    ]
    first = documents[0]
    assert [p.text for p in first.phrases] == ["Mira Quend 0"] and documents[2].phrases[0].text == "Mira Quend 2"
    assert Path(documents[1].images[1].path).name == crop("b_2.jpg", 1)  # in the order of the file
    assert first.images[3].box == (1, 2, 11, 12)
    inputs = EncoderInputs(reads_images=True, objects=3, generated=True)
    assert [slot for slot, _ in select_images(documents[1], inputs)] == [0, 1, 2, 4, 5, 6]
    assert relevance(first, inputs) == [0.75, 0.25, 0.25, 0.75]
    cut = image_or_crop(first, first.images[3], {})
    assert cut.size == (10, 10) and cut.getpixel((5, 5))[1] > 200  # out of the generated image
    assert not first.dangling()


def test_the_folder_of_hvpnet_has_crops_alone_and_names_dev(tmp_path):
    folder = tmr(tmp_path)
    for file in (folder / "txt").glob("*val*.pth"):
        file.rename(str(file).replace("_val_", "_dev_"))
    documents, skipped = read(folder, "objects=true", "dev")
    assert [sum(i.kind == "object" for i in d.images) for d in documents] == [1, 2, 0] and not skipped


def test_crops_without_a_list_are_those_named_after_the_image(tmp_path):
    folder = tmr(tmp_path)
    for file in (folder / "txt").glob("*.pth"):
        file.unlink()
    documents, _ = read(folder, "objects=img_vg")
    assert [[i.id for i in d.images[1:]] for d in documents] == [[crop(i, 0), crop(i, 1)] for i in IDS]


def test_keys_may_be_images(tmp_path):
    folder = tmr(tmp_path)
    torch.save({"a_1.jpg": [crop("a_1.jpg", 0)]}, folder / "txt" / "mre_train_dict.pth")
    torch.save({"IMGID:a_1.png": torch.tensor([[0.0, 0, 5, 5]])}, folder / "txt" / "mre_dif_train_dict.pth")
    documents, _ = read(folder)
    assert [sum(i.kind == "object" for i in d.images) for d in documents] == [2, 0, 2]


def test_what_is_missing_or_odd_is_a_record_and_the_rest_is_read(tmp_path):
    folder = tmr(tmp_path)
    for split in SPLITS:
        (folder / "diffusion_pic" / split / "b_2.jpg").unlink()
    (folder / "img_vg" / "train" / "crops" / crop("a_1.jpg", 0)).unlink()
    torch.save(
        {0: [crop("a_1.jpg", 0), "../../img_org/train/a_1.jpg"], 1: [crop("a_1.jpg", 1)]},
        folder / "txt" / "mre_train_dict.pth",
    )
    torch.save({0: [[5.0, 5.0, 1.0, 9.0]], 2: [[0.0, 0.0, 3.0, 3.0]]}, folder / "txt" / "mre_dif_train_dict.pth")
    documents, skipped = read(folder)
    assert [[i.kind for i in d.images] for d in documents] == [
        ["main", "generated"],
        ["main", "object"],
        ["main", "generated", "object"],
    ]
    told = " ".join(skipped)
    for words in (
        "2 crops that",
        "1 generated images that",
        "1 boxes in generated images",
        "not named after the image",
    ):
        assert words in told, told


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = tmr(tmp_path / "data")
    for write in (
        lambda path: torch.save({0: [Evil()]}, path),
        lambda path: path.write_bytes(pickle.dumps({0: Evil()})),
    ):
        write(folder / "txt" / "mre_dif_train_dict.pth")
        with pytest.raises(CorpusError, match="mre_dif_train_dict"):
            read(folder)
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("objects=nowhere", ["objects=nowhere", "img_vg"]),
        ("generated=nowhere", ["generated=nowhere", "diffusion_pic"]),
        ("generated_objects=true", ["without the option generated"]),
        ("generated=true&generated_objects=img_vg", ["mre_dif_train_dict.pth"]),
        ("phrases=img_vg", ["phrase_text_train.json"]),
        ("object=img_vg", ["option 'object'", "objects"]),
    ],
)
def test_an_option_that_finds_nothing_says_what_it_expects(tmp_path, options, words):
    with pytest.raises(CorpusError) as error:
        read(tmr(tmp_path), options)
    assert all(w in str(error.value) for w in words), str(error.value)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"[1, 2]"])
def test_a_broken_list_is_an_error_that_names_it(tmp_path, content):
    folder = tmr(tmp_path)
    for name in ("mre_train_dict.pth", "phrase_text_train.json"):
        kept = (folder / "txt" / name).read_bytes()
        (folder / "txt" / name).write_bytes(content)
        with pytest.raises(CorpusError, match=name):
            read(folder)
        (folder / "txt" / name).write_bytes(kept)


def test_camim_on_tmr_learns_mutual_information_from_them(tmp_path):
    from dataclasses import replace

    from openmie.papers import camim
    from openmie.train import fit

    corpus = load(f"mnre:{tmr(tmp_path / 'data')}?{ALL}")
    full = camim.recipe(corpus)
    phrases = replace(full.encode, phrases=True, context="")
    recipe = replace(
        full,
        encode=phrases,
        fuse=(replace(full.fuse[1], object_words="phrases"),),
        training=replace(full.training, epochs=1, batch_size=3),
    )
    dev = [d.replace(relations=(d.relations[0].model_copy(update={"label": "x"}),)) for d in corpus.dev]
    recipe = replace(recipe, heads=(replace(recipe.heads[0], labels=("None", "x")),))
    done = list(fit(recipe, [*corpus.train], dev, out=tmp_path / "out"))[-1]
    assert done.values["rows"]["mi"] == 3
