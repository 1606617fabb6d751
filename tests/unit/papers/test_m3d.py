"""M3D's page: recipes in both languages, ablations and sweeps that hold together, published numbers, folds by video."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from openmie import corpora, diorama
from openmie import recipe as recipes
from openmie.bench import published
from openmie.bench.ceilings import against_ceilings
from openmie.bench.execution import execute
from openmie.bench.run_spec import RunSpec
from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document
from openmie.datasets.folds import DEV_PARTS, deal_groups, drop_modalities, make_folds
from openmie.datasets.m3d import parse_count
from openmie.errors import CorpusError, ErrorRecord, RecipeError
from openmie.metrics import Scores
from openmie.model.pretrained import Model
from openmie.nn.complete.blank import Blank
from openmie.papers import m3d

ALL = ("LOC", "ORG", "PER", "TIME")
LABELS = Labels(
    mentions=ALL,
    chains=ALL,
    relations=("None", "PER-PER_peer", "PER-LOC_birth"),
    regions=ALL[:3],
    symmetric=frozenset({"PER-PER_peer"}),
)
REAL = Corpus("m3d:folder", {}, declared=LABELS, language="en")
MADE = diorama.corpus(diorama.Config(documents=True, size=64, sentences=6, frames=4), train=8, dev=4, test=4)


def test_the_papers_hyper_parameters():
    r = recipes.check(m3d.recipe(REAL, flavour="improved"))
    assert r.encode.text.name == "allenai/longformer-base-4096" and r.encode.text.pool == "max"
    assert r.encode.vision.name == "google/vit-base-patch16-224"
    t = r.training
    assert (t.epochs, t.batch_size, t.warmup_ratio, t.max_grad_norm, t.lr_schedule) == (20, 1, 0.0, 5.0, "linear")
    assert [(g.match, g.lr, g.weight_decay) for g in t.param_groups] == [
        ("encode.text", 5e-6, 0.0),
        ("encode.vision", 5e-6, 0.0),
        ("", 1e-3, 0.0),
    ]
    assert r.complete.prompt_length == r.fuse[0].latent == 64 and r.fuse[0].heads == 16
    assert [type(h).__name__ for h in r.heads] == ["Crf", "Chains", "ChainRelations", "Regions"]
    assert r.heads[2].labels == ("PER-PER_peer", "PER-LOC_birth") and r.heads[2].symmetric == ("PER-PER_peer",)
    assert r.task == "document" and all(h.weight == 1.0 for h in r.heads)
    zh = m3d.recipe(replace(REAL, language="zh"), flavour="improved")
    assert "xlm-roberta-longformer-base-4096" in zh.encode.text.name


def test_backbones_by_corpus_and_by_option():
    made = m3d.recipe(MADE)
    assert (made.encode.text.name, made.encode.vision.name) == ("tiny", "tiny")
    assert m3d.recipe(replace(MADE, language="zh")).encode.text.name == "characters"
    blind = m3d.recipe(replace(REAL, declared=replace(LABELS, regions=())), flavour="improved", text="minilm")
    assert blind.encode.vision is None and blind.fuse == () and isinstance(blind.complete, Blank)
    assert [type(h).__name__ for h in recipes.check(blind).heads] == ["Crf", "Chains", "ChainRelations"]
    assert m3d.recipe(REAL, vision="none").encode.vision is None
    assert m3d.sweeps(blind) == {} and set(m3d.ablations(blind)) == {
        "one label a pair",
        "votes of mentions",
        "closure of links",
    }
    for wrong in ({"task": "ner"}, {"language": "fr"}):
        with pytest.raises(RecipeError):
            m3d.recipe(REAL, **wrong)
    with pytest.raises(RecipeError, match="without mention labels"):
        m3d.recipe(replace(REAL, declared=Labels(relations=("a",))))


@pytest.mark.parametrize(
    ("languages", "kind"),
    [
        (("zh", "zh"), "m3d-zh-small"),
        (("en", ""), "m3d-en-small"),
        (("en", "zh"), "m3d-zh-small"),
        (("", ""), "m3d-en-small"),
    ],
)
def test_the_language_is_read_off_the_documents_where_the_corpus_names_none(languages, kind):
    own = Corpus(
        "jsonl:own", {"train": lambda: [Document(id=f"{n}", lang=x) for n, x in enumerate(languages)]}, declared=LABELS
    )
    assert m3d.recipe(own).name == kind and m3d.recipe(own, language="en").name == "m3d-en-small"
    other = replace(own, sources={"train": lambda: [Document(id="x", lang="de")]})
    with pytest.raises(RecipeError, match="'de'"):
        m3d.recipe(other)


@pytest.mark.parametrize("flavour", m3d.FLAVOURS)
def test_every_ablation_and_sweep_holds_together_and_differs(flavour):
    r = m3d.recipe(REAL, flavour=flavour)
    found = {**m3d.ablations(r), **{f"{n}={v}": x for n, vs in m3d.sweeps(r).items() for v, x in vs.items()}}
    for name, other in found.items():
        assert recipes.check(other) and recipes.load(json.dumps(recipes.dump(other))) == other, name
        assert other.task == "document", name
    plain = [replace(x, name="") for x in m3d.ablations(r).values()]
    assert len({json.dumps(recipes.dump(x)) for x in [*plain, replace(r, name="")]}) == len(plain) + 1
    assert found["w/o MMCM"] == replace(r, name=f"m3d-en-{flavour}-wo-mmcm", complete=Blank())
    assert {"w/o DFFM", "w/o both", "text", "as released"} <= set(found)


def test_the_baselines_of_table_three():
    rows = m3d.ablations(m3d.recipe(REAL, flavour="improved"))
    towers = {"VideoMAE": "videomae", "ViViT": "vivit"}
    for video, kind in towers.items():
        for x, part in (("Os", "OneStream"), ("Ts", "TwoStream")):
            r = rows[f"{video}+Longformer+{x}"]
            assert kind in r.encode.vision.name and type(r.fuse[0]).__name__ == part


@pytest.mark.parametrize("row", ["w/o DFFM", "true VAE", "as released", "text", "tiny+Os", "tiny+Ts"])
def test_ablations_learn_and_answer(row):
    made = Model.new(m3d.ablations(m3d.recipe(MADE))[row])
    documents = list(MADE.train)[:2]
    output = made.extractor.train()(made.featurizer.collate(made.featurizer.featurize(documents, gold=True)))
    output.total.backward()
    idle = [n for n, p in made.extractor.named_parameters() if p.grad is None and "complete" not in n]
    assert not idle and ("kl" in output.losses) == (row == "true VAE")
    assert len(made.predict(documents)) == 2


def test_published_numbers():
    tables = m3d.REPORTED
    for row, cells in (*tables["table III"].items(), *tables["table IV"].items()):
        for language in ("EN", "ZH"):
            four = [cells[f"{language} {t}"] for t in ("Ent.", "Cha.", "Rel.", "Gro.")]
            assert cells[f"{language} Avg."] == pytest.approx(sum(four) / 4, abs=0.011), row
    rows = set(m3d.ablations(m3d.recipe(REAL, flavour="paper"))) | {m3d.NAME}
    assert set(tables["table IV"]) <= rows and len(set(tables["table III"]) & rows) == 5
    mean = m3d.SETTINGS["EN"].columns["EN Avg."]
    assert published.number("m3d", m3d.NAME, "EN", mean) == ("table III", "EN Avg.", 53.8)
    fold = published.comparison(RunSpec(paper="m3d", corpus="m3d:DIR?lang=en&fold=0", task="document"))
    assert not fold.setting and fold.because == "fold 0 has other splits than the paper's"


def test_diorama_has_ceilings_for_documents():
    scores = {
        n: Scores(correct=9, predicted=10, gold=10)
        for n in (
            "document",
            "entities",
            "chains",
            "relations",
            "own relations",
            "frame relations",
            "own frame relations",
            "regions",
            "region links",
        )
    }
    found = against_ceilings(MADE, "document", scores)
    both = {"relations", "frame_relations"}
    assert set(found["ceilings"]) == {"ner", "regions", "links", *both, *(f"{x}, gold chains" for x in both)}
    assert set(found["closures"]) == set(scores) - {"document", "chains"}
    low, high = found["ceilings"]["frame_relations"]["argmax"].values()
    assert low == 0 and found["closures"]["own frame relations"]["closure"] == pytest.approx(90 / high)
    # gold chains come with their types, which tell a part by themselves
    low, high = found["ceilings"]["frame_relations, gold chains"]["argmax"].values()
    assert low > 60 and found["closures"]["frame relations"]["closure"] == pytest.approx((90 - low) / (high - low))


def test_the_bench_trains_scores_and_shuffles_documents(tmp_path):
    spec = "diorama:documents=true,size=64,sentences=6,frames=4,train=6,dev=3,test=4"
    cell = RunSpec(paper="m3d", corpus=spec, changes=("training.epochs=1",), shuffle=True)
    found = execute(cell, tmp_path)
    assert found["metric"] == "document" and found["task"] == "document"
    assert {"own", "own relations", "shuffled images", "relations, shuffled images"} <= set(found["scores"])
    assert found["closures"] and cell.finished(tmp_path)
    assert (cell.folder(tmp_path) / "predictions.jsonl").exists()


# -- folds and missing sides


def rows(videos):
    for video, n in videos.items():
        for i in range(n):
            yield ErrorRecord(where=f"{video}{i}")
            yield Document(id=f"{video}.{i}", text="a", lang="en", source={"video": video})


VIDEOS = {f"v{i}": 1 + i * 7 % 5 for i in range(23)}


@pytest.mark.parametrize("folds", [2, 5])
def test_no_video_straddles_and_every_document_is_tested_once(folds):
    tested = Counter()
    for fold in range(folds):
        parts = make_folds([lambda: rows(VIDEOS)], fold, folds, lambda d: d.source["video"])
        items = {name: list(part()) for name, part in parts.items()}
        held = {n: [x for x in found if isinstance(x, Document)] for n, found in items.items()}
        videos = {n: {d.source["video"] for d in found} for n, found in held.items()}
        assert not (videos["train"] & videos["dev"] or (videos["train"] | videos["dev"]) & videos["test"])
        assert sum(map(len, held.values())) == sum(VIDEOS.values())
        assert all(len(found) == 2 * len(held[n]) for n, found in items.items())  # each with its record
        tested.update(d.id for d in held["test"])
        assert abs(len(held["test"]) - sum(VIDEOS.values()) / folds) <= 2
        assert 0 < len(held["dev"]) <= 2 + sum(VIDEOS.values()) / DEV_PARTS
    assert set(tested.values()) == {1} and len(tested) == sum(VIDEOS.values())
    assert deal_groups({"a": 3, "b": 1, "c": 1}, 2) == {"a": 0, "b": 1, "c": 1}
    for odd in ("nan", "0.7", "inf"):
        with pytest.raises(CorpusError, match="whole number"):
            parse_count("fold", odd)
    with pytest.raises(CorpusError, match="fold=5"):
        make_folds([], 5, 5, str)


def test_a_share_lacks_its_text_and_as_many_their_frames():
    documents = list(diorama.generate(diorama.Config(documents=True), "train", 30, pixels=False))
    one, two = ([*drop_modalities(documents, share)] for share in (1 / 3, 2 / 3))
    for found, n in ((one, 10), (two, 20)):
        mute = [d for d in found if not d.text]
        blind = [d for d in found if not d.images]
        assert len(mute) == len(blind) == n / 2 and not {d.id for d in mute} & {d.id for d in blind}
        assert not any(d.mentions or d.chains or d.relations or d.words or d.dangling() for d in mute)
        assert all(d.text and d.mentions and not d.regions for d in blind)
        by_id = {d.id: d for d in documents}
        assert all([r.box for r in d.regions] == [r.box for r in by_id[d.id].regions] for d in mute)
    gone = [{d.id for d in found if not (d.text and d.images)} for found in (one, two)]
    assert gone[0] < gone[1]
    with pytest.raises(CorpusError, match="from 0 to 1"):
        list(drop_modalities(documents, 1.5))


@pytest.mark.real
@pytest.mark.parametrize("language", ["en", "zh"])
def test_folds_of_the_real_files(corpora_folder, language):
    for fold in (0, 4):
        corpus = corpora.load(f"m3d:{corpora_folder}?lang={language}&fold={fold}")
        videos = {s: {d.source["video"] for d in corpus.split(s)} for s in ("train", "dev", "test")}
        assert not videos["test"] & (videos["train"] | videos["dev"]) and not videos["train"] & videos["dev"]
        counts = {s: len({d.id for d in corpus.split(s)}) for s in videos}
        assert sum(counts.values()) == {"en": 412, "zh": 408}[language] and 80 <= counts["test"] <= 85


@pytest.fixture
def corpora_folder(request):
    return request.getfixturevalue("corpora") / "m3d"
