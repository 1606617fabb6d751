"""M3D's relations go from the end that their label names first: made-up files, the real ones, the head's mask."""

import json
import random

import pytest
import torch

from openmie import metrics
from openmie.annotation.export_import import collect, export
from openmie.annotation.guidelines import LABELS, guidelines
from openmie.corpora import load
from openmie.data.corpus import Labels
from openmie.datasets import relation_directions as directions
from openmie.datasets.audit.doctor import examine
from openmie.model.tasks.candidates import encode_candidates
from openmie.model.tasks.links import decode_links, encode_links
from openmie.nn.decode.chain_relations import ChainRelations, signatures
from openmie.nn.streams import Stream
from openmie.papers import m3d
from openmie.vlm.prompting.prompt import PromptContent, build_prompt
from openmie.vlm.prompting.schema import Schema

TYPES = LABELS.mentions
KIND = "relations turned to their label's direction"


def test_the_types_that_a_label_names():
    assert directions.end_types("PER-LOC_birth") == ("PER", "LOC") and directions.end_types("PER-LOC_go_to") == (
        "PER",
        "LOC",
    )
    for label in ("peer", "None", "PER-LOC", "PER_LOC-x", "-_", ""):
        assert directions.end_types(label) is None and directions.match_direction(label, "A", "B") == "told"
    assert directions.match_direction("PER-LOC_birth", "PER", "LOC") == "told"
    assert directions.match_direction("PER-LOC_birth", "LOC", "PER") == "turned"
    assert directions.match_direction("PER-PER_peer", "PER", "PER") == "told"
    for types in (("PER", "PER"), ("LOC", "ORG"), ("", "PER")):
        assert directions.match_direction("PER-LOC_birth", *types) == "neither"
    assert directions.example_label(LABELS.relations, TYPES) == ("LOC-TIME_disintegrate", "LOC", "TIME")
    assert directions.example_label(("peer", "PER-PER_peer", "A-B_x"), TYPES) is None


def test_the_head_reads_labels_as_the_readers_do():
    labels = (*LABELS.relations, "peer", "PER-LOC", "A-B_x")
    fits = signatures(ChainRelations(labels=labels, mentions=TYPES), labels)
    for r, label in enumerate(labels):
        named = directions.end_types(label)
        known = named is not None and {*named} <= {*TYPES}
        for h, head in enumerate(TYPES):
            for t, tail in enumerate(TYPES):
                assert fits[h, t, r] == (not known or directions.match_direction(label, head, tail) == "told")


# -- made-up files, stored as the published ones are


def clip(draw, number, language):
    """Chains of one or two words each, and relations that their types allow, from link2 to link1 where types differ."""
    kinds = [draw.choice(TYPES) for _ in range(draw.randint(2, 7))]
    words = [f"w{k}" for k in range(len(kinds))] if language == "en" else [chr(0x4E00 + k) for k in range(len(kinds))]
    text = words + [w for w in words if draw.random() < 0.5]
    chains = {
        f"L{k}": {
            "type": x,
            "link": [
                {"type": x, "start": i, "end": i + 1, "text": w, "sent_time": "0-9"}
                for i, w in enumerate(text)
                if w == words[k]
            ],
        }
        for k, x in enumerate(kinds)
    }
    relations, gold = [], set()
    for head, tail in ((a, b) for a in chains for b in chains if a != b):
        fitting = [
            x for x in LABELS.relations if directions.end_types(x) == (chains[head]["type"], chains[tail]["type"])
        ]
        for label in draw.sample(fitting, min(len(fitting), draw.choice([0, 0, 1, 2]))):
            stored = (head, tail) if chains[head]["type"] == chains[tail]["type"] else (tail, head)
            relations.append({"link1": stored[0], "link2": stored[1], "type": label})
            gold.add((head, tail, label))
    doc = (" " if language == "en" else "").join(text)
    row = {
        "doc": doc,
        "lang": language,
        "video_id": f"video_{number}_1",
        "video_title": "",
        "image": [],
        "time_sent_pair": {"0-9": doc},
        "entityLink": chains,
        "relation": relations,
    }
    return row, gold


@pytest.fixture
def files(tmp_path):
    """A folder of the four files, and what holds in each clip."""
    draw, told, turned = random.Random(7), {}, {}
    for split in ("dev", "test"):
        for language in ("en", "zh"):
            rows = [clip(draw, n + 100 * (split == "test"), language) for n in range(25)]
            (tmp_path / f"{split}_{language}.json").write_text(json.dumps([row for row, _ in rows]))
            told |= {f"{language}-{row['video_id']}": gold for row, gold in rows}
            turned[f"{split} {language}"] = sum(
                len({*directions.end_types(x["type"])}) == 2 for row, _ in rows for x in row["relation"]
            )
    return tmp_path, told, turned


def masked(documents, config):
    """Gold links that the head's mask lets pass and all gold links, of the labels that it has."""
    fits, passed, whole = signatures(config, config.labels), 0, 0
    for d in documents:
        found = encode_candidates(d, config.mentions)
        links, lost = encode_links(d, found, config.labels, config.symmetric)
        assert all("is not one of the recipe's" in why for _, why in (*lost, *found.dropped))
        kinds = torch.tensor([config.mentions.index(c.label) for c in found.chains])
        passed += int((torch.from_numpy(links) & fits[kinds[:, None], kinds[None]]).sum())
        whole += int(links.sum())
    return passed, whole


class Told(torch.nn.Module):
    """Scores that are gold, whatever is asked."""

    def forward(self, a, b):
        return torch.where(self.links, 20.0, -20.0)


def perfect(documents, config):
    """F1 of the head where its scores are gold: what its mask and its decoding leave of it."""
    head, said = config.build({"fused": 2}).eval(), []
    head.pair = Told()
    for d in documents:
        found = encode_candidates(d, config.mentions)
        links, _ = encode_links(d, found, config.labels, config.symmetric)
        head.pair.links = torch.from_numpy(links)[None]
        words = len(d.words)
        streams = {"fused": Stream(torch.randn(1, words, 2), torch.ones(1, words, dtype=torch.bool))}
        given = {
            "spans": torch.from_numpy(found.spans)[None],
            "spans_mask": torch.ones(1, len(found.spans)).bool(),
            "span_labels": torch.from_numpy(found.labels)[None],
            "chain_of": torch.from_numpy(found.chain_of)[None],
        }
        out = {k: v[0].numpy() for k, v in head.predict(streams, given).items()}
        ids = {n: c.id for n, c in enumerate(found.chains)}
        made = decode_links(out["links"], out["link_scores"], ids, config.labels, config.symmetric)
        said.append(d.replace(relations=made))
    return metrics.chain_relations(documents, said, symmetric=config.symmetric).f1


def head_of(corpus):
    return next(h for h in m3d.recipe(corpus, flavour="improved").heads if isinstance(h, ChainRelations))


def with_every_label(corpus):
    """All documents, and a head that has the labels of all splits."""
    documents = [d for name in corpus.sources for d in corpus.split(name)]
    labels = Labels.of(documents)
    both = tuple(sorted(corpus.symmetric & {*labels.relations}))
    return documents, ChainRelations(labels=labels.relations, mentions=labels.mentions, symmetric=both)


def test_made_up_files_are_read_in_the_direction_of_their_labels(files):
    folder, told, turned = files
    assert min(turned.values()) > 10
    for language in ("en", "zh"):
        corpus = load(f"m3d:{folder}?lang={language}")
        documents, every = with_every_label(corpus)
        for d in documents:
            assert {(r.head, r.tail, r.label) for r in d.relations} == told[d.id]
        assert corpus.skipped == ()
        for config in (head_of(corpus), every):
            passed, whole = masked(documents, config)
            assert passed == whole > 100
        assert perfect(documents, every) == 100
        back = [
            d.replace(relations=[r.model_copy(update={"head": r.tail, "tail": r.head}) for r in d.relations])
            for d in documents
        ]
        passed, whole = masked(back, every)
        assert passed < whole and perfect(back, every) < 100  # as it was before the ends were put right


def test_doctor_counts_what_was_turned(files):
    folder, _, turned = files
    report = examine(f"m3d:{folder}")
    assert {s: report.finding(KIND, s) for s in turned} == turned
    assert report.finding(KIND) == sum(turned.values())
    english = turned["dev en"] + turned["test en"]
    assert f"{KIND}: dev {turned['dev en']}, test {turned['test en']}, in all {english}" in str(
        examine(f"m3d:{folder}?lang=en")
    )


def test_annotators_and_prompts_are_told_the_same_direction(files, tmp_path):
    documents = list(load(f"m3d:{files[0]}", language="en").dev)
    export(documents, tmp_path / "tasks", ("brat", "labelstudio"))
    allowed = dict(
        line.split("\t")
        for line in (tmp_path / "tasks/brat/annotation.conf").read_text().splitlines()
        if "\tArg1" in line
    )
    drawn = 0
    for file in (tmp_path / "tasks/brat").glob("*.ann"):
        lines = [line.split("\t")[:2] for line in file.read_text().splitlines()]
        types = {id: what.split()[0] for id, what in lines if id[0] == "T"}
        for label, one, other in (what.split() for id, what in lines if id[0] == "R"):
            if label != "coreference":
                (head, tail), drawn = (types[x.partition(":")[2]] for x in (one, other)), drawn + 1
                assert allowed[label].startswith(f"Arg1:{head}, Arg2:{tail}")
    tasks = json.loads((tmp_path / "tasks/labelstudio/tasks.json").read_text())
    for results in (t["predictions"][0]["result"] for t in tasks):
        types = {x["id"]: x["value"]["labels"][0] for x in results if x["type"] == "labels"}
        for x in (x for x in results if x["type"] == "relation" and x["labels"] != ["coreference"]):
            drawn += 1
            assert x["direction"] == "right"
            assert directions.end_types(x["labels"][0]) == (types[x["from_id"]], types[x["to_id"]])
    assert drawn == 2 * sum(len(d.relations) for d in documents) > 0
    rule = "draw LOC-TIME_disintegrate from a LOC to a TIME."
    assert all(rule in guidelines(tool, LABELS) for tool in ("brat", "labelimg", "labelstudio"))
    assert "in their order. The" in guidelines("brat", Labels(mentions=("PER",), relations=("PER-PER_x",)))
    labels = {"mentions": ["PER", "LOC"], "relations": ["peer", "PER-LOC_birth"]}
    asked = build_prompt(Schema.of(labels, "ner,re"), PromptContent(text="Mira of Quend"))
    assert "from head to tail by their ids, as PER-LOC_birth holds from a PER to a LOC; several may hold:" in asked
    plain = build_prompt(Schema.of({**labels, "relations": ["peer"]}, "ner,re"), PromptContent(text="Mira of Quend"))
    assert "from head to tail by their ids; several may hold:" in plain


def test_what_annotators_drew_the_other_way_is_turned_and_said(files, tmp_path):
    """Their tools let them draw either way, which is how the published files came to be."""
    documents = list(load(f"m3d:{files[0]}", language="zh").test)
    export(documents, tmp_path / "right", ("brat",))
    wrong = [
        d.replace(
            relations=[
                r.model_copy(update={"head": r.tail, "tail": r.head})
                if len({*directions.end_types(r.label)}) == 2
                else r
                for r in d.relations
            ]
        )
        for d in documents
    ]
    export(wrong, tmp_path / "wrong", ("brat",))
    right, turned = (list(collect(documents, tmp_path / x / "brat")) for x in ("right", "wrong"))
    for a, b, d in zip(right, turned, documents):
        assert len({(r.head, r.tail, r.label) for r in a.relations}) == len(a.relations) == len(d.relations)
        assert {(r.head, r.tail, r.label) for r in a.relations} == {(r.head, r.tail, r.label) for r in b.relations}
        assert a.errors == () and len(b.errors) == sum(len({*directions.end_types(r.label)}) == 2 for r in d.relations)
        assert all("It was turned" in str(e) for e in b.errors)


# -- the real files


@pytest.mark.real
@pytest.mark.parametrize("language, count, turned", [("en", 2752, 1348), ("zh", 2034, 904)])
def test_every_gold_link_of_the_real_files_can_be_answered(corpora, language, count, turned):
    """By the head of each of the five folds, as far as it has the label, and without folds."""
    spec = f"m3d:{corpora}/m3d?lang={language}"
    documents, every = with_every_label(corpus := load(spec))
    assert all(record.note for record in corpus.skipped) and sum(len(d.relations) for d in documents) == count
    assert sum(d.source["turned_relations"] for d in documents) == turned
    for config in (every, *(head_of(load(f"{spec}{fold}")) for fold in ("", *(f"&fold={k}" for k in range(5))))):
        passed, whole = masked(documents, config)
        assert passed == whole >= 0.99 * count
    assert perfect(documents, every) == 100
    fold = load(f"{spec}&fold=0")
    assert perfect(list(fold.test), every) == 100 and perfect(list(fold.test), head_of(fold)) > 99
