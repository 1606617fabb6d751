"""M3D's page: recipes in both languages, ablations and sweeps that hold together, published numbers, folds by video."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from openmie import corpora, diorama
from openmie import recipe as recipes
from openmie.bench import published, system
from openmie.bench.ceilings import against_ceilings
from openmie.bench.execution import execute
from openmie.bench.result_table import table
from openmie.bench.run_grid import Rows, grid
from openmie.bench.run_spec import RunSpec
from openmie.bench.table_text import markdown
from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document
from openmie.datasets.folds import DEV_PARTS, deal_groups, drop_modalities, make_folds
from openmie.datasets.m3d import parse_count
from openmie.errors import CorpusError, ErrorRecord, RecipeError
from openmie.metrics import Scores
from openmie.model.pretrained import Model
from openmie.nn.complete.blank import Blank
from openmie.papers import m3d
from openmie.train.evaluate import write_record

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
    r = recipes.check(m3d.recipe(REAL, flavour="paper"))
    fusion, heads = r.fuse[0], r.heads
    assert (fusion.residual_norm, fusion.norm, fusion.variational, fusion.kl_weight) == ("none", False, True, 0.0)
    assert (fusion.project, fusion.own_keys, fusion.mix, fusion.pool) == (True, False, "matrix", "mean")
    assert fusion.frame_table == r.encode.max_frames and r.complete.kernel == 3
    assert [h.dropout_of for h in heads[1:3]] == ["scores"] * 2 and heads[0].loss_per == "word"
    assert (heads[1].link, heads[2].decide, heads[2].mentions, heads[3].slots) == ("closure", "one", (), "frame")
    released = m3d.ablations(r)["released DFFM and heads"]
    fusion, heads = released.fuse[0], released.heads
    assert (fusion.residual_norm, fusion.word_ffn, fusion.mix, fusion.attention_dropout) == (
        "released",
        True,
        "scalar",
        0.5,
    )
    assert (heads[3].box_loss, heads[2].aggregation, heads[2].dropout_of) == ("every", "vote", "scores")
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
    swept = m3d.sweeps(r)
    assert set(swept["missing"].values()) == {r} and swept["missing"].at("0.35") == r
    assert {x.complete for x in swept["missing, w/o MMCM"].values()} == {Blank()}
    plain = [replace(x, name="") for x in m3d.ablations(r).values()]
    assert len({json.dumps(recipes.dump(x)) for x in [*plain, replace(r, name="")]}) == len(plain) + 1
    assert found["w/o MMCM"] == replace(r, name=f"m3d-en-{flavour}-wo-mmcm", complete=Blank())
    assert {"w/o DFFM", "w/o both", "text", "released DFFM and heads"} <= set(found)


def test_the_baselines_of_table_three():
    rows = m3d.ablations(m3d.recipe(REAL, flavour="improved"))
    towers = {"VideoMAE": "videomae", "ViViT": "vivit"}
    for video, kind in towers.items():
        for x, part in (("Os", "OneStream"), ("Ts", "TwoStream")):
            r = rows[f"{video}+Longformer+{x}"]
            assert kind in r.encode.vision.name and type(r.fuse[0]).__name__ == part


@pytest.mark.parametrize("row", ["w/o DFFM", "true VAE", "released DFFM and heads", "text", "tiny+Os", "tiny+Ts"])
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
    fold = published.comparison(RunSpec(paper="m3d", corpus="m3d:m3d?lang=en&fold=0", task="document"))
    assert not fold.setting and fold.because == "fold 0 has other splits than the paper's"
    relations = m3d.SETTINGS["ZH"].columns["ZH Rel."]
    assert published.number("m3d", "w/o MMCM", "ZH", relations) == ("table IV", "ZH Rel.", 35.88)


FOUR = ("document", "entities", "chains", "relations", "directed relations", "regions", "own")
THREE = (
    "document (entities, chains, relations)",
    "entities",
    "chains",
    "relations",
    "own (entities, chains, relations)",
)
COUNTS = {"en": (1644, 205, 207), "zh": (1629, 203, 205)}


def recorded(cell, scores, language="en"):
    """The record of a run on as many documents as the published files have."""
    train, dev, test = COUNTS[language]
    return {
        "cell": cell.dump(),
        "metric": next(iter(scores)),
        "date": "2026-11-30",
        "dev": {},
        "recipe": {},
        "requested": {},
        "documents": test,
        "corpus": {"train": {"documents": train}, "dev": {"documents": dev}},
        "scores": {name: {"f1": f1} for name, f1 in scores.items()},
    }


@pytest.mark.parametrize(
    ("corpus", "measured", "setting", "because"),
    [
        ("m3d:m3d?lang=en&protocol=paper", FOUR, "EN", ""),
        ("m3d:m3d?protocol=paper&language=zh&images=FRAMES", FOUR, "ZH", ""),
        ("m3d:m3d?lang=en&protocol=paper", THREE, "", "all four tasks"),
        ("m3d:m3d?lang=en", FOUR, "", "complete documents"),
        ("m3d:m3d?lang=en&missing=0.667", FOUR, "", "missing=0.667"),
        ("m3d:m3d?lang=en&protocol=paper&fold=0", FOUR, "", "fold 0 has other splits"),
        ("m3d:m3d?protocol=paper", FOUR, "", "no data set"),
        ("diorama:documents=true,protocol=paper", FOUR, "", "no data set"),
    ],
)
def test_published_numbers_stand_beside_runs_of_their_protocol_alone(corpus, measured, setting, because):
    cell = RunSpec(paper="m3d", corpus=corpus, flavour="paper", task="document")
    language = "zh" if "=zh" in corpus else "en"
    for record in (recorded(cell, dict.fromkeys(measured, 13.52), language), None):
        if record is not None or measured == FOUR:
            found = published.comparison(cell, record)
            assert found.setting == setting and because in found.because
    swept = RunSpec(paper="m3d", corpus="m3d:m3d?lang=en", task="document", sweep="missing", value="0.2")
    assert published.comparison(swept, recorded(swept, dict.fromkeys(FOUR, 50.0))).setting == "EN"


def test_a_mean_of_three_tasks_never_stands_beside_the_mean_of_four(tmp_path):
    three, four = dict.fromkeys(THREE, 13.52), dict.fromkeys(FOUR, 50.0)
    for corpus, scores, printed in (
        ("m3d:m3d?lang=en", three, False),  # which stood beside 53.80
        ("m3d:m3d?lang=en&protocol=paper", three, False),
        ("m3d:m3d?lang=en&protocol=paper", four, True),  # which had a dash
    ):
        out = tmp_path / f"{len(scores)} {len(corpus)}"
        cell = RunSpec(paper="m3d", corpus=corpus, flavour="paper", task="document")
        write_record(cell.result(out), recorded(cell, scores))
        found = table([cell], out)
        (entry,) = found.entries.values()
        mean = m3d.SETTINGS["EN"].columns["EN Avg."]
        assert entry.reported(mean) == (("table III", "EN Avg.", 53.8) if printed else None)
        text = markdown(found)
        assert ("a third of the documents without text" in text) == ("protocol" in corpus)
        assert ("`w/o MMCM` is the same system" in text) == ("protocol" not in corpus)
        assert "MDocRE-HN" in text and "printed numbers only" in text and "directed relations: subject with" in text
    assert set(m3d.REPORTED["figure 9"]) == {
        f"{sweep}={value}" for sweep in m3d.CORPUS_SWEEPS for value in m3d.sweeps(m3d.recipe(REAL))["missing"]
    }


def test_a_sweep_of_the_missing_ratio_changes_the_corpus_and_not_the_recipe():
    made = "diorama:documents=true,size=64,sentences=6,frames=4,train=6,dev=3,test=4"
    cells = grid("m3d", [made], rows=Rows(sweep=("missing=0,0.5", "missing, w/o MMCM=0.5")))
    assert [(c.row, c.source) for c in cells] == [
        ("missing=0", made),
        ("missing=0.5", f"{made},missing=0.5"),
        ("missing, w/o MMCM=0.5", f"{made},missing=0.5"),
    ]
    recipes_ = [c.recipe(corpora.load(c.source)) for c in cells]
    assert recipes_[0] == recipes_[1] and isinstance(recipes_[2].complete, Blank)
    assert {c.corpus for c in cells} == {made}  # one line of a plot
    assert system.swept_corpus("m3d", "m3d:DIR", "missing", "0.4") == "m3d:DIR?missing=0.4"
    assert system.swept_corpus("m3d", "m3d:DIR?lang=en", "missing", "0.4") == "m3d:DIR?lang=en&missing=0.4"
    assert system.swept_corpus("m3d", "m3d:DIR?lang=en", "prompt", "4") == "m3d:DIR?lang=en"
    with pytest.raises(CorpusError):
        grid("m3d", [made], rows=Rows(sweep=("missing=1.5",)))


def test_the_papers_protocol_takes_a_third_of_each_side(tmp_path):
    row = {"lang": "en", "video_title": "", "image": [], "relation": []}
    for split in ("train", "dev", "test"):
        clips = []
        for n in range(9):
            link = {"type": "PER", "start": 0, "end": 1, "text": "Mira", "sent_time": "0-5"}
            clip = {**row, "doc": "Mira sang .", "video_id": f"{split}_{n}_1", "time_sent_pair": {"0-5": "Mira sang ."}}
            clips.append({**clip, "entityLink": {"L0": {"type": "PER", "link": [link]}}})
        (tmp_path / f"{split}_en.json").write_text(json.dumps(clips))
    whole, paper = (corpora.load(f"m3d:{tmp_path}?lang=en{x}") for x in ("", "&protocol=paper"))
    for split in ("train", "dev", "test"):
        mute = [d.id for d in paper.split(split) if not d.text]
        assert len(mute) == 3 and mute == [d.id for d in paper.split(split) if not d.mentions]
        assert [d.id for d in whole.split(split)] == [d.id for d in paper.split(split)]
    made = "diorama:documents=true,size=64,sentences=6,frames=4,train=300,dev=3,test=4"
    documents = list(corpora.load(f"{made},protocol=paper").train)
    assert {d.id for d in corpora.load(f"{made},missing={2 / 3}").train if not d.text} == {
        d.id for d in documents if not d.text
    }
    for found in ([d for d in documents if not d.text], [d for d in documents if not d.images]):
        assert 70 <= len(found) <= 130
    for spec in (f"m3d:{tmp_path}?lang=en", made):
        mark = "," if spec == made else "&"
        with pytest.raises(CorpusError, match="printed"):
            corpora.load(f"{spec}{mark}protocol=printed")
        with pytest.raises(CorpusError, match="protocol=paper with missing"):
            corpora.load(f"{spec}{mark}protocol=paper{mark}missing=0.3")


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
