"""A video to documents: clips, frames and seconds exact, annotators' tools and back, splits, and what goes wrong."""

import itertools
import json
import random
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import video
from openmie.annotation.coref_links import COREFERENCE, chains_to_links, links_to_chains
from openmie.annotation.export_import import collect, export
from openmie.cli import application as cli
from openmie.corpora import read, write
from openmie.data.document import Chain, Document, Mention, Region, Relation
from openmie.errors import CorpusError, ErrorRecord
from openmie.video.frames import sample_frames
from openmie.video.subtitles import Cue, Subtitles

av = pytest.importorskip("av")
RATE, SECONDS, SIZE = 8, 180, (64, 48)  # three minutes
NAMES = ("Tamsin", "Orla", "Bram", "Ivo")


def numbered(n):
    """A frame that says its number in 12 black and white fields."""
    bits = [(n >> k) & 1 for k in range(12)]
    fields = np.array(bits, np.uint8).reshape(3, 4) * 255
    return np.repeat(np.repeat(fields, SIZE[1] // 3, 0), SIZE[0] // 4, 1)


def number_of(picture):
    grey = np.asarray(picture.convert("L"))
    h, w = SIZE[1] // 3, SIZE[0] // 4
    fields = [grey[r * h + h // 2, c * w + w // 2] > 127 for r in range(3) for c in range(4)]
    return sum(int(b) << k for k, b in enumerate(fields))


def film(path, seconds=SECONDS, turn=0, sound=False):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.bit_rate, stream.codec_context.gop_size = 4_000_000, 16
        if turn:
            stream.set_display_rotation(turn)
        if sound:
            voice = container.add_stream("aac", rate=16_000, layout="mono")
        for n in range(seconds * RATE):
            grey = numbered(n)
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, 2), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            wave = np.sin(np.arange(16_000 * seconds) / 20).astype(np.float32)[None] / 4
            block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            block.sample_rate, block.pts = 16_000, 0
            container.mux(voice.encode(block))
            container.mux(voice.encode())
    return path


def srt(cues):
    def stamp(s):
        ms = round(1000 * s)
        return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"

    return "\n".join(f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, 1))


CUES = [(2.5 * n + 0.25, 2.5 * n + 2.25, f"{NAMES[n % 4]} met {NAMES[(n + 1) % 4]} in part {n} .") for n in range(70)]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    film(folder / "life.mp4")
    (folder / "life.srt").write_text(srt(CUES))
    return folder / "life.mp4"


@pytest.fixture(scope="module")
def built(source):
    out = source.parent / "videos"
    clips, errors = video.build_folder(
        source, video.read_subtitles(source.with_suffix(".srt")), out, video.BuildSettings(image="png")
    )
    assert not errors
    documents = list(read(out / "life" / "clips.jsonl"))
    assert len(documents) == clips
    return out, documents


def test_three_minutes_become_two_clips_with_all_text_and_exact_seconds(built):
    _, documents = built
    assert len(documents) == 2
    said = [(d.text[t.start : t.end], t.start_time, t.end_time) for d in documents for t in d.times]
    assert said == [(text, a, b) for a, b, text in CUES]
    for d in documents:
        assert 60 <= d.source["end"] - d.source["start"] <= 120 and d.lang == "en"
        assert d.word_texts() == tuple(d.text.split(" ")) and not d.errors


def test_frames_are_every_24th_and_their_seconds_exact(built):
    _, documents = built
    for d in documents:
        numbers = [number_of(Picture.open(i.path)) for i in d.images]
        first = next(n for n in range(SECONDS * RATE) if n / RATE >= d.source["start"])
        last = max(n for n in range(SECONDS * RATE) if n / RATE <= d.source["end"])
        assert numbers == list(range(first, last + 1, 24))
        assert [i.id for i in d.images] == [f"frame_{n}" for n in numbers]
        assert [i.time for i in d.images] == [n / RATE for n in numbers]
        assert {(i.kind, i.width, i.height) for i in d.images} == {("frame", *SIZE)}


def test_a_finished_video_is_not_decoded_again_and_another_build_is_refused(source, built, monkeypatch):
    out, documents = built
    subtitles = video.read_subtitles(source.with_suffix(".srt"))
    monkeypatch.setattr("openmie.video.dataset.sample_frames", lambda *_: pytest.fail("decoded again"))
    assert video.build_folder(source, subtitles, out, video.BuildSettings(image="png")) == (len(documents), ())
    with pytest.raises(CorpusError, match="another build"):
        video.build_folder(source, subtitles, out, video.BuildSettings(every=12, image="png"))


def annotated(document):
    """What an annotator would say of a clip."""
    spots = [(i, i + len(n), n) for n in NAMES for i in range(len(document.text)) if document.text.startswith(n, i)]
    mentions = [Mention(id=f"m{k}", start=a, end=b, label="PER", text=n) for k, (a, b, n) in enumerate(sorted(spots))]
    chains = [
        Chain(id=f"L{k}", label="PER", mentions=[m.id for m in mentions if m.text == n])
        for k, n in enumerate(sorted({m.text for m in mentions}, key=document.text.index))
    ]
    relations = [
        Relation(head="L0", tail="L1", label="PER-PER_couple"),
        Relation(head="L0", tail="L1", label="PER-PER_colleague"),
        Relation(head="L2", tail="L1", label="PER-PER_parents"),
    ]
    regions = [
        Region(image=i.id, box=(4 + k % 3, 5, 20, 30), label="PER", of=f"L{k % 3}")
        for k, i in enumerate(document.images)
    ]
    return document.replace(mentions=mentions, chains=chains, relations=relations, regions=regions)


def done(tasks):
    """Label Studio's export, when an annotator took over every prediction as it is."""
    found = json.loads(tasks.read_text())
    for task in found:
        task["annotations"] = [{"result": p["result"]} for p in task["predictions"]]
    (tasks.parent / "done.json").write_text(json.dumps(found))
    return tasks.parent / "done.json"


def shape(document):
    """Chains by the places of their mentions, relations by chains, boxes: what names of ids do not change."""
    place = {m.id: (m.start, m.end, m.label) for m in document.mentions}
    chains = {c.id: frozenset(place[m] for m in c.mentions) for c in document.chains}
    links = {(chains[r.head], chains[r.tail], r.label) for r in document.relations}
    boxes = sorted((r.image, r.label, tuple(round(x, 2) for x in r.box)) for r in document.regions)
    shown = {(r.image, chains.get(r.of)) for r in document.regions}
    return set(place.values()), set(chains.values()), links, boxes, shown


def test_out_to_every_tool_and_back(built, tmp_path):
    _, documents = built
    gold = [annotated(d) for d in documents]
    written = export(gold, tmp_path / "tasks")
    assert set(written) == {"brat", "labelimg, voc", "labelimg, yolo", "labelstudio"}
    bare = [d.without_gold().replace(source=d.source) for d in documents]
    for boxes in ("voc", "yolo"):
        back = list(collect(bare, tmp_path / "tasks" / "brat", tmp_path / "tasks" / "labelimg" / boxes))
        assert [shape(d)[:4] for d in back] == [shape(d)[:4] for d in gold] and not any(d.errors for d in back)
    back = list(collect(bare, done(tmp_path / "tasks" / "labelstudio" / "tasks.json")))
    assert [shape(d) for d in back] == [shape(d) for d in gold] and not any(d.errors for d in back)
    for tool in ("brat", "labelimg", "labelstudio"):
        text = (tmp_path / "tasks" / tool / "GUIDELINES.md").read_text()
        assert "PER-PER_couple" in text and "pronoun" in text and "{" not in text
    conf = (tmp_path / "tasks" / "brat" / "annotation.conf").read_text()
    assert "PER-PER_parents\tArg1:PER, Arg2:PER\n" in conf
    assert "PER-PER_couple\tArg1:PER, Arg2:PER, <REL-TYPE>:symmetric" in conf
    assert (tmp_path / "tasks" / "labelimg" / "yolo" / "classes.txt").read_text().split() == ["PER", "LOC", "ORG"]
    assert 'value="ORG-LOC_located"' in (tmp_path / "tasks" / "labelstudio" / "interface.xml").read_text()


def test_what_annotators_left_out_is_said_and_kept(built, tmp_path):
    _, documents = built
    gold = [annotated(d) for d in documents]
    export(gold, tmp_path / "tasks", ("brat", "labelimg"))
    lost = gold[0].images[0].path.rsplit("/", 1)[1].removesuffix(".png")
    (tmp_path / "tasks" / "labelimg" / "voc" / f"{lost}.xml").unlink()
    (tmp_path / "tasks" / "brat" / f"{gold[1].id}.txt").write_text("another text")
    first, second = collect(gold, tmp_path / "tasks" / "brat", tmp_path / "tasks" / "labelimg" / "voc")
    assert [e.found for e in first.errors] == [f"no file for frame {lost}"] and len(first.regions) == len(first.images)
    assert second.mentions == gold[1].mentions and second.errors
    with pytest.raises(CorpusError, match="nothing to read"):
        list(collect(gold))


def test_links_and_chains_are_inverse_on_random_documents():
    draw = random.Random(4)
    for _ in range(200):
        n = draw.randint(1, 9)
        mentions = [Mention(id=f"m{k}", start=2 * k, end=2 * k + 1, label="PER") for k in range(n)]
        groups = [[m.id for m in mentions if draw.random() < 0.5] for _ in range(1)]
        rest = [m.id for m in mentions if m.id not in groups[0]]
        groups = sorted((g for g in (groups[0], *([x] for x in rest)) if g), key=lambda g: int(g[0][1:]))
        chains = [Chain(id=f"L{k}", label="PER", mentions=g) for k, g in enumerate(groups)]
        relations = {(draw.choice(chains).id, draw.choice(chains).id, draw.choice("xy")) for _ in range(3)}
        relations = [Relation(head=a, tail=b, label=label) for a, b, label in sorted(relations) if a != b]
        regions = [Region(image="i", box=(0, 0, 1, 1), of=draw.choice(chains).id)]
        gold = Document(id="d", text="a " * n, mentions=mentions, chains=chains, relations=relations, regions=regions)
        flat = chains_to_links(gold)
        assert not flat.chains and all(r.head.startswith("m") and r.tail.startswith("m") for r in flat.relations)
        assert shape(links_to_chains(flat)) == shape(gold) and links_to_chains(flat).chains == gold.chains


def test_links_that_make_no_sense_are_said():
    mentions = [Mention(id=i, start=k, end=k + 1, label=x) for k, (i, x) in enumerate((("a", "PER"), ("b", "LOC")))]
    links = [Relation(head="a", tail="b", label=COREFERENCE), Relation(head="a", tail="b", label="PER-LOC_birth")]
    found = links_to_chains(Document(id="d", text="xy", mentions=mentions, relations=links))
    assert [c.mentions for c in found.chains] == [("a", "b")] and found.chains[0].label == "PER"
    assert ["one label" in str(e) or "two chains" in str(e) for e in found.errors] == [True, True]
    empty = Document(id="d", chains=[Chain(id="L")], relations=[Relation(head="L", tail="L", label="x")])
    assert "chains with mentions" in str(chains_to_links(empty).errors)


def test_the_whole_road_on_the_command_line(source, tmp_path, bert):
    run = CliRunner()
    at = tmp_path / "videos"
    first = run.invoke(cli.app, ["video", "build", str(source), "--out", str(at)])
    assert first.exit_code == 0 and "2 clips" in first.output, first.output
    assert run.invoke(cli.app, ["video", "export", str(at), "--out", str(tmp_path / "tasks")]).exit_code == 0
    back = ["video", "import", str(at), "--text", str(tmp_path / "tasks" / "brat"), "--out", str(at / "a.jsonl")]
    assert run.invoke(cli.app, back).exit_code == 0
    gold = [annotated(d) for d in read(at / "a.jsonl")]
    train = [d.replace(id=f"{d.id}-{k}") for k in range(6) for d in gold]
    for name in ("train", "dev"):
        write(train, tmp_path / "corpus" / f"{name}.jsonl") if (tmp_path / "corpus").is_dir() else (
            (tmp_path / "corpus").mkdir(),
            write(train, tmp_path / "corpus" / f"{name}.jsonl"),
        )
    sets = [
        f"encode.text.name={bert}",
        "training.epochs=6",
        "training.param_groups.0.lr=0.003",
        "training.batch_size=4",
    ]
    options = [x for s in sets for x in ("--set", s)]
    model = str(tmp_path / "model")
    trained = run.invoke(
        cli.app,
        [
            "train",
            "baseline",
            "--ablate",
            "text",
            "--task",
            "ner",
            "--corpus",
            f"jsonl:{tmp_path / 'corpus'}?images={at}",  # the frames lie elsewhere
            "--out",
            model,
            *options,
        ],
    )
    assert trained.exit_code == 0, trained.output
    done = run.invoke(
        cli.app, ["extract", str(at / "life" / "clips.jsonl"), "--model", model, "--out", str(tmp_path / "out.jsonl")]
    )
    assert done.exit_code == 0, done.output
    found = list(read(tmp_path / "out.jsonl"))
    assert [d.id for d in found] == ["life_0", "life_1"] and sum(len(d.mentions) for d in found) > 100
    assert all(d.text[m.start : m.end] == m.text for d in found for m in d.mentions)


def test_two_annotators_agree_differ_and_decide(built, tmp_path):
    out, documents = built
    first = [annotated(d) for d in documents]
    second = [
        d.replace(
            mentions=(d.mentions[0].model_copy(update={"label": "ORG"}), *d.mentions[1:]), relations=d.relations[1:]
        )
        for d in first
    ]
    for name, found in (("a", first), ("b", second)):
        write(found, out / f"{name}.jsonl")
    a, b, differ = out / "a.jsonl", out / "b.jsonl", tmp_path / "differ.json"
    run = CliRunner()
    result = run.invoke(cli.app, ["video", "agree", str(a), str(b), "--out", str(differ)])
    assert result.exit_code == 0 and "overall" in result.output, result.output
    rows = json.loads(differ.read_text())
    assert "4 disagreements" in result.output and len(rows) == 4  # a label and a relation in each clip
    for row in rows:
        row["decision"] = "a"
    differ.write_text(json.dumps(rows))
    decided = ["video", "agree", str(a), str(b), "--decided", str(differ), "--resolved", str(out / "agreed.jsonl")]
    assert run.invoke(cli.app, decided).exit_code == 0
    assert [shape(d) for d in read(out / "agreed.jsonl")] == [shape(d) for d in first]
    halves = run.invoke(cli.app, ["video", "agree", str(a), str(b), "--decided", str(differ)])
    assert "both" in str(halves.exception)


# -- cutting


def test_clips_stay_in_the_range_where_boundaries_allow_it():
    draw = random.Random(1)
    for _ in range(60):
        at, cues = 0.0, []
        for k in range(draw.randint(30, 150)):
            at += draw.choice((0.1, 0.4, 1.5))
            length = draw.uniform(1, 6)
            cues.append(Cue(at, at + length, f"cue {k}"))
            at += length
        clips = video.cut_clips(cues)
        assert [c for clip in clips for c in clip.cues] == cues
        if cues[-1].end - cues[0].start >= 60:
            assert all(60 <= c.end - c.start <= 120 for c in clips)


def test_cutting_is_the_best_of_all_ways():
    draw = random.Random(2)

    def cost(parts):
        whole = 0.0
        for k, part in enumerate(parts):
            length = part[-1].end - part[0].start
            pause = part[0].start - parts[k - 1][-1].end if k else 0.0
            whole += 100 * max(0.0, 6 - length, length - 12) + ((length - 9) / 9) ** 2 - min(pause, 2.0) / 2
        return whole

    for _ in range(40):
        at, cues = 0.0, []
        for k in range(draw.randint(1, 9)):
            at += draw.uniform(0, 3)
            cues.append(Cue(at, at + draw.uniform(1, 5), str(k)))
            at = cues[-1].end
        ways = []
        for mask in range(1 << (len(cues) - 1)):
            cuts = [0, *(k + 1 for k in range(len(cues) - 1) if mask >> k & 1), len(cues)]
            ways.append(cost([cues[a:b] for a, b in itertools.pairwise(cuts)]))
        assert cost([list(c.cues) for c in video.cut_clips(cues, 6, 12)]) == pytest.approx(min(ways))


# -- what goes wrong


def test_subtitles_of_all_kinds(tmp_path):
    vtt = (
        "WEBVTT\n\n00:01.000 --> 00:02.000 align:start\n<v Orla>Good <i>day</i> &amp; night\n\n"
        "00:02.500 --> 00:04.000\nagain\nand again\n"
    )
    (tmp_path / "a.vtt").write_text(vtt)
    assert list(video.read_subtitles(tmp_path / "a.vtt").cues) == [
        Cue(1.0, 2.0, "Good day & night"),
        Cue(2.5, 4.0, "again and again"),
    ]
    text = srt([(0, 1, "他在城里工作。"), (1, 2, "她也是。")])
    (tmp_path / "b.srt").write_bytes(text.encode("gb18030"))
    with pytest.raises(CorpusError, match="gb18030"):
        video.read_subtitles(tmp_path / "b.srt")
    assert [c.text for c in video.read_subtitles(tmp_path / "b.srt", "gb18030").cues] == ["他在城里工作。", "她也是。"]
    for name in ("utf-16", "utf-32"):
        (tmp_path / "c.srt").write_bytes(text.encode(name))
        assert len(video.read_subtitles(tmp_path / "c.srt").cues) == 2
    for name in ("utf-16-le", "utf-32-be"):  # without a mark
        (tmp_path / "c.srt").write_bytes(srt([(0, 1, "one")]).encode(name))
        with pytest.raises(CorpusError, match="--encoding utf-16-le"):
            video.read_subtitles(tmp_path / "c.srt")
        assert len(video.read_subtitles(tmp_path / "c.srt", name).cues) == 1
    (tmp_path / "d.srt").write_text(srt([(3, 5, "later"), (0, 4, "first"), (4.5, 6, "last")]))
    mended = video.read_subtitles(tmp_path / "d.srt")
    assert mended.cues == (Cue(0.0, 3.0, "first"), Cue(3.0, 4.5, "later"), Cue(4.5, 6.0, "last"))
    assert "2 cues that overlap" in str(mended.errors[0])
    (tmp_path / "e.srt").write_text(srt([(5, 4, "backwards"), (6, 7, "right")]))
    assert "1 blocks" in str(video.read_subtitles(tmp_path / "e.srt").errors[0])
    for name, content in (("f.srt", ""), ("g.srt", "hello\nworld"), ("h.srt", srt([(0, 1, " ")]))):
        (tmp_path / name).write_text(content)
        with pytest.raises(CorpusError):
            video.read_subtitles(tmp_path / name)
    with pytest.raises(CorpusError, match=r"none\.srt"):
        video.read_subtitles(tmp_path / "none.srt")


AT = "00:00:01,000 --> 00:00:02,000\n", "00:00:03,000 --> 00:00:04,000\n"


@pytest.mark.parametrize(
    ("text", "said", "left"),
    [
        (f"1\n{AT[0]}She left in\n1976\n", ["She left in 1976"], 0),  # a number at the very end is text
        (f"1\n{AT[0]}1976\n\n{AT[1]}In\n1977\n\n", ["1976", "In 1977"], 0),  # no numbers of cues
        (f"1\n{AT[0]}one\n2\n{AT[1]}two", ["one", "two"], 0),  # no empty lines
        (f"1\n\n{AT[0]}one\n\nmore\n\n2\n\n{AT[1]}two\n", ["one more", "two"], 0),  # too many
        (
            f"1\n{AT[0]}he {{aside}} at C:\\New, R&D&notify\n\n"
            f"2\n{AT[1]}a < b > c <3 <Orla> <font a='b'>&amp;</font>\n",
            ["he {aside} at C:\\New, R&D&notify", "a < b > c <3 <Orla> &"],
            0,
        ),
        (f"1\n{AT[0]}one\0two\n", ["one two"], 0),
        (f"1\n{AT[0]}go --> there<br>now\\NAnd\\h\\hthen\n", ["go --> there now And then"], 0),
        (f"1\n{AT[0]}one\n\n2\n00:00:0x,000 --> 00:00:04,000\nlost\n\n3\n{AT[1]}two\n", ["one", "two"], 1),
        (f"1\n{'9' * 5000}:00:00,000 --> {'9' * 5001}:00:00,000\nlost\n\n2\n{AT[0]}one\n", ["one"], 1),
        (f"who?\n\n1\n{AT[0]}one\n", ["one"], 1),
        (f"1\r{AT[0]}one\r\r2\r{AT[1]}two\r".replace("\n", "\r"), ["one", "two"], 0),
        (f"1\n{AT[0]}他在北\n京工作，叫\nOrla\n", ["他在北京工作，叫 Orla"], 0),
        (
            f"WEBVTT - x\n\nSTYLE\n::cue {{}}\n\nintro\n{AT[0]}one\n1976\n\nNOTE a\nb\n\nlast\n{AT[1]}two\n\nNOTE c\n",
            ["one 1976", "two"],
            0,
        ),
        (f"WEBVTT\n\n{AT[0]}one\n\nstray\n\n{AT[1]}two\n\n00:05 --> 00:06:00:00:00\nlost\n", ["one", "two"], 2),
    ],
)
def test_subtitles_of_odd_shape_lose_no_text_in_silence(tmp_path, text, said, left):
    (tmp_path / "a.srt").write_bytes(text.encode())
    found = video.read_subtitles(tmp_path / "a.srt")
    assert [c.text for c in found.cues] == said
    assert [e.found.split()[0] for e in found.errors] == ([str(left)] if left else [])
    from openmie.video.subtitles import write_subtitles as write_subtitles

    write_subtitles(found.cues, tmp_path / "b.srt")
    assert video.read_subtitles(tmp_path / "b.srt") == Subtitles(found.cues)


def test_broken_videos_are_errors_or_records(tmp_path, source):
    whole = source.read_bytes()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])  # its index stood at the end
    for name in ("text.mp4", "empty.mp4", "half.mp4", "none.mp4", "http://localhost/a.mp4"):
        with pytest.raises(CorpusError):
            list(sample_frames(tmp_path / name if ":" not in name else name, [(0, 9)]))
    hurt = bytearray(whole)
    place = whole.index(b"mdat") + 4000
    hurt[place : place + len(whole) // 3] = bytes(len(whole) // 3)
    (tmp_path / "hurt.mp4").write_bytes(hurt)
    found = list(sample_frames(tmp_path / "hurt.mp4", [(0, SECONDS)], every=1))
    assert isinstance(found[-1], ErrorRecord) and "cannot be decoded" in found[-1].found
    assert len(found) > 100
    with pytest.raises(CorpusError, match="pixels"):
        list(sample_frames(source, [(0, 1)], limits=video.frames.VideoLimits(pixels=100)))
    result = CliRunner().invoke(
        cli.app, ["video", "build", str(tmp_path / "text.mp4"), str(source), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == cli.PARTIAL and "no subtitles" in result.output and "2 clips" in result.output


def test_subtitles_of_another_video_are_said(source, tmp_path):
    cues = Subtitles(tuple(Cue(a, b, text) for a, b, text in [*CUES, (400, 410, "far away")]))
    clips, errors = video.build_folder(source, cues, tmp_path / "out")
    assert "subtitles until 410.0 s" in str(errors) and clips >= 2
    last = list(read(tmp_path / "out" / "life" / "clips.jsonl"))[-1]
    assert last.text.endswith("far away")


def test_a_turned_video_stands_upright(tmp_path):
    film(tmp_path / "turned.mp4", 2, turn=90)
    found = list(sample_frames(tmp_path / "turned.mp4", [(0, 2)], every=8))
    assert [f.picture.size for f in found] == [(SIZE[1], SIZE[0])] * 2
    assert [number_of(f.picture.rotate(-90, expand=True)) for f in found] == [0, 8]


def test_no_video_straddles_the_splits():
    draw = random.Random(3)
    sizes = [draw.randint(1, 9) for _ in range(40)]
    documents = [Document(id=f"{v}-{k}", source={"video": f"v{v}"}) for v, n in enumerate(sizes) for k in range(n)]
    parts = video.split_by_video(documents, seed=1)
    videos = {name: {d.source["video"] for d in found} for name, found in parts.items()}
    assert not videos["train"] & videos["dev"] | videos["train"] & videos["test"] | videos["dev"] & videos["test"]
    sizes = {name: len(found) / len(documents) for name, found in parts.items()}
    assert sum(map(len, parts.values())) == len(documents)
    assert all(abs(sizes[name] - share) < 0.02 for name, share in (("train", 0.8), ("dev", 0.1), ("test", 0.1)))
    again = video.split_by_video(reversed(documents), seed=1)
    assert {d.id for d in again["dev"]} == {d.id for d in parts["dev"]}
    assert {d.id for d in video.split_by_video(documents, seed=2)["dev"]} != {d.id for d in parts["dev"]}
    with pytest.raises(CorpusError, match="videos"):
        video.split_by_video(documents[:1])
    with pytest.raises(CorpusError, match="of no video"):
        video.split_by_video([Document(id="x")])


def test_build_facts_are_readable(built):
    out, _ = built
    told = json.loads((out / "life" / "build.json").read_text())
    assert told["clips"] == 2 and told["facts"]["every"] == 24
