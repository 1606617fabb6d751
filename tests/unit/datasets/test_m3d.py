"""The reader of M3D, on made-up clips and on the real files."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from PIL import Image as Picture

from openmie.corpora import load
from openmie.errors import CorpusError

EN = {
    "doc": "Mira was born in Quend .  She met Tolk there .",
    "lang": "en",
    "video_id": "video_4_2",
    "video_title": "Mira",
    "time_sent_pair": {"0-5": "Mira was born in Quend .", "4-9.5": "She met Tolk there ."},
    "image": [48, 24],
    "relation": [{"link1": "L0", "link2": "L1", "type": "PER-LOC_birth"}],
    "entityLink": {
        "L0": {
            "len": 2,
            "type": "PER",
            "link": [
                {"type": "PER", "start": 0, "end": 1, "text": "Mira", "sent_time": "0-5"},
                {"type": "PER", "start": 7, "end": 8, "text": "She", "sent_time": None},
            ],
        },
        "L1": {
            "len": 1,
            "type": "LOC",
            "link": [{"type": "LOC", "start": 4, "end": 5, "text": "Quend", "sent_time": "0-5"}],
        },
    },
}
ZH = {
    "doc": "米拉住在昆德。",
    "lang": "zh",
    "video_id": "video_4_2",
    "video_title": "米拉",
    "image": [],
    "time_sent_pair": {"0-3": "米拉住在昆德。"},
    "relation": [],
    "entityLink": {
        "L0": {"type": "PER", "link": [{"type": "PER", "start": 0, "end": 2, "text": "米拉", "sent_time": "0-3"}]}
    },
}


def write(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = rows if isinstance(rows, str) else json.dumps(rows, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, split: str = "dev", **options):
    corpus = load(f"m3d:{folder}", **options)
    return list(corpus.split(split)), [str(r) for r in corpus.skipped if not r.note]  # notes: unresolved times


def changed(**changes):
    return {**copy.deepcopy(EN), **changes}


def test_a_clip_becomes_a_document(tmp_path):
    (document,), skipped = read(write(tmp_path, dev_en=[EN]))
    assert skipped == [] and document.id == "en-video_4_2" and document.text == EN["doc"]
    assert [(m.id, m.text, m.label) for m in document.mentions] == [
        ("L0.0", "Mira", "PER"),
        ("L0.1", "She", "PER"),
        ("L1.0", "Quend", "LOC"),
    ]
    assert document.chains[0].mentions == ("L0.0", "L0.1") and document.dangling() == []
    assert [(r.head, r.tail, r.label) for r in document.relations] == [("L0", "L1", "PER-LOC_birth")]
    assert [(document.text[t.start : t.end], t.start_time, t.end_time) for t in document.times] == [
        ("Mira was born in Quend .", 0, 5),
        ("She met Tolk there .", 4, 9.5),
    ]
    assert [(i.id, i.time) for i in document.images] == [("frame_24", None), ("frame_48", None)]
    assert {i.kind for i in document.images} == {"frame"}
    assert "" not in document.word_texts() and document.word_texts()[6] == "She"  # the double blank is no word
    assert document.source["video"] == "video_4" and document.source["unresolved_times"] == 1
    assert "sent_time None" in str(document.errors[0])


def test_chinese_offsets_are_characters(tmp_path):
    (document,), skipped = read(write(tmp_path, dev_zh=[ZH]))
    assert skipped == [] and document.lang == "zh" and document.mentions[0].text == "米拉"
    assert document.word_texts() == tuple(ZH["doc"])


def test_languages(tmp_path, opened):
    write(tmp_path, dev_en=[EN], dev_zh=[ZH])
    assert [d.id for d in read(tmp_path)[0]] == ["en-video_4_2", "zh-video_4_2"]
    del opened[:]
    assert [d.id for d in read(tmp_path, language="zh")[0]] == ["zh-video_4_2"]
    assert {Path(o).name for o in opened if str(tmp_path) in o} == {"dev_zh.json"}
    write(tmp_path / "one", dev=[EN, ZH])
    assert [d.id for d in read(tmp_path / "one", language="en")[0]] == ["en-video_4_2"]
    with pytest.raises(CorpusError, match="en, zh"):
        load(f"m3d:{tmp_path}?language=fr")


def test_the_layout_of_the_release(tmp_path):
    write(tmp_path / "data/en", dev_en=[EN])
    write(tmp_path / "data/zh", dev_zh=[ZH])
    assert len(read(tmp_path)[0]) == 2 and len(read(tmp_path, language="en")[0]) == 1


def test_offsets_that_disagree_are_not_guessed(tmp_path):
    clip = changed()
    clip["entityLink"]["L0"]["link"][0].update(start=1, end=2)
    clip["entityLink"]["L0"]["link"][1].update(start=90, end=91)
    clip["entityLink"]["L1"]["link"][0].update(start="4")
    (document,), skipped = read(write(tmp_path, dev_en=[clip]))
    assert [(m.text, m.start, m.end, m.status) for m in document.mentions] == [
        ("Mira", 0, 0, "unlocated"),
        ("She", 0, 0, "unlocated"),
        ("Quend", 0, 0, "unlocated"),
    ]
    assert len(skipped) == 3 and all("dev_en.json:1, video_4_2" in s and "unlocated" in s for s in skipped)


@pytest.mark.parametrize(
    "changes, found",
    [
        ({"time_sent_pair": {"0-5": "Somebody else ."}}, "Somebody else"),
        ({"time_sent_pair": {"5-0": "She met Tolk there ."}}, "5-0"),
        ({"time_sent_pair": {"a": "Mira"}}, "'a'"),
        ({"time_sent_pair": {"0-nan": "Mira"}}, "0-nan"),
        ({"time_sent_pair": {"0-1": 7}}, "7"),
        ({"time_sent_pair": None}, "time_sent_pair=None"),
        ({"relation": [{"link1": "L0", "link2": "L9", "type": "x"}]}, "L9"),
        ({"relation": [3]}, "3"),
        ({"relation": {}}, "relation={}"),
        ({"image": ["x"]}, "frame 'x'"),
        ({"image": 7}, "image=7"),
        ({"entityLink": {"L0": [], "L1": {"type": "LOC", "link": [4]}}}, "chain L0"),
        ({"entityLink": []}, "entityLink=[]"),
    ],
)
def test_what_does_not_fit_is_a_record(tmp_path, changes, found):
    if "entityLink" in changes:
        changes["relation"] = []
    documents, skipped = read(write(tmp_path, dev_en=[changed(**changes), EN]))
    assert len(documents) == 2 and any(found in s for s in skipped)
    assert [str(e) for e in documents[0].errors][: len(skipped)] == skipped


def test_a_mention_of_another_type_than_its_chain(tmp_path):
    clip = changed()
    clip["entityLink"]["L0"]["link"][0]["type"] = "ORG"
    (document,), skipped = read(write(tmp_path, dev_en=[clip]))
    assert document.mentions[0].label == "PER" and "'ORG'" in skipped[0]


@pytest.mark.parametrize(
    "link1, link2, label, ends, turned, record",
    [
        ("L0", "L1", "PER-LOC_birth", ("L0", "L1"), 0, ""),
        ("L1", "L0", "PER-LOC_birth", ("L0", "L1"), 1, ""),
        ("L2", "L0", "PER-PER_parents", ("L2", "L0"), 0, ""),
        ("L0", "L2", "PER-PER_parents", ("L0", "L2"), 0, ""),
        ("L1", "L0", "peer", ("L1", "L0"), 0, ""),
        ("L0", "L0", "PER-PER_peer", ("L0", "L0"), 0, ""),
        ("L2", "L0", "PER-LOC_birth", ("L2", "L0"), 0, "between a 'PER' and a 'PER'"),
        ("L1", "L0", "PER-ORG_member", ("L1", "L0"), 0, "between a 'LOC' and a 'PER'"),
        ("L0", "L3", "PER-LOC_birth", ("L0", "L3"), 0, "between a 'PER' and a ''"),
    ],
)
def test_relations_are_read_in_the_direction_of_their_label(tmp_path, link1, link2, label, ends, turned, record):
    clip = changed(relation=[{"link1": link1, "link2": link2, "type": label}])
    clip["entityLink"]["L2"] = {"type": "PER", "link": [{"start": 9, "end": 10, "text": "Tolk", "sent_time": "4-9.5"}]}
    clip["entityLink"]["L3"] = {"link": [{"start": 10, "end": 11, "text": "there", "sent_time": "4-9.5"}]}
    (document,), skipped = read(write(tmp_path, dev_en=[clip]))
    assert [(r.head, r.tail, r.label) for r in document.relations] == [(*ends, label)]
    assert document.source["turned_relations"] == turned
    assert len(skipped) == bool(record)
    assert all(record in s and "kept as it is stored" in s for s in skipped)


@pytest.mark.parametrize(
    "text, left",
    [
        ('[{"doc": "a"}, 3, ', 1),
        ("[3]", 0),
        ("[", 0),
        ("", 0),
        ("nonsense", 0),
        ("{}", 0),
        ('[{"doc": "a"', 0),
    ],
)
def test_broken_files(tmp_path, text, left):
    documents, skipped = read(write(tmp_path, dev_en=text))
    assert len(documents) == left and (skipped or text == "")


def test_a_break_in_the_middle_names_its_line(tmp_path):
    rows = json.dumps(EN) + ",\n" + json.dumps({**EN, "video_id": "video_4_3"}) + ",\n"
    documents, skipped = read(write(tmp_path, dev_en="[" + rows + '{"doc": oops}]'))
    assert len(documents) == 2 and "dev_en.json:3" in skipped[-1]


def test_json_lines_and_python_lists(tmp_path):
    assert len(read(write(tmp_path / "a", dev_en=json.dumps(EN) + "\n" + json.dumps(EN)))[0]) == 2
    documents, skipped = read(write(tmp_path / "b", dev_en=repr([EN, EN])))
    assert [d.id for d in documents] == ["en-video_4_2", "en-video_4_2#2"] and skipped == []


def test_frames_and_their_boxes(tmp_path):
    frames = tmp_path / "img/video_4_2"
    frames.mkdir(parents=True)
    for number in (24, 72):
        Picture.new("RGB", (200, 100)).save(frames / f"{number}.png")
    (frames / "24.txt").write_text("PER 0.5 0.5 0.2 0.4\nLOC 0.5\n\n")
    (document,), skipped = read(write(tmp_path, dev_en=[EN]), images="img", fps=24)
    assert [(i.id, i.time) for i in document.images] == [("frame_24", 1), ("frame_48", 2), ("frame_72", 3)]
    assert (document.images[0].width, document.images[0].height) == (200, 100)
    assert [(r.image, r.label) for r in document.regions] == [("frame_24", "PER")]
    assert document.regions[0].box == pytest.approx((80, 30, 120, 70))
    assert len(skipped) == 2 and "24.txt:2" in skipped[0] and "[48]" in skipped[1]


@pytest.mark.parametrize("options", ["images=nowhere", "fps=x", "fps=-1", "fps=nan"])
def test_wrong_options(tmp_path, options):
    with pytest.raises(CorpusError, match=options.split("=")[0]):
        load(f"m3d:{write(tmp_path, dev_en=[EN])}?{options}")


@pytest.mark.real
def test_real(corpora):
    corpus = load(f"m3d:{corpora}/m3d")
    counts: dict[str, tuple[int, ...]] = {}
    unresolved: dict[str, int] = {}
    for split in ("dev", "test"):
        for d in corpus.split(split):
            key = f"{split} {d.lang}"
            old = counts.get(key, (0, 0, 0, 0))
            counts[key] = tuple(a + b for a, b in zip(old, (1, len(d.mentions), len(d.chains), len(d.relations))))
            unresolved[key] = unresolved.get(key, 0) + d.source["unresolved_times"]
            assert all(m.status == "located" for m in d.mentions) and d.dangling() == []
    assert counts == {
        "dev en": (205, 3457, 1885, 1388),
        "dev zh": (203, 2685, 1397, 985),
        "test en": (207, 3587, 1882, 1364),
        "test zh": (205, 2728, 1419, 1049),
    }
    assert unresolved == {"dev en": 23, "dev zh": 0, "test en": 35, "test zh": 0}
    assert all(r.note for r in corpus.skipped) and corpus.labels.symmetric <= set(corpus.labels.relations)
    with pytest.raises(CorpusError, match="unknown split 'train'"):
        _ = corpus.train
