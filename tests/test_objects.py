"""Candidate objects: choice of boxes against a slow reference, documents with a detector whose boxes are known, small
detectors of each family beside the library's own post-processing, and the command."""

import json
import math
import string

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import cli, corpora, detector, objects
from openmie.corpora import output
from openmie.detector import Found, Query
from openmie.document import Document, Image, Mention, Phrase, Region
from openmie.errors import CorpusError, ImageError, OpenMIEError, RecipeError
from openmie.objects import Search, choose, find

from . import small

# -- the choice of boxes


def slow_choice(found, size, most, threshold, overlap):
    """All pairs, no arrays: a box is taken unless one taken before overlaps it too much."""
    boxes = []
    for x1, y1, x2, y2 in found.boxes.tolist():
        boxes.append([min(max(v, 0.0), float(m)) for v, m in zip((x1, y1, x2, y2), (*size, *size))])
    usable = [
        i
        for i, b in enumerate(boxes)
        if all(map(math.isfinite, found.boxes[i]))
        and math.isfinite(found.scores[i])
        and found.scores[i] > threshold
        and b[2] - b[0] >= 1
        and b[3] - b[1] >= 1
    ]
    taken = []
    for i in sorted(usable, key=lambda i: (-found.scores[i], i)):
        clear = True
        for j in taken:
            a, b = boxes[i], boxes[j]
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(wide, 0) * max(high, 0)
            areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
            clear = clear and shared / (areas - shared) <= overlap
        if clear:
            taken.append(i)
    return taken[:most]


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 1.0])
def test_choice_is_that_of_the_slow_reference(overlap):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(0, 25))
        corners = rng.integers(-8, 45, (n, 2))
        boxes = np.concatenate([corners, corners + rng.integers(-2, 30, (n, 2))], 1).astype(float)
        scores = rng.integers(0, 8, n) / 8  # with ties
        if n > 3 and seed % 3 == 0:
            boxes[0, 1], boxes[1, 2], scores[2] = np.nan, np.inf, np.nan
        found = Found(boxes, scores, np.zeros(n, int))
        for most in (1, 3, 50):
            taken, clipped = choose(found, (40, 30), most, 0.25, overlap)
            assert taken.tolist() == slow_choice(found, (40, 30), most, 0.25, overlap)
            inside = clipped[taken]
            assert (inside >= 0).all() and (inside <= [40, 30, 40, 30]).all()


# -- documents, with a detector whose boxes are known


class Known:
    """Finds what it was told for each query, however the picture looks."""

    threshold = 0.1

    def __init__(self, answers=(), room=99):
        self.answers, self.room, self.asked = dict(answers), room, []

    def fit(self, phrases):
        return [Query(p.lower() if len(p) <= self.room else "", len(p) <= self.room) for p in phrases]

    def prepare(self, picture):
        if picture.size == (1, 1):
            raise ImageError("1 x 1 pixels", expected="more", remedy="none")
        return torch.tensor(np.asarray(picture)).permute(2, 0, 1)

    def find(self, pixels, sizes, queries):
        self.asked += [list(q) for q in queries]
        assert [(x.shape[2], x.shape[1]) for x in pixels] == list(sizes)
        out = []
        for asked in queries:
            rows = [(box, score, k) for k, q in enumerate(asked) for box, score in self.answers.get(q, ())]
            boxes, scores, owners = zip(*rows) if rows else ((), (), ())
            out.append(Found(np.array(boxes, float).reshape(-1, 4), np.array(scores, float), np.array(owners, int)))
        return out


ANSWERS = {
    "red kites": [((-5, 2, 10.128, 12), 0.6), ((0, 2, 10, 12), 0.5)],  # beyond the picture; and nearly the same box
    "zorvane tower": [((20, 0, 30, 40), 0.9), ((0, 3, 10, 13), 0.55), ((30, 30, 45, 39), 0.05)],
    "an object": [((1, 1, 40, 30), 0.3)],
}
TEXT = "red kites above Zorvane Tower"


def post(i=0, text=TEXT, **layers):
    return Document(id=f"p{i}", text=text, **{"images": [Image(id="main", pixels=small.picture(i))], **layers})


def test_candidates_their_boxes_phrases_and_scores():
    (document,) = find([post()], Known(ANSWERS))
    found = document.images[1:]
    assert [(i.kind, i.id, i.parent) for i in found] == [("object", "object1", "main"), ("object", "object2", "main")]
    assert [i.box for i in found] == [(20, 0, 30, 40), (0, 2, 10.13, 12)]  # best first, clipped, overlap suppressed
    assert [i.relevance for i in found] == [(("detector", 0.9),), (("detector", 0.6),)]
    assert [(p.text, p.image) for p in document.phrases] == [("Zorvane Tower", "object1"), ("red kites", "object2")]
    assert not document.errors and not document.dangling()
    assert Document.from_json(document.to_json()).phrases == document.phrases


def test_options():
    def boxes(**options):
        return len(next(find([post()], Known(ANSWERS), Search(**options))).images) - 1

    assert (boxes(most=1), boxes(overlap=1.0), boxes(most=9, overlap=1.0, threshold=0.01)) == (1, 3, 5)
    assert (boxes(threshold=0.7), boxes(threshold=0.9), boxes(threshold=1.0)) == (1, 0, 0)
    for wrong in ({"most": 0}, {"queries": 0}, {"overlap": 1.5}, {"threshold": -0.1}, {"otherwise": " "}):
        with pytest.raises(RecipeError, match="correct it"):
            Search(**wrong)
    with pytest.raises(RecipeError, match="batch"):
        list(find([post()], Known(), batch=0))


def test_without_a_noun_phrase_an_object_is_asked_for():
    known = Known(ANSWERS)
    for text, lang in (("", ""), ("of the", ""), ("roter Drachen", "de")):
        (document,) = find([post(text=text, lang=lang)], known)
        assert document.phrases == (Phrase(text="an object", image="object1"),) and not document.errors
    assert known.asked == [["an object"]] * 3


def test_what_is_not_searched_comes_out_as_it_was():
    known = Known(ANSWERS)
    before = Image(kind="object", id="o", parent="main", box=(0, 0, 5, 5))
    frame = Image(kind="frame", id="f", pixels=small.picture(2))
    documents = [post(images=[]), post(images=[frame]), post(images=[*post().images, before])]
    assert list(find(documents, known)) == documents and known.asked == []


def test_replace_takes_the_place_of_earlier_candidates_of_the_same_image():
    olds = [Image(kind="object", id="object1", parent="main", box=(0, 0, 5, 5)),
            Image(kind="object", id="other", parent="frame", box=(0, 0, 5, 5)),
            Image(kind="frame", id="frame", pixels=small.picture(3))]  # fmt: skip
    words = [Phrase(text="old", image="object1"), Phrase(text="kept", image="other")]
    region = Region(image="object1", box=(0, 0, 1, 1))
    old = post(images=[*post().images, *olds], phrases=words, regions=[region])
    (new,) = find([old], Known(ANSWERS), Search(replace=True))
    assert [i.id for i in new.images] == ["main", "other", "frame", "object2", "object3"]
    assert [p.text for p in new.phrases] == ["kept", "Zorvane Tower", "red kites"]
    assert new.regions == old.regions and len(new.errors) == 1 and "object1" in str(new.errors[0])  # it points nowhere
    blind = old.replace(images=[Image(id="main", path="/nowhere.png"), *olds])
    (kept,) = find([blind], Known(ANSWERS), Search(replace=True))
    assert kept.images == blind.images and "nowhere" in str(kept.errors[0])  # nothing lost for a picture not read


def test_several_main_images_share_the_places():
    pair = [Image(id=name, pixels=small.picture(k)) for k, name in enumerate("ab")]
    (document,) = find([post(images=pair)], Known(ANSWERS))
    found = document.images[2:]
    assert [(i.parent, i.relevance[0][1]) for i in found] == [("a", 0.9), ("b", 0.9), ("a", 0.6)]


def test_an_image_that_cannot_be_read_leaves_the_document_and_a_record(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    images = {"gone": tmp_path / "none.png", "bad": tmp_path / "bad.png", "path": ""}
    odd = [post(images=[Image(id=k, path=str(v))]) for k, v in images.items()]
    dot = post(images=[Image(id="dot", pixels=np.zeros((1, 1, 3), np.uint8)), *post().images])
    found = list(find([*odd, dot, post(1)], Known(ANSWERS), batch=3))
    for before, after in zip(odd, found):
        assert after.images == before.images and len(after.errors) == 1 and "document p0" in after.errors[0].where
    assert len(found[3].images) == 4 and len(found[3].errors) == 1 and not found[4].errors  # the other one is searched


def test_what_is_not_asked_for_is_noted():
    known = Known(ANSWERS, room=10)
    (document,) = find([post()], known)
    assert known.asked == [["red kites"]] and "'Zorvane Tower'" in str(document.errors[0])
    (document,) = find([post()], known := Known(ANSWERS), Search(queries=1))
    assert known.asked == [["red kites"]] and "1 were not asked for" in str(document.errors[0])
    (document,) = find([post()], known := Known(ANSWERS, room=0))
    assert known.asked == [["an object"]] and len(document.errors) == 2


def test_gold_changes_nothing_and_nor_do_neighbours():
    gold = post(mentions=[Mention(id="m", start=0, end=3, label="X")], regions=[Region(image="main", box=(0, 0, 9, 9))])
    (a,), (b,) = (list(find([x], Known(ANSWERS))) for x in (gold, gold.without_gold()))
    assert (a.images, a.phrases) == (b.images, b.phrases) and a.mentions == gold.mentions and a.regions == gold.regions
    many = [post(i, text=t) for i, t in enumerate((TEXT, "", "the red kites", TEXT, "no"))]
    for batch in (1, 2, 8):
        alone = [next(find([d], Known(ANSWERS))) for d in many]
        assert list(find(iter(many), Known(ANSWERS), batch=batch)) == alone


def test_boxes_are_of_the_upright_picture(tmp_path):
    exif = Picture.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: 40 wide, 50 high
    Picture.fromarray(small.picture(0)).save(tmp_path / "a.jpg", exif=exif)
    turned = post(images=[Image(path=str(tmp_path / "a.jpg"))])
    (document,) = find([turned], Known({"red kites": [((0, 0, 99, 99), 1)]}))
    assert document.images[1].box == (0, 0, 40, 50)


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
    return found.find(pixels, [SIZES[i] for i in chosen], [QUERIES[i] for i in chosen])


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
    fit = detectors["OwlViT"].fit
    assert fit(["Red  Kite", "a" * 14]) == [Query("red kite"), Query("a" * 14)]
    assert fit(["first second thirdly ab", "a" * 15, ""]) == [Query("thirdly ab", False), *[Query("", False)] * 2]
    assert fit(["x\ud800y"]) == [Query("x?y")]


def test_dino_queries_fit_one_text(detectors):
    fit = detectors["GroundingDino"].fit
    assert fit(["U.S. Army?", "..."]) == [Query("u s army"), Query("", False)]
    queries = fit(["a" * 20, "b" * 20, "cd ef", "g"])  # 48 pieces: two marks, and a full stop for each query
    assert queries == [Query("a" * 20), Query("b" * 20), Query("ef", False), Query("", False)]
    with torch.no_grad():
        pixels = detectors["GroundingDino"].prepare(pictures()[0])
        assert len(detectors["GroundingDino"].find([pixels], [SIZES[0]], [[q.text for q in queries[:3]]])) == 1


@pytest.mark.parametrize("name", SAVE)
def test_odd_pictures_are_read_or_refused(detectors, name):
    one = detectors[name]
    for size in ((1, 1), (3, 50), (50, 3), (2, 400)):
        try:
            pixels = one.prepare(Picture.new("RGB", size))
        except ImageError as error:
            assert "Dino" in name and f"{size[0]} x {size[1]}" in str(error)
            continue
        (found,) = one.find([pixels], [size], [["a"]])
        assert np.isfinite(found.boxes).all()
        side = max(size) if name == "Owlv2" else 1  # fractions of the padded square, there
        assert found.boxes.max() <= 2 * max(side, *size)


def test_large_pictures_are_shrunk_and_their_boxes_are_not(detectors, monkeypatch):
    one = detectors["OwlViT"]
    picture = Picture.fromarray(small.picture(0)).resize((500, 400))
    shrunk = picture.copy()
    shrunk.thumbnail((128, 128))
    small_one = one.prepare(shrunk)
    monkeypatch.setattr(detector, "SIDE", 128)
    pixels = one.prepare(picture)
    assert torch.equal(pixels, small_one) and picture.size == (500, 400)
    a, b = (one.find([pixels], [size], [["a"]])[0] for size in ((500, 400), (5, 4)))
    np.testing.assert_allclose(a.boxes, b.boxes * 100, rtol=1e-5)


@pytest.mark.parametrize("name", SAVE)
def test_documents_end_to_end(detectors, name):
    documents = [post(i, text=t) for i, t in enumerate((TEXT, "", "kites"))]
    found = list(find(documents, detectors[name], Search(threshold=0.0, overlap=1.0), batch=2))
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
    options = ["--model", folders["OwlViT"], "--threshold", 0, "--overlap", 1, "--most", 2]
    options += ["--out", out, "--images", corpus]
    result = run(f"jsonl:{corpus}", *options)
    assert result.exit_code == cli.PARTIAL and "no such file" in result.stderr and "not read: " in result.stderr
    assert {p.name for p in out.iterdir()} == {"train.jsonl", "dev.jsonl", "objects.json"}
    again = corpora.load(f"jsonl:{out}", images=corpus)
    train, dev = list(again.train), list(again.dev)
    assert [d.id for d in train] == ["p0", "p1", "p2", "p5"] and [d.id for d in dev] == ["p3"]
    assert [len(d.images) for d in (*train, *dev)] == [3, 3, 3, 1, 3] and len(train[3].errors) == 1
    assert f"8 objects in 4 of 5 documents, in {out}" in result.stderr
    assert json.loads((out / "objects.json").read_text())["search"]["most"] == 2
    before = (out / "train.jsonl").read_bytes()
    assert "8 objects in 4 of 5" in run(f"jsonl:{corpus}", *options).stderr
    assert (out / "train.jsonl").read_bytes() == before
    with pytest.raises(CorpusError, match="search is"):
        run(f"jsonl:{corpus}", *options, "--overlap", 0.1)
    with pytest.raises(CorpusError, match="something is there"):
        run(f"jsonl:{corpus}", "--model", folders["OwlViT"], "--out", corpus)
    assert run(f"jsonl:{corpus}", "--split", "dev", *options[:-4], "--out", tmp_path / "dev").exit_code == 0
    assert {p.name for p in (tmp_path / "dev").iterdir()} == {"dev.jsonl", "objects.json"}


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


def search(documents):
    return find(documents, Known(ANSWERS), batch=2)


def test_a_stopped_search_goes_on_where_it_was(tmp_path):
    documents = [post(i, text=t) for i, t in enumerate((TEXT, "", "the red kites", TEXT, "no"))]
    whole = list(objects.fill({"train": documents}, tmp_path / "a", search, {"x": 1}))
    stopped = objects.fill({"train": documents}, tmp_path / "b", search, {"x": 1})
    assert [next(stopped).id for _ in range(3)] == ["p0", "p1", "p2"]
    with pytest.raises(CorpusError, match="another process"):
        next(objects.fill({"train": documents}, tmp_path / "b", search, {"x": 1}))
    stopped.close()
    assert {p.name for p in (tmp_path / "b").iterdir()} == {".train.jsonl.part", "objects.json"}
    part = tmp_path / "b" / ".train.jsonl.part"
    with part.open("ab") as file:
        file.write(b'{"half')
    for changed in ([post(9), *documents[1:]], documents[:2]):
        with pytest.raises(CorpusError, match="now has"):
            list(objects.fill({"train": changed}, tmp_path / "b", search, {"x": 1}))
    asked, tally = [], output.Tally()

    def counted(stream):
        for document in stream:
            asked.append(document.id)
            yield from search([document])

    again = list(objects.fill({"train": documents}, tmp_path / "b", counted, {"x": 1}, tally))
    assert asked == ["p3", "p4"] and [d.id for d in again] == [d.id for d in whole] and tally.documents == 5
    a, b = ((tmp_path / name / "train.jsonl").read_bytes() for name in "ab")
    assert a == b and not part.exists()
    for changed in ([post(9), *documents[1:]], documents[:2], [*documents, post(9)]):  # a whole file is held to it too
        with pytest.raises(CorpusError, match="now has"):
            list(objects.fill({"train": changed}, tmp_path / "b", search, {"x": 1}))
    with pytest.raises(CorpusError, match="x is 1 there, 2 here"):
        list(objects.fill({"train": documents}, tmp_path / "b", search, {"x": 2}))
