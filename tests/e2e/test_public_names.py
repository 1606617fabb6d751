"""The names called from outside, called as somebody would who has read only their list; and odd input that must not
crash, pass in silence, or be mended by guessing."""

import ast
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import openmie
from openmie import diorama, metrics
from openmie.cli import application as cli
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import DocumentError, ModelError, OpenMIEError, RecipeError, TrainError
from openmie.inference import pipeline as extract
from openmie.model.pretrained import Model
from openmie.papers import baseline
from openmie.recipe import Recipe, check, dump, load
from openmie.train import fit
from tests.fixtures import small


@pytest.fixture(scope="module")
def models(bert):
    torch.manual_seed(0)
    return {task: Model.new(small.recipe(task, encode__text__name=bert)) for task in ("ner", "re", "joint")}


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    out = tmp_path_factory.mktemp("contract") / "model"
    models["ner"].save_pretrained(out)
    return out


# -- documents


def test_layers_by_keyword_with_defaults():
    image, mention = Image(path="a.png", kind="main"), Mention(id="m0", start=0, end=3, label="PER", text="Ada")
    other = Mention(id="m1", start=4, end=8)
    assert (other.label, other.status, other.score) == ("", "located", None)
    document = Document(
        id="d", text="Ada sang", words=["Ada", "sang"], images=[image], mentions=[mention, other],
        chains=[Chain(id="c0", mentions=["m0"], label="PER")],
        relations=[Relation(head="m0", tail="m1", label="did")],
        regions=[Region(image=image.id, box=[0, 0, 4, 5], label="PER", of="m0")],
    )  # fmt: skip
    assert document.words == ((0, 3), (4, 8)) and document.regions[0].box == (0.0, 0.0, 4.0, 5.0)
    assert document.mentions[1].text == "sang" and document.dangling() == []
    assert Document(id="d") == Document(id="d", text="", words=(), images=(), mentions=(), chains=(), relations=())
    assert openmie.Document is Document and openmie.Image is Image
    assert Relation(head="a", tail="b").label == "" and Region(image="i", box=(0, 0, 1, 1)).of == ""
    assert Chain(id="c").mentions == () and Image().kind == "main"


@pytest.mark.parametrize("words", [["Ada", "sang"], ("Ada", "sang"), [(0, 3), (4, 8)], [[0, 3], [4, 8]]])
def test_words_as_texts_or_offsets(words):
    document = Document(id="d", text="Ada sang", words=words)
    assert document.word_texts() == ("Ada", "sang") and Document.from_json(document.to_json()) == document


def test_score_takes_no_part_in_equality():
    a, b = (Mention(id="m", start=0, end=1, score=s) for s in (None, 0.5))
    assert a == b and hash(a) == hash(b)


def test_read_and_write(tmp_path):
    docs = [d.replace(images=()) for d in small.documents(3)]
    for name in ("a.jsonl", "a.parquet"):
        openmie.write(iter(docs), tmp_path / name)
        assert list(openmie.read(tmp_path / name)) == docs == list(openmie.read(str(tmp_path / name)))


# -- corpora, Diorama, metrics


def test_a_corpus_can_be_iterated_again(tmp_path):
    openmie.write([d.replace(images=()) for d in small.documents(4)], tmp_path / "train.jsonl")
    (tmp_path / "dev.jsonl").write_text("not json\n")
    corpus = openmie.corpora.load(f"jsonl:{tmp_path}")
    assert list(corpus.train) == list(corpus.train) and len(list(corpus.train)) == 4
    assert set(corpus.labels.mentions) == {"LOC", "PER"} and "PER" in corpus.labels
    assert list(corpus.dev) == [] and len(corpus.skipped) == 1
    with pytest.raises(OpenMIEError):
        list(corpus.test)


def test_diorama_by_its_names():
    config = diorama.Config(seed=3)
    posts = diorama.generate(config, "train", 4)
    assert iter(posts) is posts and [p.id for p in posts] == [p.id for p in diorama.generate(config, "train", n=9)][:4]
    low, high = (diorama.ceiling(config, task="ner", sees=s, rule="argmax") for s in (("text",), ("text", "image")))
    assert isinstance(low, float) and 0 < low < high <= 100


def test_every_metric_takes_lists_generators_and_splits():
    corpus = diorama.corpus(diorama.Config(seed=1), train=6, dev=0, test=0)
    gold = list(corpus.train)
    calls = {
        "spans": lambda g, p: metrics.spans(g, p, mode="strict"),
        "lenient": lambda g, p: metrics.spans(g, p, mode="lenient"),
        "relations": metrics.relations,
        "pairs": metrics.pairs,
        "boxes": metrics.boxes,
        "grounded": metrics.grounded,
    }
    for name, score in calls.items():
        sides = ((gold, gold), (corpus.train, corpus.train), ((d for d in gold), tuple(gold)), (gold, corpus.train))
        for g, p in sides:
            found = score(g, p)
            assert (found.precision, found.recall, found.f1) == (100.0, 100.0, 100.0), name
        assert all(x.f1 == 100.0 for x in found.by_label.values()) and found.by_label
        assert score(gold, [d.without_gold() for d in gold]).f1 == score(gold, []).f1 == 0.0
    assert openmie.metrics.spans(gold, gold).f1 == 100.0  # strict by default


# -- the CRF


@pytest.mark.parametrize("tags", [3, ("O", "B-X", "I-X"), ["O", "B-X", "I-X"]])
def test_linear_chain_crf(tags):
    from openmie.nn.decode.crf import LinearChainCrf

    torch.manual_seed(0)
    crf = LinearChainCrf(tags)
    emissions, gold = torch.randn(2, 4, 3), torch.randint(0, 3, (2, 4))
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    likelihood = crf.log_likelihood(emissions, gold, mask)
    best = crf.decode(emissions, mask)
    assert likelihood.shape == (2,) and (likelihood < 0).all() and best.shape == (2, 4) and best.dtype == torch.long
    assert (crf.log_likelihood(emissions, best.clamp_min(0), mask) >= likelihood).all()
    assert torch.equal(best[mask], emissions.argmax(-1)[mask])  # untrained: each word by itself


# -- recipes


def test_recipes_through_json_text():
    corpus = diorama.corpus(train=2, dev=2, test=2)
    full = openmie.papers.baseline.recipe(corpus=corpus)
    assert isinstance(full, Recipe)
    for recipe in (full, *baseline.ablations(full).values()):
        data = openmie.recipe.dump(recipe)
        text = json.dumps(data)
        assert openmie.recipe.load(text) == openmie.recipe.load(data) == openmie.recipe.load(json.loads(text)) == recipe


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("training.epochs", "0", "at least 1"),
        ("training.batch_size", "0", "at least 1"),
        ("training.warmup_ratio", "5.0", "from 0 to 1"),
        ("training.warmup_ratio", "NaN", "from 0 to 1"),
        ("training.max_grad_norm", "-1.0", "at least 0"),
        ("training.lr_schedule", "steps", "cosine"),
        ("training.selection_metric", "f1", "joint"),
        ("training.selection_metric", "re", "which the heads predict"),
        ("training.param_groups.0.lr", "-1.0", "at least 0"),
        ("encode.text.pool", "max", "mean"),
        ("encode.objects", "-1", "at least 0"),
        ("fuse.heads", "3", "heads that divide"),
        ("fuse.dropout", "2.0", "from 0 to 1"),
        ("align.loss.tau", "0.0", "at least"),
    ],
)
def test_values_that_mean_nothing_are_refused_before_training(path, value, words):
    with pytest.raises(RecipeError, match=words) as error:
        check(small.recipe("ner", **{path.replace(".", "__"): value}))
    assert path.split(".")[-1] in str(error.value)


def test_heads_that_cannot_answer_together_are_refused():
    """Markers beside a tagger would shift its targets against the words; a relation head cannot read later tags."""
    joint = small.recipe("joint")
    tagger, relater = joint.heads
    for heads in ((tagger, replace(relater, markers=True)), (relater, tagger), (tagger, replace(tagger, name="other"))):
        with pytest.raises(RecipeError, match="heads"):
            check(replace(joint, heads=heads))


def test_a_context_must_leave_room_for_the_text(bert):
    with pytest.raises(RecipeError, match="context_tokens"):
        Model.new(small.recipe("ner", encode__text__name=bert, encode__context="*", encode__context_tokens="120"))


@pytest.mark.parametrize("data", ["[]", "3", '{"kind": ["Recipe"]}', "[" * 500 + "]" * 500, '{"kind": "Training"}'])
def test_a_recipe_file_of_something_else(folder, tmp_path, data):
    copy = shutil.copytree(folder, tmp_path / "m")
    (copy / "recipe.json").write_text(data)
    with pytest.raises((ModelError, RecipeError)):
        openmie.load(copy)


# -- fit, load, predict


def test_fit_is_iterated_and_load_predicts(tmp_path, bert):
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="1")
    events = fit(recipe, iter(small.documents(8)), small.documents(4), out=str(tmp_path / "a" / "b"), seed=3)
    kinds = [event.kind for event in events]
    assert kinds[0] == "start" and kinds[-1] == "done"
    docs = small.documents(3)
    found = openmie.load(str(tmp_path / "a" / "b")).predict(docs)
    assert isinstance(found, list) and [d.id for d in found] == [d.id for d in docs]
    again = openmie.load(tmp_path / "a" / "b").predict(d for d in docs)
    assert again == found and all(isinstance(d, Document) for d in found)


@pytest.mark.parametrize("task", ["ner", "re", "joint"])
def test_predict_gives_one_document_each_whatever_comes(models, task):
    pixels = [np.zeros((1, 1, 3), np.uint8), small.picture(0)[:, ::-1], np.zeros((0, 5, 3), np.uint8), [[1, 2, 3]]]
    docs = [
        Document(id="same"), Document(id="same", text=" \n"), Document(id="", text="Ada"),
        *(small.document(0).replace(images=[Image(pixels=p)]) for p in pixels),
        small.document(1).replace(images=[Image(), Image(id="dir", path="/"), Image(id="p", kind="patch")]),
        Document(id="half", text="Ada \ufffd Bo"), Document(id="long", text="x" * 9999),
        Document(id="empty words", text="ab", words=[(0, 0), (0, 1), (1, 2), (2, 2)]),
    ]  # fmt: skip
    found = models[task].predict(docs)
    assert [d.id for d in found] == [d.id for d in docs] and [d.text for d in found] == [d.text for d in docs]
    broken = [i for i, d in enumerate(found) if d.errors]
    assert broken == [5, 6, 7] and all("document d" in str(found[i].errors[0]) for i in broken)
    assert models[task].predict([]) == [] == models[task].predict(iter(()))


def test_what_are_no_documents_is_said(models):
    for wrong in (["text"], small.document(0)):
        with pytest.raises(DocumentError, match="Expected Documents"):
            models["ner"].predict(wrong)
    with pytest.raises(ModelError, match="batch_size"):
        models["ner"].predict(small.documents(1), batch_size=0)


def test_pixels_and_files_are_the_same(models, tmp_path):
    from PIL import Image as Picture

    memory = small.document(0)
    Picture.fromarray(memory.images[0].pixels).save(tmp_path / "a.png")
    file = memory.replace(images=[Image(path=str(tmp_path / "a.png"))])
    a, b = models["ner"].predict([memory, file])
    assert a.mentions == b.mentions and [m.score for m in a.mentions] == [m.score for m in b.mentions]


def test_training_counts_what_it_could_not_use(tmp_path, bert):
    """Labels that the recipe does not know, and broken images, are no silent loss."""
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="1")
    odd = small.document(0).replace(
        mentions=[Mention(id="m", start=0, end=3, label="GOD")], images=[Image(path="/nowhere.png")]
    )
    events = list(fit(recipe, [*small.documents(4), odd], small.documents(2), out=tmp_path))
    counts = {e.kind: e.values["skipped"] for e in events if e.kind in ("start", "done")}
    assert counts == {"start": 1, "done": 2}
    said = "\n".join(map(str, events[-1].values["records"]))
    assert "GOD" in said and "nowhere.png" in said and "document d0" in said


def test_what_cannot_be_trained_or_scored_is_said_before_the_first_step(tmp_path, bert):
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="1")
    train, dev = small.documents(4), small.documents(2)
    (tmp_path / "file").write_text("")
    cases = [
        (train, [d.without_gold() for d in dev], {}, "0 things to find"),
        (train, [dev[0], dev[0]], {}, "twice"),
        (train, [], {}, "0 dev documents"),
        ([], dev, {}, "0 examples"),
        (train, dev, {"seed": -1}, "seed"),
        (train, dev, {"precision": "half"}, "bf16"),
        (train, dev, {"out": tmp_path / "file"}, "cannot be made"),
    ]
    for gold, asked, options, words in cases:
        steps = []
        with pytest.raises(OpenMIEError, match=words):
            steps += [e for e in fit(recipe, gold, asked, **{"out": tmp_path / "out", **options}) if e.kind == "step"]
        assert not steps


def test_dev_and_test_agree_on_what_is_symmetric(models, monkeypatch):
    """`friend` said from the other end is right in both, or in neither."""
    from openmie.train.evaluate import evaluate
    from openmie.train.selection import dev_score

    model, gold = models["joint"], small.documents(3)
    turned = [d.replace(relations=[Relation(head="m1", tail="m0", label="friend")]) for d in gold]
    monkeypatch.setattr(model, "predict_encoded", lambda *_, **__: {"predicted": turned})
    for symmetric in ((), ("friend",)):
        heads = tuple(replace(h, symmetric=symmetric) if hasattr(h, "symmetric") else h for h in model.recipe.heads)
        monkeypatch.setattr(model, "recipe", replace(model.recipe, heads=heads))
        scores, _ = evaluate(model, gold, bootstrap=0)
        assert scores["pairs"].f1 == dev_score(model, [], gold, model.recipe)
        assert (scores["pairs"].f1 > 0) == bool(symmetric)


def test_other_epochs_are_another_run(tmp_path, bert):
    once, longer = (small.recipe("ner", encode__text__name=bert, training__epochs=n) for n in ("1", "2"))
    data = small.documents(4), small.documents(2)
    list(fit(once, *data, out=tmp_path))
    with pytest.raises(TrainError, match="another recipe"):
        list(fit(longer, *data, out=tmp_path))


def test_damaged_folders_name_the_folder(folder, tmp_path):
    read = [p.relative_to(folder) for p in folder.rglob("*.json") if p.parent != folder or p.name == "recipe.json"]
    for k, name in enumerate(read):
        for content in (None, b"", b"\xff\x00{"):
            copy = shutil.copytree(folder, tmp_path / f"m{k}-{content!r}")
            (copy / name).unlink() if content is None else (copy / name).write_bytes(content)
            with pytest.raises((ModelError, RecipeError)):
                openmie.load(copy)
    shutil.rmtree(copy / "vision")
    with pytest.raises(ModelError):
        openmie.load(copy)
    shutil.copytree(folder, tmp_path / "p")
    (tmp_path / "p" / "text" / "WEIGHTS.PT").write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        openmie.load(tmp_path / "p")


def test_a_name_that_is_neither_folder_nor_hub_id(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("runs/nothing", "nothing"):
        with pytest.raises(ModelError, match="Neither a folder"):
            openmie.load(name)


def test_text_files_name_their_encoding():
    """A model folder is UTF-8 whatever the machine's encoding is; so is all else that is read or written."""
    for file in (Path(__file__).parents[2] / "openmie").rglob("*.py"):
        for call in (n for n in ast.walk(ast.parse(file.read_text(encoding="utf8"))) if isinstance(n, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if name in ("read_text", "write_text"):
                named = any(k.arg == "encoding" for k in call.keywords)
                assert named, f"{file}:{call.lineno}"


# -- extraction


def test_rows_that_are_odd(tmp_path):
    lines = [
        b'{"id": 5, "text": "Ada"}', b'{"id": 5, "text": "Ada", "image": ""}', b'{"text": "a \\ud800 b"}',
        b'{"text": "caf\xe9"}', b"[]", b'{"text": "a", "image": null}', b'{"text": "a", "id": "x"}',
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    found = list(extract.read_rows(str(tmp_path / "a.jsonl")))
    assert [getattr(x, "id", None) for x in found] == ["5", "5", None, None, None, "6", "x"]
    assert all(f"a.jsonl:{i}" in str(found[i - 1]) for i in (3, 4, 5))
    assert not found[5].images  # null is no image


@pytest.mark.parametrize("format", ["jsonl", "csv", "table"])
def test_a_bad_row_comes_out_in_every_format(folder, tmp_path, format):
    (tmp_path / "a.jsonl").write_text('{"text": "Ada and Bo"}\nnot json\n')
    arguments = ["extract", str(tmp_path / "a.jsonl"), "--model", str(folder), "--format", format]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == cli.PARTIAL and "unread-2" in result.stdout and "no JSON" in result.stdout
    for nowhere in (tmp_path / "a.jsonl" / "out.txt", tmp_path / "a.jsonl" / "out"):  # a file is above it
        refused = CliRunner().invoke(cli.app, [*arguments, "--out", str(nowhere)])
        assert isinstance(refused.exception, OpenMIEError)


def test_a_folder_that_cannot_be_written_is_said_without_a_traceback(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("sys.argv", ["openmie", "diorama", "--n", "1", "--out", str(tmp_path / "file")])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2 and capsys.readouterr().err.startswith("openmie: ")


def test_dump_of_a_part_is_plain_data():
    assert load(dump(small.recipe().training)) == small.recipe().training
