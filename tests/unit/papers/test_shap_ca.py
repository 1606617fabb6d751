"""Shap-CA: the bridge and the gates against loops, the sentence features, the paper's page."""

import math
from dataclasses import replace

import pytest
import torch

from openmie.bench import published
from openmie.bench.run_spec import RunSpec
from openmie.data.corpus import Corpus
from openmie.data.document import Document, Mention
from openmie.errors import RecipeError, TrainError
from openmie.model.pretrained import Model
from openmie.nn.align.align import Align
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.tags import Crf, Emissions
from openmie.nn.encode.dual import without_context
from openmie.nn.fuse.adaptive import Adaptive, Bridge
from openmie.nn.layers import sinusoidal_positions
from openmie.nn.streams import Stream
from openmie.papers import shap_ca
from openmie.papers._published import Measure
from openmie.recipe import check, difference, dump, load, set_field
from openmie.train import fit
from openmie.train.evaluate import evaluate, record, scheme_ceiling
from tests.fixtures import small

TASKS = ("ner", "re", "joint")


def stream(b, n, d, lengths, seed=0):
    g = torch.Generator().manual_seed(seed)
    mask = torch.arange(n) < torch.tensor(lengths)[:, None]
    return Stream(torch.randn(b, n, d, generator=g, dtype=torch.float64), mask)


@pytest.mark.parametrize("spread", ["sum", "mean"])
def test_the_bridge_is_the_mean_of_the_matrix(spread):
    """Eq. 8 by the D x D matrix, of the real rows alone, for each document by itself."""
    bridge = Bridge(6, Adaptive(width=8, bridge_pooling=spread)).double()
    context = stream(3, 5, 6, [5, 2, 0])
    got = bridge.vector(context)
    for i in range(3):
        c = bridge.context(context.tokens[i][context.mask[i]])
        matrix = c.T @ c / math.sqrt(8)
        torch.testing.assert_close(matrix.mean(0), matrix.mean(1))
        rows = max(int(context.mask[i].sum()), 1) if spread == "mean" else 1
        torch.testing.assert_close(got[i], matrix.mean(0) / rows)
    assert (got[2] == 0).all()


@pytest.mark.parametrize(("gates", "squash"), [("tanh", math.tanh), ("sigmoid", lambda x: 1 / (1 + math.exp(-x)))])
def test_the_gates_mix_queries_and_keys_with_the_bridge(gates, squash):
    """Eq. 9 and 10 entry by entry, with the concatenated weight that the two factors stand for."""
    torch.manual_seed(1)
    bridge = Bridge(6, Adaptive(width=4, gates=gates)).double()
    context, q, k = stream(2, 3, 6, [3, 0]), torch.randn(2, 2, 4).double(), torch.randn(2, 3, 4).double()
    b = bridge.vector(context)
    got = bridge.modulation(context)(q, k)
    for x, made, g in ((q, got[0], bridge.query), (k, got[1], bridge.key)):
        weight = torch.cat([g.own.weight, g.bridge.weight], 1)  # (D, 2D)
        for row in range(x.shape[1]):
            both = torch.cat([x[0, row], b[0]])
            for d in range(4):
                gate = squash((weight[d] @ both + g.own.bias[d]).item())
                assert made[0, row, d].item() == pytest.approx(gate * x[0, row, d].item() + (1 - gate) * b[0, d].item())
        torch.testing.assert_close(made[1], x[1])  # no context: as they are


def printed_row(part, words, image, context, i, n):
    """Eq. 8 to 11 of word n of document i, with the D x D matrix and the concatenated weights, one number at a time."""
    d, q = part.query.out_features, part.query(words.tokens[i][n])
    key, value = part.key["vision"], part.value["vision"]
    keys, values = key(image.tokens[i][image.mask[i]]), value(image.tokens[i][image.mask[i]])
    if context.mask[i].any():
        c = part.gates.context(context.tokens[i][context.mask[i]])
        b = (c.T @ c / math.sqrt(d)).mean(0)  # eq. 8

        def mixed(x, g):  # eq. 9, 10
            weight = torch.tanh(torch.cat([g.own.weight, g.bridge.weight], 1) @ torch.cat([x, b]) + g.own.bias)
            return weight * x + (1 - weight) * b

        q, keys = mixed(q, part.gates.query), [mixed(k, part.gates.key) for k in keys]
    if not len(keys):
        return part.query(words.tokens[i][n])
    found = []
    for h in range(part.heads):
        at = slice(h * d // part.heads, (h + 1) * d // part.heads)
        weights = torch.softmax(torch.stack([q[at] @ k[at] / math.sqrt(d // part.heads) for k in keys]), 0)
        found.append(sum(w * v[at] for w, v in zip(weights, values)))
    return torch.cat(found)


def test_the_printed_fusion_is_the_equations():
    """Value and gradient; a document without context, and one without image."""
    torch.manual_seed(2)
    widths = {"text": 5, "vision": 7, "context": 5}
    part = Adaptive(block="attention", width=8, heads=2, gate_bias=0.0).build(widths).double()
    words, image, context = stream(4, 3, 5, [3, 2, 1, 3]), stream(4, 6, 7, [6, 2, 3, 0]), stream(4, 4, 5, [4, 2, 0, 3])
    streams = {"text": words, "vision": image, "context": context}
    fused = part(streams)["fused"]
    assert part.widths == {"fused": 8} and fused.tokens.shape == (4, 3, 8)
    rows = [(i, n) for i in range(4) for n in range(3) if words.mask[i, n]]
    want = torch.stack([printed_row(part, words, image, context, i, n) for i, n in rows])
    got = torch.stack([fused.tokens[i, n] for i, n in rows])
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    parameters = list(part.parameters())
    for x, y in zip(
        torch.autograd.grad(got.sin().sum(), parameters), torch.autograd.grad(want.sin().sum(), parameters)
    ):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-9)
    names = set(part.state_dict())
    assert not any("norm" in name or "ffn" in name or "output" in name for name in names), "nothing that is not printed"


def test_without_gates_no_context_is_read():
    part = Adaptive(block="attention", width=8, gates="none")
    assert part.needs() == {"text", "vision"} and Adaptive().needs() == {"text", "vision", "context"}
    assert [p.where for p in Adaptive(block="attention", layers=2).problems()] == ["layers"]
    full = shap_ca.recipe(flavour="paper")
    row = shap_ca.ablations(full)["w/o context in fusion"]
    assert row.fuse[0] == replace(full.fuse[0], gates="none")


def test_gates_start_open():
    """Fresh gates leave most of a query in place; at tanh(0) all words would ask the same."""
    torch.manual_seed(0)
    bridge = Bridge(16, Adaptive(width=64)).double()
    q = torch.randn(4, 5, 64).double()
    changed, _ = bridge.modulation(stream(4, 7, 16, [7] * 4))(q, q)
    assert torch.nn.functional.cosine_similarity(changed, q, dim=-1).min() > 0.9


def test_sides_are_compared_as_they_are_or_brought_to_one_width():
    widths = {"text": 6, "context": 6, "vision": 10}
    same = Align(first=("context",), second=("text",), width=0).build(widths)
    assert not list(same.parameters())
    other = Align(first=("context",), second=("vision",), width=0).build(widths)
    assert [tuple(p.shape) for p in other.parameters()] == [(6, 10), (6,)]


def test_sentence_features_are_the_means_of_each_segment(bert):
    """x_t and x_c of one joint pass: padding, marks and the other segment stay out."""
    torch.manual_seed(0)
    model = Model.new(recipe("ner", bert))
    model.extractor.eval()
    documents = [small.document(0), small.document(2).replace(captions={}), small.document(1)]
    batch = model.featurizer.collate(model.featurizer.featurize(documents))
    encode = model.extractor.encode
    with torch.no_grad():
        streams, states = encode(batch.inputs), encode.text_states(batch.inputs)
    for i in range(3):
        context = states[i][batch.inputs["context"][i] >= 0]
        expected = context.mean(0) if len(context) else torch.zeros(states.shape[-1])
        torch.testing.assert_close(streams["context"].pooled[i], expected)
        word = batch.inputs["word_ids"][i]
        first = (word >= 0) & (word != torch.cat([torch.tensor([-1]), word[:-1]]))
        torch.testing.assert_close(streams["text"].pooled[i], states[i][first].mean(0))
    assert streams["context"].present.tolist() == [True, False, True]


def test_positions_know_no_greatest_length_and_tell_words_apart():
    a, b = sinusoidal_positions(50, 7, torch.device("cpu")), sinusoidal_positions(3000, 7, torch.device("cpu"))
    torch.testing.assert_close(a, b[:50])
    assert a.shape == (50, 7) and len(torch.unique(a, dim=0)) == 50


def test_channels_reach_the_emissions():
    """Eq. 12: with the words' own states equal, a part of speech and a place still tell words apart."""
    torch.manual_seed(0)
    head = Emissions(Crf(labels=("A",), channels=Channels(width=8), hidden=5), 4).eval()
    words = Stream(torch.zeros(1, 3, 4), torch.ones(1, 3, dtype=torch.bool))
    noun, verb = (head(words, {"pos": torch.tensor([[k, 2, 2]])}) for k in (1, 2))
    assert not torch.allclose(noun[0, 0], verb[0, 0]) and torch.allclose(noun[0, 1], verb[0, 1])
    assert not torch.allclose(verb[0, 1], verb[0, 2])


def recipe(task, bert, **changes):
    found = shap_ca.recipe(small.CORPUS, task=task, text=bert)
    found = set_field(set_field(found, "encode.context", "c"), "training.batch_size", "8")
    for path, value in changes.items():
        found = set_field(found, path.replace("__", "."), value)
    return check(found)


@pytest.mark.parametrize("task", TASKS)
def test_every_variant_checks_and_round_trips(task):
    full = shap_ca.recipe(small.CORPUS, task=task)
    variants = {"full": full, **shap_ca.ablations(full)}
    for sweep in shap_ca.sweeps(full).values():
        variants |= sweep
    for name, variant in variants.items():
        assert check(variant) is variant and variant.task == task, name
        assert load(dump(variant)) == variant, name


def test_the_rows_of_table_1_change_one_thing_each():
    full = shap_ca.recipe(small.CORPUS, task="joint")
    changed = {
        name: {p.split(".")[0] for p, *_ in difference(dump(full), dump(v))} - {"name"}
        for name, v in shap_ca.ablations(full).items()
    }
    assert changed["w/o context in alignment"] == changed["w/o Shapley"] == changed["printed sum"] == {"align"}
    assert changed["w/o context in fusion"] == {"fuse"} and changed["w/o word-pair contrast"] == {"heads"}
    assert changed["w/o image"] == {"encode", "fuse", "align"}
    assert "w/o word-pair contrast" not in shap_ca.ablations(shap_ca.recipe(small.CORPUS, task="ner"))


def test_the_papers_values_stand_in_the_recipe():
    """Section 4.2 and the peaks of figure 3; learning rates by corpus."""
    corpus = replace(small.CORPUS, name="twitter:some/where")
    full = shap_ca.recipe(corpus, task="ner", flavour="improved", head_lr=3e-4)
    assert [a.weight for a in full.align] == [0.2, 0.4] and full.training.batch_size == 28
    assert (full.training.lr_schedule, full.training.warmup_ratio, full.training.patience) == ("cosine", 0.05, 7)
    rates = {g.match: g.lr for g in full.training.param_groups}  # the printed ones
    assert rates == {"encode.text": 5e-5, "encode.vision": 5e-5, "": 3e-4}
    assert shap_ca.recipe(corpus, task="ner", flavour="improved").training.param_groups[-1].lr == 1e-4
    assert (full.encode.text.name, full.encode.vision.name) == shap_ca.BACKBONES
    assert full.heads[0].channels.width == 100
    assert shap_ca.recipe(corpus, task="re", flavour="improved").heads[0].scale == 1.0
    with pytest.raises(RecipeError, match="ner, re, joint"):
        shap_ca.recipe(corpus, task="summary")


def test_the_clip_variant_aligns_with_the_class_token(bert, tmp_path):
    """Section 4.2's other tower: the image's whole is the tower's pooled output, its regions are the patches."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    tower = CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=32, patch_size=16)).eval()
    tower.save_pretrained(tmp_path / "clip")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        tmp_path / "clip"
    )
    model = Model.new(recipe("ner", bert, encode__vision__name=str(tmp_path / "clip")))
    model.extractor.eval()
    batch = model.featurizer.collate(model.featurizer.featurize([small.document(0), small.document(1, image=False)]))
    with torch.no_grad():
        vision = model.extractor.encode(batch.inputs)["vision"]
        expected = tower(pixel_values=batch.inputs["pixels"]).pooler_output[0]
    assert vision.tokens.shape == (2, 4, 16)
    torch.testing.assert_close(vision.pooled[0], expected)
    assert (vision.pooled[1] == 0).all() and vision.present.tolist() == [True, False]


@pytest.mark.parametrize("task", TASKS)
def test_predicts_whatever_is_missing(task, bert):
    """Text with image and caption, without caption, without image, with neither, and empty text."""
    torch.manual_seed(0)
    model = Model.new(recipe(task, bert))
    whole = small.document(0)
    cases = [
        whole,
        whole.replace(captions={}),
        whole.replace(images=()),
        whole.replace(images=(), captions={}),
        small.Document(id="e", text=""),
    ]
    predicted = model.predict([c.replace(id=str(i)) for i, c in enumerate(cases)])
    masked = [p.source.get("masked", []) for p in predicted]
    assert masked == [[], ["context"], ["vision"], ["vision", "context"], ["vision", "context"]]
    assert all(p.text == c.text for p, c in zip(predicted, cases))


@pytest.mark.parametrize("task", TASKS)
def test_gold_changes_no_prediction(task, bert):
    torch.manual_seed(0)
    model = Model.new(recipe(task, bert))
    documents = small.documents(6)
    asked = (
        [d.without_gold() for d in documents]
        if task != "re"
        else [d.replace(relations=[r.model_copy(update={"label": ""}) for r in d.relations]) for d in documents]
    )
    assert [p.relations for p in model.predict(asked)] == [p.relations for p in model.predict(documents)]
    assert [p.mentions for p in model.predict(asked)] == [p.mentions for p in model.predict(documents)]


def test_every_parameter_learns(bert):
    """Of the whole system, for each task and estimator: nothing is left at its start."""
    for task in TASKS:
        for estimator in ("cyclic", "exact"):
            torch.manual_seed(0)
            model = Model.new(recipe(task, bert, align__0__loss__estimator=estimator, encode__drop_context="0"))
            model.extractor.train()
            batch = model.featurizer.collate(model.featurizer.featurize(small.documents(6), gold=True))
            output = model.extractor(batch)
            output.total.backward()
            assert set(output.losses) == {"semantic", "modality", model.extractor.heads[0].name}
            named = dict(model.extractor.named_parameters())
            assert all(p.grad is not None and p.grad.isfinite().all() for p in named.values())
            idle = [n for n, p in named.items() if not p.grad.abs().max() > 0]
            assert not idle, (task, idle)


def test_a_schemes_own_ceiling_stands_beside_its_scores(bert, tmp_path):
    """The released scheme says every relation both ways, and names no entity that has none."""
    documents = small.documents(6)
    for scheme, best in (("exact", 100.0), ("as_released", 200 * 2 / (2 + 4))):
        model = Model.new(recipe("joint", bert, heads__0__scheme=scheme))
        found = scheme_ceiling(model, documents)
        assert found["entities"] == pytest.approx(100.0) and found["pairs"] == pytest.approx(best)
        scores, _ = evaluate(model, documents, bootstrap=0)
        assert record(model, scores, documents)["scheme ceiling"] == found
    assert scheme_ceiling(Model.new(recipe("ner", bert)), documents) == {}


def test_a_dropped_context_is_one_that_was_never_there(bert):
    """In training, documents whose context is left out have the states that they have without a caption."""
    torch.manual_seed(0)
    model = Model.new(recipe("ner", bert))
    encode = model.extractor.encode.eval()
    documents = small.documents(4)
    gone = torch.tensor([True, False, True, False])
    cut = [d.replace(captions={}) if g else d for d, g in zip(documents, gone.tolist())]
    inputs, expected = (model.featurizer.collate(model.featurizer.featurize(d)).inputs for d in (documents, cut))
    with torch.no_grad():
        got, plain = encode(without_context(inputs, gone)), encode(expected)
    for role in ("text", "context"):
        n = plain[role].tokens.shape[1]
        torch.testing.assert_close(got[role].tokens[:, :n], plain[role].tokens)
        assert torch.equal(got[role].present, plain[role].present)
    with pytest.raises(RecipeError, match="frozen"):
        recipe("ner", bert, encode__drop_context="0.5", encode__text__freeze="true")


def test_a_context_that_no_document_has_is_refused_before_training(bert, tmp_path):
    documents = small.documents(6)
    for name, words in (("GPT-4", ["'GPT-4'", "c"]), ("*", ["'*'", "captions"])):
        given = documents if name != "*" else [d.replace(captions={}) for d in documents]
        with pytest.raises(TrainError) as error:
            list(fit(recipe("ner", bert, encode__context=f'"{name}"'), given, given, out=tmp_path / "out"))
        assert all(w in str(error.value) for w in words), str(error.value)


def test_published_numbers_are_found_however_a_folder_is_called():
    def number(row, setting, **measure):
        return published.number("shap_ca", row, setting, Measure(**measure))

    def setting(spec, task, **of):
        return published.comparison(RunSpec(paper="shap_ca", corpus=spec, task=task, **of)).setting

    for name in ("twitter2015", "Twitter-15", "twitter_2015", "T15"):
        assert setting(f"twitter:{name}", "ner") == "T-15"
    assert number("Shap-CA", "T-15", score="strict") == ("table 1", "T-15", 76.93)
    assert setting("twitter:twitter2017", "ner", test="twitter:twitter2015") == "T-17 to T-15"
    assert number("Shap-CA", "T-17 to T-15", score="strict") == ("table 5", "T-17 to T-15", None)
    assert number("baseline", "MJERE", score="pairs")[2] == 52.36
    assert number("w/o Shapley", "MNRE", score="as_released") == ("table 1", "MNRE", None)
    assert setting("diorama:", "ner") == ""


def test_both_tasks_of_a_joint_run_have_their_own_numbers():
    """55.95 stands beside pairs and 79.29 beside entities; the task of names alone is another than the paper's."""
    spec = "jmere:somewhere/JMERE"
    found = published.comparison(RunSpec(paper="shap_ca", corpus=spec, task="joint"))
    numbers = {
        score: published.number("shap_ca", "Shap-CA", found.setting, Measure(score=score))[2]
        for score in ("pairs", "entities")
    }
    assert numbers == {"pairs": 55.95, "entities": 79.29}
    alone = published.comparison(RunSpec(paper="shap_ca", corpus=spec, task="ner"))
    assert not alone.setting and "task joint, not ner" in alone.because


def test_the_rate_of_twitter_2015_is_told_by_its_posts_not_its_path():
    """4,000 and 1,000 tweets are Twitter-2015 wherever they lie; others are not, even in a folder of its name."""

    def corpus(path, train, dev, source="twitter"):
        def posts(n):
            return lambda: (
                Document(
                    id=str(i),
                    text="a",
                    mentions=[Mention(id="m", start=0, end=1, label="PER")],
                    source={"corpus": source},
                )
                for i in range(n)
            )

        return Corpus(f"twitter:{path}", {"train": posts(train), "dev": posts(dev)})

    def rate(*args, flavour="paper", **options):
        return shap_ca.recipe(corpus(*args), flavour=flavour, **options).training.param_groups[-1].lr

    assert rate("/data/T15", 4000, 1000) == 3e-4 == rate("/data/T15", 4000, 1000, flavour="improved")
    assert rate("/data/twitter15_17/twitter2015", 3373, 723) == 1e-4
    assert rate("/data/twitter2015", 4000, 1000, "conll") == 1e-4 == rate("/x", 4000, 999)
    assert rate("/data/T15", 4000, 1000, head_lr=2e-4) == 2e-4
    assert shap_ca.recipe(flavour="paper").training.param_groups[-1].lr == 1e-4
