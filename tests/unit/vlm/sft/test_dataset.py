"""Lessons of a corpus, the files that other people's scripts read, and the tokenizer of the tiny model."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from PIL import Image as Pillow

pytest.importorskip("transformers")

from openmie import diorama
from openmie.data.document import Document, Image
from openmie.datasets import mmre
from openmie.diorama.posts import names
from openmie.diorama.rng import RandomStream
from openmie.errors import CorpusError, ImageError, TrainError
from openmie.vlm import pfa
from openmie.vlm.sft import dataset
from openmie.vlm.sft import tiny_llava as tiny
from openmie.vlm.sft.dataset import PromptSpec, build_sft_dataset, export, read

LABELS = ("LOC", "MISC", "ORG", "PER")


@pytest.fixture(scope="module")
def posts():
    config = diorama.Config(translation=False, size=64, seed=3)
    return list(mmre.build_mmre(diorama.corpus(config, train=60, dev=1, test=1)).train)


@pytest.fixture(scope="module")
def processor(posts):
    lessons, _ = build_sft_dataset(posts, PromptSpec(labels=LABELS))
    prompts, answers = dataset.texts(lessons)
    return tiny.make_processor(tiny.make_tokenizer(prompts, answers, tiny.Tiny(least=4)), tiny.Tiny())


# -- lessons


def test_a_lesson_is_what_pfa_asks_and_answers(posts):
    for ask in (
        PromptSpec(labels=LABELS),
        PromptSpec(labels=LABELS, plain=True),
        PromptSpec(labels=LABELS, tasks=("ner",), patches=False),
    ):
        (made,), refused = build_sft_dataset(posts[:1], ask)
        request = pfa.prompt(posts[0], LABELS, ask.tasks, ask.patches, ask.plain)
        assert (made.request().prompt, made.request().images) == (request.prompt, request.images) and not refused
        assert made.answer == pfa.render(posts[0], LABELS, ask.tasks, plain=ask.plain)
        assert len(made.images) == (1 + sum(i.kind == "patch" for i in posts[0].images) if ask.patches else 1)


def test_gold_is_in_no_prompt(posts):
    bare, _ = build_sft_dataset([p.without_gold().replace(summary="x") for p in posts], PromptSpec(labels=LABELS))
    made, _ = build_sft_dataset(posts, PromptSpec(labels=LABELS))
    assert [x.prompt for x in bare] == [x.prompt for x in made]


def test_what_gives_no_lesson_is_told(posts, tmp_path):
    lost = Image(path=str(tmp_path / "none.png"))
    bad = [
        posts[0].replace(summary=""),
        posts[1].replace(images=(), regions=()),
        posts[2].replace(images=(lost,), regions=()),
        posts[3],
    ]
    made, refused = build_sft_dataset(
        bad, PromptSpec(labels=("PER",) if posts[3].mentions[0].label != "PER" else ("LOC",))
    )
    assert not made and len(refused) == 4
    told = [str(r) for r in refused]
    assert "no summary" in told[0] and "no main image" in told[1] and "no such file" in told[2]
    assert "labels" in told[3]
    assert (
        len(build_sft_dataset(bad[:1], PromptSpec(labels=LABELS, tasks=("ner",)))[0]) == 1
    )  # no summary is needed then


def truncated(path, picture):
    """A file whose header is right and whose end is missing, as after a broken download."""
    picture.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return Image(id="main", path=str(path), width=picture.width, height=picture.height)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_truncated_picture_is_found_before_the_first_step(posts, tmp_path, suffix):
    noise = Pillow.effect_noise((64, 64), 90).convert("RGB")
    bad = posts[1].replace(images=(truncated(tmp_path / f"half.{suffix}", noise), *posts[1].images[1:]))
    made, (record,) = build_sft_dataset([posts[0], bad, posts[2]], PromptSpec(labels=LABELS))
    assert [x.id for x in made] == [posts[0].id, posts[2].id]
    assert bad.id in record.where and f"half.{suffix}" in record.where
    assert record.found.startswith("a broken file") and record.expected == "a whole image" and record.remedy


def test_a_patch_outside_of_its_picture_is_found_too(posts):
    far = posts[1].images[1].model_copy(update={"box": (900.0, 900.0, 990.0, 990.0)})
    bad = posts[1].replace(images=(posts[1].images[0], far, *posts[1].images[2:]), regions=())
    made, (record,) = build_sft_dataset([posts[0], bad], PromptSpec(labels=LABELS))
    assert len(made) == 1 and bad.id in record.where and "in a picture of" in record.found


def test_files_are_read_once_until_they_change(posts, tmp_path, monkeypatch):
    from openmie.vlm.sft import image_check

    path = tmp_path / "a.png"
    Pillow.effect_noise((64, 64), 90).convert("RGB").save(path)
    document = posts[0].replace(images=(Image(id="main", path=str(path), width=64, height=64),), regions=())
    reads = []
    read = image_check._read
    monkeypatch.setattr(image_check, "_read", lambda *a: reads.append(1) or read(*a))
    for _ in range(3):
        assert len(build_sft_dataset([document], PromptSpec(labels=LABELS))[0]) == 1
    assert len(reads) == 1
    path.write_bytes(path.read_bytes()[:200])
    assert not build_sft_dataset([document], PromptSpec(labels=LABELS))[0] and len(reads) == 2


def test_examples_come_in_order_whatever_is_read_first(posts):
    many = [p.replace(id=f"{n}-{p.id}") for n in range(3) for p in posts]
    assert [x.id for x in build_sft_dataset(iter(many), PromptSpec(labels=LABELS))[0]] == [p.id for p in many]


def test_an_export_that_cannot_be_whole_writes_nothing(posts, tmp_path):
    lessons, _ = build_sft_dataset(posts[:3], PromptSpec(labels=LABELS))
    noise = Pillow.effect_noise((64, 64), 90).convert("RGB")
    main = truncated(tmp_path / "half.png", noise)
    lost = dataclasses.replace(lessons[1], document=posts[1].replace(images=(main,), regions=()), images=(main,))
    with pytest.raises(ImageError, match="a broken file"):
        export([lessons[0], lost, lessons[2]], tmp_path / "exported", "train")
    assert not (tmp_path / "exported").exists()


# -- files of others


@pytest.mark.parametrize("format", dataset.FORMATS)
def test_export_comes_back(posts, tmp_path, format):
    lessons, _ = build_sft_dataset(posts[:5], PromptSpec(labels=LABELS))
    path = export(lessons, tmp_path, "train", format)
    rows = read(path)
    assert [(r.id, r.prompt, r.answer) for r in rows] == [(x.id, x.prompt, x.answer) for x in lessons]
    for row, item in zip(rows, lessons, strict=True):
        for file, picture in zip(row.images, item.pictures(), strict=True):
            with Pillow.open(file) as found:
                assert found.convert("RGB").tobytes() == picture.tobytes()


def test_llava_file_is_as_scripts_expect_it(posts, tmp_path):
    lessons, _ = build_sft_dataset(posts[:2], PromptSpec(labels=LABELS))
    row = json.loads(export(lessons, tmp_path, "train").read_text(encoding="utf8"))[0]
    assert set(row) == {"id", "image", "conversations"}
    human, gpt = row["conversations"]
    assert (human["from"], gpt["from"]) == ("human", "gpt")
    assert human["value"].startswith("<image>\n" * len(row["image"]))
    assert human["value"].count("<image>") == len(row["image"]) == len(lessons[0].images)
    assert all((tmp_path / name).exists() for name in row["image"])
    export(lessons[:1], tmp_path, "test", "messages")
    info = json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf8"))
    assert info["train"]["columns"] == {"messages": "conversations", "images": "image"}
    assert info["test"]["tags"]["role_tag"] == "role" and info["test"]["file_name"] == "test.json"


def test_an_image_mark_in_a_text_is_no_image(posts, tmp_path):
    document = Document(
        id="../../odd <id>", text="see <image> and <image>", summary="<image> of a man", images=posts[0].images[:1]
    )
    lessons, _ = build_sft_dataset([document], PromptSpec(labels=LABELS))
    path = export(lessons, tmp_path, "train")
    text = path.read_text(encoding="utf8")
    assert text.count("<image>") == 1 and "< image> of a man" in text
    assert {p.parent for p in tmp_path.glob("**/*.png")} == {tmp_path / "images"}  # an id is no path


def test_export_and_read_refuse_what_they_cannot_do(posts, tmp_path):
    lessons, _ = build_sft_dataset(posts[:1], PromptSpec(labels=LABELS))
    for split, format in (("train", "csv"), ("a/b", "llava"), ("", "llava")):
        with pytest.raises(CorpusError, match="a name for a file"):
            export(lessons, tmp_path, split, format)
    with pytest.raises(CorpusError, match="two lessons"):
        export(lessons * 2, tmp_path, "train")
    path = export(lessons, tmp_path, "train")
    next((tmp_path / "images").glob("*.png")).unlink()
    with pytest.raises(CorpusError, match="no file"):
        read(path)
    for text in ('{"a": 1}', "[1]", "not JSON", '[{"id": "x"}]'):
        (tmp_path / "bad.json").write_text(text, encoding="utf8")
        with pytest.raises(CorpusError, match="conversations as LLaVA"):
            read(tmp_path / "bad.json")


# -- the tiny model's words


def test_any_text_comes_back_from_its_tokens(processor):
    draw = random.Random(0)
    words = processor.tokenizer
    letters = "aZ éß中日😊\n\t :;'\"{}[]<>|\\.0189"
    texts = ["".join(draw.choices(letters, k=draw.randrange(40))) for _ in range(300)]
    for text in [*texts, "Task 1 Answer: x", "  two  blanks  ", "RT@x: HelloWorld!!"]:
        assert words.decode(words(text)["input_ids"], clean_up_tokenization_spaces=False) == text


def test_a_name_is_the_same_pieces_wherever_it_stands(processor):
    """What makes copying learnable: of names that no training post has, too."""
    words = processor.tokenizer
    for i in range(50):
        name = names.word(RandomStream(0, 0, i, 0), "test")
        alone = words(name)["input_ids"]
        for before, after in (("I met ", " today"), (":PER;", ":"), ("{'a': '", "'}")):
            ids = words(before + name + after)["input_ids"]
            assert any(ids[k : k + len(alone)] == alone for k in range(len(ids))), (before, name)
        assert 1 < len(alone) < 6


def test_words_of_few_texts_count_once():
    texts = ["Ada met Bo", "Ada met Cy", "Ada met Bo", "met Ada Bo"]
    assert tiny.once(texts, 0.8) == ["Ada met Bo", "Ada met Cy", "Ada met ", "met Ada "]
    assert tiny.once(texts, 0.0) == texts


def test_shared_lines_are_one_token(processor, posts):
    (item,), _ = build_sft_dataset(posts[:1], PromptSpec(labels=LABELS))
    first, *_ = item.prompt.splitlines(keepends=True)
    assert len(processor.tokenizer(first)["input_ids"]) == 1
    assert len(processor.tokenizer(item.prompt)["input_ids"]) < 40
    assert tiny.shared_lines(["a b c d\nx", "a b c d\ny"], 1.0) == ["a b c d\n"]
    assert tiny.shared_lines(["a b c d\nx", "e f g h\ny"], 0.6) == []


def test_patches_have_their_letters_and_images_four_tokens(processor, posts):
    from openmie.vlm.backends.chat_template import render_prompt

    (item,), _ = build_sft_dataset(posts[:1], PromptSpec(labels=LABELS))
    text = render_prompt(processor, item.request())
    n = len(item.images)
    assert text.startswith("<|user|><image>" + "".join(f"<image>{letter}" for letter in "abcdef"[: n - 1]))
    found = processor(text=[text], images=[list(item.pictures())], return_tensors="pt")
    assert (found["input_ids"] == processor.image_token_id).sum() == 4 * n
    assert found["pixel_values"].shape == (n, 3, 32, 32)


@pytest.mark.parametrize("sizes", [{"side": 33}, {"width": 30, "heads": 4}, {"layers": 1}])
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(TrainError, match="Tiny"):
        tiny.build(["some prompt"], ["an answer"], tiny.Tiny(**sizes))


def test_no_texts_no_tokenizer():
    with pytest.raises(TrainError, match="no texts"):
        tiny.make_tokenizer([], [], tiny.Tiny())
