"""Vectors of entities, how types part among them, and the page: beside slow loops, on made clusters, end to end."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from openmie import corpora
from openmie.bench import entity_space as embeddings
from openmie.bench.entity_space import space, vectors
from openmie.cli import application as cli
from openmie.data.document import Document, Image, Mention
from openmie.errors import CorpusError, ModelError, OpenMIEError
from openmie.model.codec.subwords import word_spans
from openmie.model.pretrained import Model
from openmie.report.embeddings import EntityPoint, hover_label, write
from tests.fixtures import small

EVIL = '<script>alert("x")</script> & <b>bold</b> {0} ${{y}} %{{z}} \ue000'


@pytest.fixture(scope="module")
def models(bert):
    torch.manual_seed(0)
    return {task: Model.new(small.recipe(task, encode__text__name=bert)) for task in ("ner", "joint", "re")}


@pytest.fixture(scope="module")
def run(models, tmp_path_factory):
    """A bench run's folder: its model, its corpus, and what the bench writes down."""
    folder = tmp_path_factory.mktemp("run")
    docs = [d.replace(images=()) for d in small.documents(12)]
    (folder / "corpus").mkdir()
    for name in ("train", "dev", "test"):
        corpora.write(docs, folder / "corpus" / f"{name}.jsonl")
    models["ner"].save_pretrained(folder / "model")
    (folder / "train.json").write_text(json.dumps({"cell": {"corpus": f"jsonl:{folder / 'corpus'}"}}))
    return folder


def invoke(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def slow(model, documents):
    """One document at a time, one mention at a time, one word at a time."""
    out = []
    model.extractor.eval()
    for d in documents:
        with torch.no_grad():
            fused = model.extractor.streams(model.featurizer.collate(model.featurizer.featurize([d])).inputs).fused
        spans = word_spans(d)
        for m in sorted(d.mentions, key=lambda m: (m.start, m.end, m.id)):
            if m.id in spans:
                words = [fused["fused"].tokens[0, w] for w in range(spans[m.id][0], spans[m.id][1] + 1)]
                out.append((d.id, m.start, m.end, m.label, (sum(words) / len(words)).numpy()))
    return out


def odd_documents():
    """Mentions of several words, nested ones, one that touches no word, a document without any."""
    docs = small.documents(9, every=3)
    wide = (
        *docs[0].mentions,
        Mention(id="wide", start=0, end=docs[0].words[3].end, label="ORG"),
        Mention(id="gone", start=0, end=0, text="nowhere", label="LOC", status="unlocated"),
    )
    return [Document(id="none", text="a lot ."), docs[0].replace(mentions=wide), *docs[1:]]


# -- vectors


@pytest.mark.parametrize("task", ["ner", "joint"])
@pytest.mark.parametrize("batch", [1, 4, 32])
def test_vectors_are_means_of_the_words_states(models, task, batch):
    docs = odd_documents()
    found = embeddings.entities(models[task], (d for d in docs), batch_size=batch)
    expected = slow(models[task], docs)
    assert [(e.document, e.start, e.end, e.label) for e in found.entities] == [x[:4] for x in expected]
    np.testing.assert_allclose(found.vectors, [x[4] for x in expected], atol=1e-5)
    assert (found.total, found.unlocated) == (len(expected), 1) and found.vectors.dtype == np.float32


def test_span_means():
    torch.manual_seed(0)
    tokens, row = torch.randn(3, 7, 5, dtype=torch.float64), torch.tensor([0, 0, 2, 1])
    spans = torch.tensor([[0, 6], [2, 2], [5, 6], [1, 3]])
    expected = torch.stack([tokens[r, a : b + 1].mean(0) for r, (a, b) in zip(row, spans)])
    torch.testing.assert_close(embeddings.span_means(tokens, row, spans), expected)
    assert embeddings.span_means(tokens, row[:0], spans[:0]).shape == (0, 5)


@pytest.mark.parametrize("task", ["ner", "joint"])
def test_predicted_types_are_those_that_predict_gives(models, task):
    docs = small.documents(8)
    said = {d.id: {(m.start, m.end): m.label for m in d.mentions} for d in models[task].predict(docs)}
    found = embeddings.entities(models[task], docs).entities
    assert [e.predicted for e in found] == [said[e.document].get((e.start, e.end)) for e in found]


def test_gold_labels_do_not_change_vectors_and_the_mode_stays(models):
    docs = small.documents(4)
    other = [d.replace(mentions=[m.model_copy(update={"label": "X"}) for m in d.mentions], relations=()) for d in docs]
    models["ner"].extractor.train()
    a, b = (embeddings.entities(models["ner"], x) for x in (docs, other))
    assert models["ner"].extractor.training and np.array_equal(a.vectors, b.vectors)
    models["ner"].extractor.eval()


def test_a_draw_is_seeded_in_order_and_each_mention_as_likely(models):
    docs = small.documents(20)

    def key(found):
        return [(e.document, e.start) for e in found.entities]

    every = embeddings.entities(models["ner"], docs, most=0)
    some = [embeddings.entities(models["ner"], docs, most=7, seed=s) for s in (1, 1, 2)]
    assert key(some[0]) == key(some[1]) != key(some[2]) and some[0].total == every.total == 60
    place = {k: i for i, k in enumerate(key(every))}
    at = [place[k] for k in key(some[0])]
    assert len(at) == 7 and at == sorted(at)
    np.testing.assert_allclose(some[0].vectors, every.vectors[at], atol=1e-5)
    drawn = np.zeros(3)
    for seed in range(300):
        for _, _, m, _ in vectors._drawn(docs[:4], 4, seed, Counter()):
            drawn[int(m.id[1])] += 1
    assert (abs(drawn / drawn.sum() - 1 / 3) < 0.05).all()


def test_images_that_cannot_be_read_are_told(models):
    docs = [small.document(0).replace(images=[Image(path="none.png")]), *small.documents(3)[1:]]
    assert "none.png" in embeddings.entities(models["ner"], docs).errors[0]


# -- space


def clusters(n=40, d=16, labels="abc", apart=8.0):
    draw = np.random.default_rng(0)
    names = np.repeat(list(labels), n)
    centres = draw.normal(size=(len(labels), d)) * apart
    return (centres.repeat(n, 0) + draw.normal(size=(len(names), d))).astype(np.float32), names


def test_clusters_part_and_shuffled_labels_do_not():
    points, labels = clusters()
    parted = embeddings.separation(points, labels)
    assert parted.accuracy == 100 and parted.silhouette > 0.7 and parted.commonest == pytest.approx(100 / 3)
    mixed = embeddings.separation(points, np.random.default_rng(1).permutation(labels))
    assert 20 < mixed.accuracy < 47 and abs(mixed.silhouette) < 0.1 and mixed.commonest == parted.commonest


def test_the_vote_is_that_of_a_double_loop():
    vectors, labels = clusters(12, 3, "abcd", apart=0.7)
    right = []
    for i, x in enumerate(vectors):
        near = sorted((float(((x - y) ** 2).sum()), j) for j, y in enumerate(vectors) if j != i)[:5]
        voters = [labels[j] for _, j in near]  # the nearest first, and `max` takes the first of equals
        right.append(max(voters, key=voters.count) == labels[i])
    found = embeddings.separation(vectors, labels)
    assert found.right.tolist() == right and 0 < sum(right) < 48
    assert found.accuracy == pytest.approx(100 * np.mean(right))


@pytest.mark.parametrize("labels", [["a"] * 6, [*"abcdef"]])
def test_one_type_or_all_alone(labels):
    found = embeddings.separation(np.random.default_rng(0).normal(size=(6, 4)), labels)
    assert found.silhouette is None and found.accuracy == (None if len(set(labels)) == 1 else 0)


def test_the_projection_keeps_clusters_and_comes_again():
    vectors, labels = clusters(20)
    points = embeddings.project(vectors, seed=3)
    assert points.shape == (60, 3) and np.isfinite(points).all()
    assert np.array_equal(points, embeddings.project(vectors, seed=3))
    assert embeddings.separation(points, labels).accuracy > 95


@pytest.mark.parametrize("n", [4, 5])
def test_few_points(n):
    vectors = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    assert np.isfinite(embeddings.project(vectors)).all() and 0 < embeddings.perplexity(n) < n
    assert embeddings.perplexity(5000) == 30


@pytest.mark.parametrize(
    ("vectors", "error", "words"),
    [
        (np.zeros((0, 0)), CorpusError, "0 located gold mentions"),
        (np.zeros((1, 8)), CorpusError, r"1 located gold mention\."),
        (np.eye(3), CorpusError, "--split"),
        (np.ones((9, 8)), ModelError, "all the same"),
        (np.full((9, 8), np.nan), ModelError, "not finite"),
    ],
)
def test_what_cannot_be_drawn_is_said(vectors, error, words):
    with pytest.raises(error, match=words):
        embeddings.project(vectors)


# -- the page


class Page(HTMLParser):
    """Tags, scripts, and whatever names a place outside the page."""

    def __init__(self, whole):
        super().__init__()
        self.tags, self.scripts, self.inside, self.outside, self.text = [], [], "", [], ""
        self.feed(whole)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.inside = tag
        self.outside += [v for k, v in attrs if k in ("src", "href", "action", "data") and not v.startswith("#")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def traces(page):
    """What plotly is given: the list behind its div's name, read as JSON, and its settings."""
    call = next(s for s in page.scripts if re.search(r'newPlot\(\s*"plot"', s) and len(s) < 2_000_000)
    decoder, at = json.JSONDecoder(), re.search(r'newPlot\(\s*"plot",\s*', call).end()
    out = []
    for _ in range(3):
        value, at = decoder.raw_decode(call, at)
        at += re.match(r"[\s,]*", call[at:]).end()
        out.append(value)
    return out


def entity(i, label="PER", predicted="PER", text="We saw Ada there", start=7, end=10):
    return EntityPoint(document=f"d{i}", text=text, start=start, end=end, label=label, predicted=predicted)


def test_the_page_holds_all_points_and_only_itself(tmp_path):
    labels = ["", *(f"T{i:02d}" for i in range(12))]
    whole = [entity(i, labels[i % 13], [labels[i % 13], None, "X"][i % 3]) for i in range(60)]
    points = np.random.default_rng(0).normal(size=(60, 3))
    paths = [write(tmp_path / "a" / n, whole, points, title="T <1>", intro="i", notes=["one <b>"]) for n in ("x", "y")]
    assert paths[0].read_bytes() == paths[1].read_bytes() and 4e6 < paths[0].stat().st_size < 6e6
    page = Page(paths[0].read_text(encoding="utf8"))
    drawn, _, config = traces(page)
    assert page.outside == [] and "link" not in page.tags and "iframe" not in page.tags and len(drawn) == 13
    assert "T <1>" in page.text and "one <b>" in page.text
    found = {(x, y, z) for t in drawn for x, y, z in zip(t["x"], t["y"], t["z"])}
    assert found == {tuple(round(float(v), 3) for v in p) for p in points}
    shown = [(t["marker"]["color"], t["marker"]["symbol"][0].removesuffix("-open")) for t in drawn]
    assert len(set(shown)) == 13 and [t["name"].rpartition(" ")[0] for t in drawn] == [*labels[1:], "no type"]
    symbols = [s for t in drawn for s in t["marker"]["symbol"]]
    assert sum(s.endswith("-open") for s in symbols) == sum(e.predicted != e.label for e in whole) == 40
    assert "sendChartToCloud" in config["modeBarButtonsToRemove"] and config["showSendToCloud"] is False
    assert "connect-src" not in paths[0].read_text() and "default-src &#x27;none&#x27;" in paths[0].read_text()


def test_strangers_text_stays_text(tmp_path):
    text = f"{EVIL} Ada {EVIL}"
    odd = entity(0, "<i>T</i>", "</script>", text, text.index("Ada"), text.index("Ada") + 3)
    odd = replace(odd, document="<u>id</u>\n")
    path = write(tmp_path / "x.html", [odd] * 4, np.eye(4)[:, :3], title=EVIL, intro=EVIL, caption=EVIL, notes=[EVIL])
    page = Page(path.read_text(encoding="utf8"))
    assert page.tags.count("script") == 3 and "u" not in page.tags and "i" not in page.tags and "b" not in page.tags
    (trace,), _, _ = traces(page)
    for label in (*trace["hovertext"], trace["name"]):
        assert {t.lower() for t in re.findall(r"<[^>]*>?", label)} <= {"<b>", "</b>", "<br>"}
        assert "&lt;i&gt;T&lt;/i&gt;" in label
    said = trace["hovertext"][0]
    assert "<b>Ada</b>" in said and "&lt;script&gt;" in said and '"x"' in said and "&lt;/script&gt;" in said
    assert trace["hoverinfo"] == "text" and "hovertemplate" not in trace and "\ue000" not in said


def test_hover_wraps_and_cuts_with_an_ellipsis():
    long = "word " * 100 + "Zorvane" + " word" * 100
    said = hover_label(entity(0, "LOC", None, long, 500, 507)).split("<br>")
    assert said[0] == "<b>Zorvane</b>" and said[1].startswith("…") and said[-3].endswith("…")
    assert any("<b>Zorvane</b>" in line for line in said[1:-2]) and all(len(line) < 75 for line in said)
    assert said[-2:] == ["document d0", "gold LOC, predicted: not found"]
    assert hover_label(entity(0)).split("<br>")[1:] == [
        "We saw <b>Ada</b> there",
        "document d0",
        "PER, predicted as such",
    ]
    assert "gold PER, predicted: LOC" in hover_label(entity(0, predicted="LOC"))
    whole = hover_label(entity(0, text="x" * 5000, start=0, end=5000))
    assert len(whole) < 500 and "…" in whole
    assert "\ud800" not in hover_label(entity(0, text="We \ud800w Ada there"))
    assert "<b>北京</b>" in hover_label(entity(0, text="我" * 90 + "北京" + "你" * 300, start=90, end=92))


# -- runs and the command line


def test_show_embeddings_of_a_bench_run(run, tmp_path):
    out = tmp_path / "new" / "e.html"
    said = invoke("show", "embeddings", run, "--out", out, "--max-entities", 30, "--seed", 5).output
    assert "30 of 36 mentions" in said and "5-NN accuracy" in said and "silhouette" in said
    page = Page(out.read_text(encoding="utf8"))
    assert sum(len(t["x"]) for t in traces(page)[0]) == 30
    for fact in ("30 of 36, drawn at random", "perplexity", "9.66667", "seed", "split test", "silhouette", "LOC"):
        assert fact in page.text, fact
    assert re.search(r"20\d\d-\d\d-\d\d", page.text)


def test_show_embeddings_of_a_model_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").mkdir()
    corpora.write([Document(id="bad", text="Ada"), small.document(0).replace(images=())], tmp_path / "c" / "dev.jsonl")
    (tmp_path / "c" / "train.jsonl").write_text(
        "not json\n"
        + small.document(0).replace(images=()).to_json()
        + "\n"
        + small.document(1).replace(images=()).to_json()
        + "\n"
    )
    assert embeddings.find(run) == embeddings.find(run / "model") == (str(run / "model"), f"jsonl:{run / 'corpus'}")
    shown = embeddings.show(run / "model", f"jsonl:{tmp_path / 'c'}", split="train")
    assert shown.path.exists() and "Records not read: 1" in shown.path.read_text(encoding="utf8")
    with pytest.raises(CorpusError, match="3 located gold mentions"):
        embeddings.show(run, f"jsonl:{tmp_path / 'c'}", split="dev")


def test_relation_models_are_refused(models, bert):
    marked = small.recipe("re", encode__text__name=bert, heads__markers="true")
    for model in (models["re"], Model.new(marked)):
        with pytest.raises(ModelError, match="finds no entities"):
            embeddings.entities(model, small.documents(3))
    with pytest.raises(ModelError, match="most=-1"):
        embeddings.entities(models["ner"], [], most=-1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("embeddings", "empty"), ["No model in 'empty'", "--out"]),
        (("embeddings", "gone"), ["No --corpus", "is no folder here"]),
        (("embeddings", "gone/at/all", "--corpus", "diorama:test=4"), ["No folder"]),
        (("embeddings", "bare"), ["No --corpus", "does not tell one"]),
        (("embeddings", "RUN", "--split", "x"), ["unknown split 'x'"]),
        (("embeddings", "RUN", "--max-entities", "2"), ["2 located gold mentions", "--max-entities"]),
    ],
)
def test_errors_say_what_to_do(run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").symlink_to(run / "model")
    with pytest.raises(OpenMIEError) as error:
        invoke("show", *(run if a == "RUN" else a for a in arguments))
    assert all(w in str(error.value) for w in words), str(error.value)


def test_a_missing_extra_is_named_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(space, "find_spec", lambda name: None)
    with pytest.raises(OpenMIEError, match=r"plotly.*scikit-learn.*openmie\[plots\]"):
        embeddings.show("gone", "nothing:here")


def test_show_still_shows_recipes(run):
    assert "Cross" in invoke("show", "baseline").output
    assert '"kind": "Recipe"' in invoke("show", run / "model").output
