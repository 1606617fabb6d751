"""Documents in, documents out: what a batch holds, candidates given and found, gold never read, answers as layers."""

from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

import openmie
from openmie import diorama
from openmie import recipe as recipes
from openmie.cli.application import app
from openmie.corpora import load, read
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import ModelError, RecipeError, TrainError
from openmie.metrics import documents as score_documents
from openmie.model.pretrained import Model
from openmie.model.tasks.task import CANDIDATE_SOURCES
from openmie.papers import m3d
from openmie.recipe import set_field
from openmie.train import fit
from openmie.train.document_scores import score_predictions, selection_score
from openmie.train.evaluate import evaluate

CONFIG = diorama.Config(documents=True, size=64, sentences=6, frames=4)
CORPUS = diorama.corpus(CONFIG, train=12, dev=6, test=6)


def small(text, corpus=CORPUS, **changes):
    found = m3d.recipe(corpus, text=text)
    changes = {
        "training.epochs": "1",
        "complete.prompt_length": "2",
        "heads.3.width": "32",
        "fuse.0.latent": "16",
        "fuse.0.hidden": "16",
        **changes,
    }
    for path, value in changes.items():
        found = set_field(found, path, value)
    return found


@pytest.fixture(scope="module")
def model(bert):
    torch.manual_seed(0)
    made = Model.new(small(bert))
    with torch.no_grad():  # answers of all kinds: entities, chains of some, links of some, regions in every slot
        for name, p in made.extractor.named_parameters():
            if name.endswith("pair.weight"):
                p.mul_(3)
    made.extractor.heads[2].pair.bias.data.fill_(0.0)
    made.extractor.heads[3].label.bias.data[-1] = -9.0
    return made


@pytest.fixture(scope="module")
def documents():
    return list(CORPUS.train)


def test_a_batch_holds_candidates_links_and_boxes(model, documents):
    examples = model.featurizer.featurize(documents[:4], gold=True)
    batch = model.featurizer.collate(examples)
    head = model.recipe.heads
    for b, d in enumerate(documents[:4]):
        c = examples[b].candidates
        n, k = len(d.mentions), len(d.chains)
        assert batch.given["spans_mask"][b].sum() == n and (batch.given["chain_of"][b, n:] == -1).all()
        for i, id in enumerate(c.mentions):
            first, last = batch.given["spans"][b, i].tolist()
            m = d.find(id)
            assert (d.words[first].start, d.words[last].end) == (m.start, m.end)
            assert head[0].labels[batch.given["span_labels"][b, i]] == m.label
            assert m.id in c.chains[batch.given["chain_of"][b, i]].mentions
        links = batch.targets["links"][b]
        assert not links[k:].any() and not links[:, k:].any()
        said = {(c.numbers[r.head], c.numbers[r.tail], r.label) for r in d.relations}
        both = set(head[2].symmetric)
        want = said | {(t, h, x) for h, t, x in said if x in both}
        assert {(h, t, head[2].labels[r]) for h, t, r in links.nonzero().tolist()} == want
        frames = {f.id: i for i, f in enumerate(d.images)}
        held = batch.targets["box_labels"][b] >= 0
        assert held.sum() == len(d.regions)
        for r in d.regions:
            f = frames[r.image]
            x, y, x2, y2 = (v / CONFIG.size for v in r.box)
            want = torch.tensor([(x + x2) / 2, (y + y2) / 2, x2 - x, y2 - y])
            q = (batch.targets["boxes"][b, f] - want).abs().sum(-1).argmin()
            torch.testing.assert_close(batch.targets["boxes"][b, f, q], want)
            assert head[3].labels[batch.targets["box_labels"][b, f, q]] == r.label
            assert batch.targets["box_of"][b, f, q] == c.numbers.get(r.of, -1)


def test_deleting_gold_changes_no_prediction(model, documents):
    bare = [d.without_gold().replace(source=d.source) for d in documents[:6]]
    assert model.predict(documents[:6]) == model.predict(bare)
    found = model.predict(documents[:6])
    assert any(d.mentions for d in found) and any(d.chains for d in found) and any(d.regions for d in found)


def test_gold_that_is_encoded_for_other_candidates_reaches_no_prediction(model, documents):
    """One pass for all candidate sources: documents hold gold chains, and poorer sources predict as without them."""
    gold = documents[:6]
    bare = [d.without_gold().replace(source=d.source) for d in gold]
    unchained = [d.replace(chains=(), relations=(), regions=(), summary="") for d in gold]
    encoded = model.featurizer.featurize(gold, gold=True, candidates="gold_chains")
    found = model.predict_encoded(encoded, CANDIDATE_SOURCES)
    for source, other in (("predicted", bare), ("gold_mentions", unchained)):
        want = model.predict(other, candidates=source)
        layers = [[(d.mentions, d.chains, d.relations, d.regions) for d in x] for x in (found[source], want)]
        assert layers[0] == layers[1], source
    assert (
        [d.chains for d in found["gold_chains"]] == [d.chains for d in gold] != [d.chains for d in found["predicted"]]
    )


def test_every_mention_is_in_one_chain_and_ends_and_regions_point_to_chains(model, documents):
    for kind in CANDIDATE_SOURCES:
        for d, g in zip(model.predict(documents[:6], candidates=kind), documents):
            held = [m for c in d.chains for m in c.mentions]
            assert sorted(held) == sorted(m.id for m in d.mentions)
            chains = {c.id for c in d.chains}
            assert all({r.head, r.tail} <= chains and r.head != r.tail for r in d.relations)
            assert all(r.of in chains | {""} and d.image(r.image) for r in d.regions)
            assert not d.dangling()
            if kind != "predicted":
                assert d.mentions == g.mentions
            if kind == "gold_chains":
                assert d.chains == g.chains


def test_relations_of_gold_chains_do_not_depend_on_the_chains_found(model, documents):
    """With gold chains the same links come out whatever the chains head says, which with `mentions` changes them."""
    before = model.predict(documents[:6], candidates="gold_chains")
    head = model.extractor.heads[1]
    kept, head.threshold = head.threshold, 2.0  # no link at all
    after, alone = (model.predict(documents[:6], candidates=c) for c in ("gold_chains", "gold_mentions"))
    head.threshold = kept
    assert [d.relations for d in before] == [d.relations for d in after]
    assert all(len(c.mentions) == 1 for d in alone for c in d.chains)
    assert any(d.relations for d in before)


def test_answers_do_not_depend_on_the_batch(model, documents):
    one, three, many = (model.predict(documents, batch_size=n) for n in (1, 3, 12))
    for a, b in zip([*one, *one], [*three, *many], strict=True):
        assert (a.mentions, a.chains, a.relations) == (b.mentions, b.chains, b.relations)
        for x, y in zip(a.regions, b.regions, strict=True):
            assert (x.image, x.label, x.of) == (y.image, y.label, y.of) and x.box == pytest.approx(y.box, abs=1e-3)


def test_long_documents_and_many_frames_make_smaller_batches(model):
    frames = [Image(id=f"f{i}", kind="frame", pixels=None, path="x.png") for i in range(120)]
    examples = model.featurizer.featurize(
        [Document.from_words(f"d{i}", ["a"] * (5 if i else 5000), images=frames if i == 1 else ()) for i in range(9)]
    )
    cuts = model.featurizer.batches(examples, 8)
    assert sorted(i for part in cuts for i in part) == list(range(9))
    assert max(map(len, cuts)) <= 8
    for part in cuts:
        lengths, frames = [examples[i].length for i in part], [120 if i == 1 else 0 for i in part]
        assert len(part) == 1 or (len(part) * max(lengths) <= 1 << 15 and len(part) * max(frames) <= 256)


def test_gold_that_cannot_be_held_leaves_records(model):
    document = Document.from_words("d", ["Ada", "x"]).replace(
        mentions=[Mention(id="a", start=0, end=3, label="PER"), Mention(id="b", start=4, end=5, label="FOOD")],
        chains=[Chain(id="k", mentions=["a"])],
        relations=[Relation(head="k", tail="b", label="likes")],
        images=[Image(id="f", kind="frame", width=10, height=10, path="gone.png")],
        regions=[Region(image=f, box=(0, 0, 5, 5), label="PER") for f in ("other", "f")],
    )
    example = model.featurizer.featurize([document], gold=True)[0]
    assert {"mention b", "relation k b", "region 0 in other"} <= set(example.errors)
    batch = model.featurizer.collate([example])
    assert "gone.png" in str(example.errors["image f"])
    assert (batch.targets["box_labels"] == -1).all()  # nothing to find in a frame that cannot be read
    assert all(v.isfinite() for v in model.extractor(batch).losses.values())
    with pytest.raises(ModelError, match="predicted, gold_mentions, gold_chains"):
        model.predict([document], candidates="all")


SIDES = {
    "no frames": {"images": (), "regions": ()},
    "no text": {"text": "", "words": (), "mentions": (), "chains": (), "relations": (), "times": ()},
}


@pytest.mark.parametrize("complete", ["PromptConv", "Blank"])
def test_documents_that_lack_a_side_or_both_train_and_are_answered(bert, documents, complete):
    base = small(bert)
    recipe = base if complete == "PromptConv" else m3d.ablations(base)["w/o MMCM"]
    made = Model.new(recipe)
    a, b = documents[0].replace(**SIDES["no frames"]), documents[1].replace(**SIDES["no text"])
    b = b.replace(regions=[r.model_copy(update={"of": ""}) for r in b.regions])
    none = a.replace(id="none", **SIDES["no text"])
    for part in ([a, b, documents[2]], [a], [b], [none], [a, none]):
        made.extractor.train()
        output = made.extractor(made.featurizer.collate(made.featurizer.featurize(part, gold=True)))
        assert all(v.isfinite() for v in output.losses.values())
        output.total.backward()
        for d, p in zip(part, made.predict(part)):
            assert p.text == d.text and (d.text or not p.mentions) and (d.images or not p.regions)
    found = made.predict([a, b, none, documents[2]])
    assert [d.source.get("masked") for d in found] == [["vision"], ["text"], ["vision", "text"], None]


def test_without_text_no_loss_of_the_text_whatever_is_constructed(bert, documents):
    made = Model.new(small(bert))
    mute = documents[1].replace(**SIDES["no text"])
    mute = mute.replace(regions=[r.model_copy(update={"of": ""}) for r in mute.regions])
    losses = made.losses([mute])
    assert losses["tags"] == losses["chains"] == losses["links"] == 0 and losses["regions"] > 0


@pytest.mark.parametrize("heads", [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (0, 3), (0, 1, 2), (1, 3)])
def test_any_subset_of_heads_works(bert, documents, heads):
    base = small(bert)
    kept = tuple(base.heads[i] for i in heads)
    recipe = recipes.check(replace(base, heads=kept))
    assert recipe.task == ("ner" if heads == (0,) else "document")
    made = Model.new(recipe)
    made.extractor(made.featurizer.collate(made.featurizer.featurize(documents[:3], gold=True))).total.backward()
    found = made.predict(documents[:3])
    if 0 not in heads and recipe.task == "document":  # what no head finds is given
        assert [d.mentions for d in found] == [d.mentions for d in documents[:3]]
    if not {0, 1} & set(heads):
        assert [d.chains for d in found] == [d.chains for d in documents[:3]]


def test_evaluate_writes_predictions_between_gold_candidates(model, documents, tmp_path):
    """As table VI counts errors; the scores are the same whatever is written."""
    found = {source: evaluate(model, documents[:4], bootstrap=0, candidates=source) for source in CANDIDATE_SOURCES}
    assert len({tuple((n, s.f1) for n, s in scores.items()) for scores, _ in found.values()}) == 1
    want = {s: model.predict(documents[:4], candidates=s) for s in CANDIDATE_SOURCES}
    assert {s: [d.to_json() for d in x] for s, (_, x) in found.items()} == {
        s: [d.to_json() for d in x] for s, x in want.items()
    }
    assert [d.chains for d in found["gold_chains"][1]] == [d.chains for d in documents[:4]]
    with pytest.raises(TrainError, match="Unknown candidates 'gold'"):
        evaluate(model, documents[:1], candidates="gold")
    model.save_pretrained(tmp_path / "model")
    spec = "diorama:documents=true,size=64,sentences=6,frames=4,test=3"
    command = ["evaluate", str(tmp_path / "model"), "--corpus", spec, "--bootstrap", "0", "--candidates", "gold_chains"]
    shown = CliRunner().invoke(app, [*command, "--predictions", str(tmp_path / "found.jsonl")])
    assert shown.exit_code == 0, shown.output
    gold, written = list(load(spec).test), list(read(tmp_path / "found.jsonl"))
    assert [[c.mentions for c in d.chains] for d in written] == [[c.mentions for c in d.chains] for d in gold]


def test_heads_in_an_order_that_cannot_answer_are_refused():
    base = small("tiny")
    for heads in ((1, 0), (2, 1), (0, 2), (0, 1, 1)):
        with pytest.raises(RecipeError, match="in this order"):
            recipes.check(replace(base, heads=tuple(replace(base.heads[i], name=f"h{n}") for n, i in enumerate(heads))))
    with pytest.raises(RecipeError, match="metric"):
        recipes.check(set_field(base, "training.selection_metric", "ner"))


def test_gold_as_prediction_scores_100_and_selection_knows_three_means(documents):
    gold = dict.fromkeys(CANDIDATE_SOURCES, documents)
    scores = score_predictions(documents, gold, ("PER-PER_peer", "PER-PER_couple"))
    assert next(iter(scores)) == "document"
    assert {n for n, s in scores.items() if s.f1 != 100} <= {"relations as_released"}
    assert scores["frame relations"].gold > 0
    worse = {**gold, "gold_chains": [d.replace(relations=()) for d in documents]}
    found = score_predictions(documents, worse)
    assert selection_score(found, "") == selection_score(found, "document") == pytest.approx(75)
    assert selection_score(found, "released") == pytest.approx(500 / 6) and selection_score(found, "own") == 100
    blind = [d.replace(regions=()) for d in documents]
    assert selection_score(score_predictions(blind, dict.fromkeys(CANDIDATE_SOURCES, blind)), "released") == 100
    assert score_documents(blind, blind).tasks == ("entities", "chains", "relations")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_train_save_load_and_score(tmp_path, language):
    corpus = diorama.corpus(replace(CONFIG, language=language), train=12, dev=6, test=6)
    recipe = small("", corpus)
    assert recipe.encode.text.name == {"en": "tiny", "zh": "characters"}[language]
    events = list(fit(recipe, corpus.train, corpus.dev, out=tmp_path / "m", seed=1))
    assert [e.kind for e in events if e.kind in ("start", "dev", "done")] == ["start", "dev", "done"]
    assert {"loss/tags", "loss/chains", "loss/links", "loss/regions"} <= set(
        next(e.values for e in events if e.kind == "step")
    )
    model = openmie.load(tmp_path / "m")
    scores, predicted = evaluate(model, corpus.test, bootstrap=20)
    assert {"document", "own", "entities", "chains", "own chains", "relations", "regions", "MUC"} <= set(scores)
    assert [d.id for d in predicted] == [d.id for d in corpus.test]
    assert all(d.text[m.start : m.end] == m.text for d in predicted for m in d.mentions)


EDGES = {
    "one word": ["Ada"],
    "4,000 words": [f"w{i % 89}" for i in range(4000)],
    "no text": [],
    "emoji": list("他👨‍👩‍👧住在北京👍🏽é1976年"),
}


@pytest.mark.parametrize("frames", [0, 2])
@pytest.mark.parametrize("edge", EDGES)
def test_every_document_is_extracted_with_exact_offsets(model, edge, frames):
    from tests.fixtures import small as other

    images = [Image(id=f"f{i}", kind="frame", pixels=other.picture(i), time=float(i)) for i in range(frames)]
    document = Document.from_words(edge, EDGES[edge], images=images)
    chinese = Document(
        id="zh",
        text="".join(EDGES["emoji"]),
        images=images,
        lang="zh",
        words=[(i, i + 1) for i in range(len("".join(EDGES["emoji"])))],
    )
    for d in (document, chinese):
        found = model.predict([d])[0]
        assert found.text == d.text and found.words == d.words and not found.errors
        assert all(d.text[m.start : m.end] == m.text for m in found.mentions)
        assert found.mentions or not d.words
        last = max((m.end for m in found.mentions), default=0)
        assert edge != "4,000 words" or d is chinese or last > 0.9 * len(d.text)
