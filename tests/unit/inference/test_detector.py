"""Small detectors of each family beside the library's own post-processing, and the command `openmie objects`."""

import json
import string

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.errors import CorpusError, ImageError, OpenMIEError, RecipeError
from openmie.inference import detector
from openmie.inference.detector import Query
from openmie.inference.object_proposals import ProposalOptions, propose_objects
from tests.fixtures import small
from tests.unit.inference.test_object_proposals import TEXT, post

# -- small detectors of each family


def clip_tokenizer():
    from transformers import CLIPTokenizer

    letters = [*string.ascii_lowercase, *string.digits, "."]
    words = ["!", *letters, *(c + "</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=[], pad_token="!", model_max_length=16)


def save_owl(folder, name):
    import transformers as library

    tokenizer = clip_tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": len(tokenizer) - 2, "eos_token_id": len(tokenizer) - 1, "pad_token_id": 0}
    config = getattr(library, f"{name}Config")(
        text_config={**sizes, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 16},
        vision_config={**sizes, "image_size": 64, "patch_size": 16}, projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(library, f"{name}ForObjectDetection")(config)
    with torch.no_grad():
        model.class_head.dense0.weight.normal_()  # else one query wins everywhere
        model.box_head.dense2.weight.mul_(0.02)  # else most boxes have no width or lie outside
    model.save_pretrained(folder)
    images = getattr(library, f"{name}ImageProcessorPil")(size={"height": 64, "width": 64})
    getattr(library, f"{name}Processor")(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


def save_dino(folder, name):
    """The vocabulary has the marks where the library takes them for granted, at 101, 102, 1012 and 1029."""
    import transformers as library
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    words = ["[PAD]", *(f"[unused{i}]" for i in range(1, 1030))]
    for i, word in {100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}.items():
        words[i] = word
    for i, c in enumerate([*string.ascii_lowercase, *string.digits]):
        words[200 + i], words[300 + i] = c, f"##{c}"
    text = {"model_type": "bert", "vocab_size": 1030, "hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64}  # fmt: skip
    swin = {"model_type": "swin", "image_size": 64, "patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1],
            "num_heads": [1, 2, 2], "window_size": 2, "out_indices": [1, 2, 3]}  # fmt: skip
    config = getattr(library, f"{name}Config")(
        text_config=text, backbone_config=swin, d_model=32, num_queries=10, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, max_text_len=48,
    )  # fmt: skip
    torch.manual_seed(0)
    getattr(library, f"{name}ForObjectDetection")(config).save_pretrained(folder)
    tokenizer = library.BertTokenizer(vocab={w: i for i, w in enumerate(words)})
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 100})
    library.GroundingDinoProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


SAVE = {"OwlViT": save_owl, "Owlv2": save_owl, "GroundingDino": save_dino, "MMGroundingDino": save_dino}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {name: tmp_path_factory.mktemp(name) for name in SAVE}
    for name, save in SAVE.items():
        save(made[name], name)
    return made


@pytest.fixture(scope="module")
def detectors(folders):
    return {name: detector.load(str(folder), "cpu") for name, folder in folders.items()}


SIZES = [(50, 40), (30, 60), (50, 40), (64, 64)]
QUERIES = [["cat", "dog run", "u2"], ["a"], ["kite"], ["red kite", "sky"]]


def pictures():
    return [Picture.fromarray(small.picture(i)).resize(size) for i, size in enumerate(SIZES)]


def ask(found, chosen):
    pixels = [found.prepare(pictures()[i]) for i in chosen]
    return found.detect(pixels, [SIZES[i] for i in chosen], [QUERIES[i] for i in chosen])


@pytest.mark.parametrize("name", SAVE)
def test_a_batch_answers_as_each_picture_alone(detectors, name):
    together = ask(detectors[name], range(4))
    for i, found in enumerate(together):
        (alone,) = ask(detectors[name], [i])
        assert len(found.boxes) == len(found.scores) == len(found.queries) > 0
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
        assert (found.queries == alone.queries).all() and (found.queries < len(QUERIES[i])).all()
    assert len({q for f in together for q in f.queries.tolist()}) > 1  # not one query everywhere


@pytest.mark.parametrize("name", ["OwlViT", "Owlv2"])
def test_owl_is_the_librarys_own_answer(detectors, name):
    from transformers import AutoProcessor

    one = detectors[name]
    processor = AutoProcessor.from_pretrained(one.model.name_or_path, backend="pil")
    for i, (picture, size) in enumerate(zip(pictures(), SIZES)):
        (found,) = ask(one, [i])
        inputs = processor(images=picture, text=[QUERIES[i]], return_tensors="pt")
        with torch.no_grad():
            made = one.model(**inputs)
        (expected,) = processor.post_process_grounded_object_detection(
            made, threshold=0.0, target_sizes=[size[::-1]], text_labels=[QUERIES[i]]
        )
        np.testing.assert_allclose(found.boxes, expected["boxes"], atol=1e-3)
        np.testing.assert_allclose(found.scores, expected["scores"], atol=1e-5)
        assert [QUERIES[i][q] for q in found.queries] == expected["text_labels"]


@pytest.mark.parametrize("name", ["GroundingDino", "MMGroundingDino"])
def test_dino_reads_the_librarys_text_and_scores_by_the_pieces_of_a_query(detectors, name):
    from transformers import AutoProcessor

    one = detectors[name]
    processor = AutoProcessor.from_pretrained(one.model.name_or_path, backend="pil")
    for i, (picture, size) in enumerate(zip(pictures(), SIZES)):
        (found,) = ask(one, [i])
        inputs = processor(images=[picture], text=[QUERIES[i]], return_tensors="pt")
        with torch.no_grad():
            made = one.model(**inputs)
        scores = made.logits[0].sigmoid().tolist()
        owners, k = [], 0
        for piece in inputs["input_ids"][0].tolist():
            owners.append(None if piece in (101, 102, 1012) else k)
            k += piece == 1012
        boxes = processor.post_process_grounded_object_detection(made, threshold=0.0, target_sizes=[size[::-1]])
        np.testing.assert_allclose(found.boxes, boxes[0]["boxes"], atol=1e-3)
        for row, score, query in zip(scores, found.scores, found.queries):
            best = [max(s for s, o in zip(row, owners) if o == q) for q in range(len(QUERIES[i]))]
            assert score == pytest.approx(max(best), abs=1e-5) and best[query] == pytest.approx(max(best), abs=1e-5)


def test_owl_queries_fit_sixteen_pieces(detectors):
    fit = detectors["OwlViT"].make_queries
    assert fit(["Red  Kite", "a" * 14]) == [Query("red kite"), Query("a" * 14)]
    assert fit(["first second thirdly ab", "a" * 15, ""]) == [Query("thirdly ab", False), *[Query("", False)] * 2]
    assert fit(["x\ud800y"]) == [Query("x?y")]


def test_dino_queries_fit_one_text(detectors):
    fit = detectors["GroundingDino"].make_queries
    assert fit(["U.S. Army?", "..."]) == [Query("u s army"), Query("", False)]
    queries = fit(["a" * 20, "b" * 20, "cd ef", "g"])  # 48 pieces: two marks, and a full stop for each query
    assert queries == [Query("a" * 20), Query("b" * 20), Query("ef", False), Query("", False)]
    with torch.no_grad():
        pixels = detectors["GroundingDino"].prepare(pictures()[0])
        assert len(detectors["GroundingDino"].detect([pixels], [SIZES[0]], [[q.text for q in queries[:3]]])) == 1


@pytest.mark.parametrize("name", SAVE)
def test_odd_pictures_are_read_or_refused(detectors, name):
    one = detectors[name]
    for size in ((1, 1), (3, 50), (50, 3), (2, 400)):
        try:
            pixels = one.prepare(Picture.new("RGB", size))
        except ImageError as error:
            assert "Dino" in name and f"{size[0]} x {size[1]}" in str(error)
            continue
        (found,) = one.detect([pixels], [size], [["a"]])
        assert np.isfinite(found.boxes).all()
        side = max(size) if name == "Owlv2" else 1  # fractions of the padded square, there
        assert found.boxes.max() <= 2 * max(side, *size)


def test_large_pictures_are_shrunk_and_their_boxes_are_not(detectors, monkeypatch):
    one = detectors["OwlViT"]
    picture = Picture.fromarray(small.picture(0)).resize((500, 400))
    shrunk = picture.copy()
    shrunk.thumbnail((128, 128))
    small_one = one.prepare(shrunk)
    monkeypatch.setattr(detector, "MAX_SIDE", 128)
    pixels = one.prepare(picture)
    assert torch.equal(pixels, small_one) and picture.size == (500, 400)
    a, b = (one.detect([pixels], [size], [["a"]])[0] for size in ((500, 400), (5, 4)))
    np.testing.assert_allclose(a.boxes, b.boxes * 100, rtol=1e-5)


@pytest.mark.parametrize("name", SAVE)
def test_documents_end_to_end(detectors, name):
    documents = [post(i, text=t) for i, t in enumerate((TEXT, "", "kites"))]
    found = list(
        propose_objects(documents, detectors[name], ProposalOptions(score_threshold=0.0, iou_threshold=1.0), batch=2)
    )
    assert [d.id for d in found] == [d.id for d in documents]
    for after in found:
        objects_ = [i for i in after.images if i.kind == "object"]
        assert len(objects_) == 3 and not after.errors and not after.dangling()
        assert all(0 <= x1 < x2 <= 50 and 0 <= y1 < y2 <= 40 for x1, y1, x2, y2 in (i.box for i in objects_))
        scores = [i.relevance[0][1] for i in objects_]
        assert scores == sorted(scores, reverse=True)
        assert {p.text for p in after.phrases} <= {"red kites", "Zorvane Tower", "kites", "an object"}


# -- loading


def test_what_cannot_be_loaded_is_said(folders, bert, tmp_path, monkeypatch):
    import shutil

    from safetensors.torch import load_file, save_file

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    copy = shutil.copytree(folders["OwlViT"], tmp_path / "a")
    weights = load_file(copy / "model.safetensors")
    save_file({k: v for k, v in weights.items() if not k.startswith("box_head")}, copy / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    pickled = shutil.copytree(folders["OwlViT"], tmp_path / "b")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    words = shutil.copytree(folders["OwlViT"], tmp_path / "c")
    for file in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        (words / file).unlink()
    (tmp_path / "empty").mkdir()
    cases = [(bert, "family bert"), (copy, "lacks .* weights"), (pickled, "cannot be loaded"),
             (words, "cannot be loaded"), (tmp_path / "empty", "cannot be loaded"),
             ("a/none", "local folder")]  # fmt: skip
    for source, said in cases:
        with pytest.raises(RecipeError, match=said):
            detector.load(str(source), "cpu")
    with pytest.raises(RecipeError, match="--device"):
        detector.load(str(folders["OwlViT"]), "abacus")


# -- the folder and the command


def run(*arguments, input=None):
    result = CliRunner().invoke(cli.app, ["objects", *map(str, arguments)], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def corpus(tmp_path):
    """A corpus of two splits, with a broken row and a missing image in the first."""
    (tmp_path / "in").mkdir()
    for i in range(4):
        Picture.fromarray(small.picture(i)).save(tmp_path / "in" / f"{i}.png")
    documents = [post(i, images=[Image(path=f"{i}.png")]) for i in range(6)]
    lines = [d.to_json() for d in documents]
    (tmp_path / "in" / "train.jsonl").write_text("\n".join([*lines[:3], "no json", lines[5]]) + "\n")
    (tmp_path / "in" / "dev.jsonl").write_text(lines[3] + "\n")
    return tmp_path / "in"


def test_the_command_writes_a_corpus_and_says_what_went_wrong(corpus, folders, tmp_path):
    out = tmp_path / "deep" / "out"
    options = ["--model", folders["OwlViT"], "--threshold", 0, "--overlap", 1, "--max-candidates", 2]
    options += ["--out", out, "--image-dir", corpus]
    result = run(f"jsonl:{corpus}", *options)
    assert result.exit_code == cli.PARTIAL and "no such file" in result.stderr and "not read: " in result.stderr
    assert {p.name for p in out.iterdir()} == {"train.jsonl", "dev.jsonl", "manifest.json"}
    again = corpora.load(f"jsonl:{out}", images=corpus)
    train, dev = list(again.train), list(again.dev)
    assert [d.id for d in train] == ["p0", "p1", "p2", "p5"] and [d.id for d in dev] == ["p3"]
    assert [len(d.images) for d in (*train, *dev)] == [3, 3, 3, 1, 3] and len(train[3].errors) == 1
    assert f"8 objects in 4 of 5 documents, 1 failed, in {out}" in result.stderr
    assert json.loads((out / "manifest.json").read_text())["settings"]["--max-candidates"] == 2
    before = (out / "train.jsonl").read_bytes()
    assert "8 objects in 4 of 5" in run(f"jsonl:{corpus}", *options).stderr
    assert (out / "train.jsonl").read_bytes() == before
    with pytest.raises(CorpusError, match=r"--overlap 0\.1, where it was begun with 1"):
        run(f"jsonl:{corpus}", *options, "--overlap", 0.1)
    with pytest.raises(CorpusError, match="something is there"):
        run(f"jsonl:{corpus}", "--model", folders["OwlViT"], "--out", corpus)
    assert run(f"jsonl:{corpus}", "--split", "dev", *options[:-4], "--out", tmp_path / "dev").exit_code == 0
    assert {p.name for p in (tmp_path / "dev").iterdir()} == {"dev.jsonl", "manifest.json"}


def test_the_command_reads_peoples_own_rows(corpus, folders, tmp_path):
    rows = '{"text": "red kites", "image": "0.png"}\n{"text": 3}\n{"text": "no picture"}\n'
    (corpus / "posts.jsonl").write_text(rows)
    options = ["--model", folders["GroundingDino"], "--threshold", 0, "--device", "cpu"]
    result = run(corpus / "posts.jsonl", *options, "--out", tmp_path / "a")
    found = [Document.from_json(line) for line in (tmp_path / "a" / "posts.jsonl").read_text().splitlines()]
    assert result.exit_code == cli.PARTIAL and [d.id for d in found] == ["1", "unread-2", "3"]
    assert len(found[0].images) > 1 and found[1].errors and found[2].text == "no picture" and not found[2].errors
    good = '{"text": "red kites"}\n'
    assert run("-", *options, "--out", tmp_path / "b", input=good).exit_code == 0
    assert len((tmp_path / "b" / "documents.jsonl").read_text().splitlines()) == 1
    with pytest.raises(CorpusError, match="--split"):
        run(corpus / "posts.jsonl", *options, "--split", "train", "--out", tmp_path / "c")
    with pytest.raises(OpenMIEError):
        run(tmp_path / "none.jsonl", *options, "--out", tmp_path / "c")
    assert not (tmp_path / "c").exists()
