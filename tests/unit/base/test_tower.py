"""The text tower: parity with the transformers library, windows, batches, labels, odd texts, other encoders."""

import random

import pytest
import torch
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from openmie.base import tower as towers
from openmie.base.tower import TextTower, WordTokens
from openmie.errors import RecipeError
from openmie.model import packed_e5
from openmie.nn.encode.bert import Bert, BertSizes
from openmie.text.words import split_words

TEXTS = [
    "Ada Lovelace met @babbage in Turin, 10:30 -- it's great! https://x.y/z #maths",
    "我们在北京的天安门广场看到了很多人。",
    "",
    "🎉👍🏽👩\u200d👩\u200d👧🇮🇹",
    "e\u0301tude \u200b naïve ｆｕｌｌ～ ½ <s> </s>",
    "زرت القاهرة مع محمد",
]


def cut(texts):
    return [[text[a:b] for a, b in split_words(text)] for text in texts]


@pytest.fixture(scope="module")
def real():
    return TextTower.load()


@pytest.fixture(scope="module")
def library():
    packed = packed_e5.load()
    bert = BertModel.from_pretrained(
        None, config=BertConfig(**packed.config), state_dict=packed.tensors, add_pooling_layer=False
    )
    return bert.eval(), packed_e5.tokenizer(packed)


@pytest.fixture(scope="module")
def small():
    """A tower with random weights, 64 tokens a row, whose word is one piece a letter behind the mark of a blank."""
    torch.manual_seed(0)
    sizes = BertSizes(vocabulary=300, width=16, layers=2, heads=2, hidden=32, positions=64)
    model = Bert(sizes).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    special = {"bos": 0, "pad": 1, "eos": 2, "unk": 3, "blank": 4}
    return TextTower(model, lambda word: [4, *(5 + ord(c) % 290 for c in word)], special, "small")


def slow_states(library, words, mean=False):
    """States by the library: a word's pieces are its own; the first that is not the mark of a blank stands for it."""
    bert, tokenizer = library
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = bert(**encoded).last_hidden_state[0]
    owners = encoded.word_ids(0)
    found = []
    for word in range(len(words)):
        places = [i for i, owner in enumerate(owners) if owner == word]
        names = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0, places])
        head = places[1] if names[0] == "▁" and len(names) > 1 else places[0]
        found.append(states[places].mean(0) if mean else states[head])
    return torch.stack(found)


@pytest.mark.parametrize("mean", [False, True])
def test_states_are_those_of_the_library(real, library, mean):
    texts = [words for words in cut([TEXTS[i] for i in (0, 1, 3, 5)]) if words]
    for words, states in zip(texts, real.encode(texts, mean=mean)):
        assert (states - slow_states(library, words, mean)).abs().max() < 1e-5


def test_labels_are_the_mean_states_of_the_library(real, library):
    bert, tokenizer = library
    labels = {"PER": "a person", "LOC": "", "组织": "公司或机构"}
    found = real.encode_labels(labels)
    for vector, text in zip(found, ("query: PER: a person", "query: LOC", "query: 组织: 公司或机构")):
        with torch.no_grad():
            expected = bert(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert (vector - expected).abs().max() < 1e-5


def test_a_label_is_encoded_once(small, monkeypatch):
    small.forget_labels()
    asked = []
    encode = TextTower.encode_texts
    monkeypatch.setattr(TextTower, "encode_texts", lambda self, texts: asked.append(texts) or encode(self, texts))
    one = small.encode_labels({"PER": "a person", "LOC": ""})
    two = small.encode_labels({"LOC": "", "ORG": "", "PER": "a person"})
    assert asked == [["PER: a person", "LOC"], ["ORG"]]
    assert torch.equal(two[[2, 0]], one) and not two.requires_grad
    assert small.encode_labels({}).shape == (0, 16)
    small.forget_labels()
    small.encode_labels({"LOC": ""})
    assert asked[-1] == ["LOC"]
    small.forget_labels()
    small.remember_labels({"PER": "a person", "LOC": ""}, one.half())
    assert torch.allclose(small.encode_labels({"LOC": "", "PER": "a person"}), one[[1, 0]], atol=1e-2)
    assert len(asked) == 3


def test_200_labels_do_not_depend_on_each_other(small):
    small.forget_labels()
    labels = {f"label {i}": "x" * (i % 9) for i in range(200)}
    many = small.encode_labels(labels)
    small.forget_labels()
    alone = torch.cat([small.encode_labels({k: v}) for k, v in labels.items()])
    assert torch.allclose(many, alone, atol=1e-5) and len({tuple(v) for v in many.tolist()}) == 200


def test_empty_and_odd_texts_have_a_state_for_each_word(real):
    words = cut(TEXTS)
    states = real.encode(words)
    assert [len(s) for s in states] == [len(w) for w in words] and states[2].shape == (0, 384)
    assert all(s.isfinite().all() for s in states)
    assert real.encode([]) == [] and [len(s) for s in real.encode([[], ["", " ", "\u200b", "New York"]])] == [0, 4]


def test_states_do_not_depend_on_the_batch(small):
    draw = random.Random(0)
    words = [
        ["".join(draw.choices("abcde", k=draw.randint(1, 5))) for _ in range(draw.randint(0, 60))] for _ in range(25)
    ]
    one = small.encode(words, batch_tokens=1)
    for pieces in (130, 4096, 10**9):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, small.encode(words, batch_tokens=pieces)))
    alone = [small.encode([text])[0] for text in words]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, alone))


def test_a_batch_for_training_gives_the_same_states_and_gradients(small):
    words = cut(TEXTS)
    batch = small.batch(words)
    states = small.model.run_layers(small.model.embed(batch.ids), batch.mask)
    pooled = batch.pool(states)
    assert torch.allclose(pooled, torch.cat(small.encode(words)), atol=1e-5)
    pooled.sum().backward()
    assert small.model.encoder["layer"][0].intermediate["dense"].weight.grad.abs().sum() > 0
    small.model.zero_grad()


# -- long texts


def test_a_text_of_100_000_characters_is_read_to_its_end(small, monkeypatch):
    """In bounded batches: no row is longer than the encoder's, no batch larger than asked."""
    text = "Zed met Ada in Oz. " * 5264
    words = cut([text])[0]
    sizes = []
    forward = Bert.forward
    monkeypatch.setattr(Bert, "forward", lambda self, ids, mask: sizes.append(ids.shape) or forward(self, ids, mask))
    (states,) = small.encode([words])
    assert len(text) > 100_000 and len(states) == len(words) == 5264 * 6
    assert max(a * b for a, b in sizes) <= 4096 and max(b for _, b in sizes) <= 64
    assert states.isfinite().all() and states[-1].abs().sum() > 0
    total = sum(a * b for a, b in sizes)
    pieces = sum(len(small.pieces[word]) for word in words)
    assert total < 2.5 * pieces  # time grows with the text, not with its square


def test_what_stands_far_away_changes_nothing_and_what_is_near_does(small):
    """A word's state depends on its window alone: another beginning leaves words far behind it as they are."""
    words = [f"w{i % 7}" for i in range(400)]
    one = small.encode([words])[0]
    other = small.encode([["zz", *words[1:]]])[0]
    moved = (one - other).abs().amax(1)
    assert moved[:3].min() > 1e-3 and moved[100:].max() < 1e-5


@pytest.mark.parametrize("word", ["x" * 300, "https://" + "a/" * 2000])
def test_a_word_longer_than_a_row_has_a_state_and_so_have_its_neighbours(small, word):
    for mean in (False, True):
        (states,) = small.encode([["a", word, "b", *["c"] * 30]], mean=mean)
        assert states.shape == (33, 16) and states.isfinite().all() and (states.abs().sum(1) > 0).all()


def test_offsets_of_10_000_strings_are_exact_and_every_word_is_read(real):
    """Words of emoji, combining marks, CJK, right-to-left and zero-width text: cut out of it, none lost, none twice."""
    draw = random.Random(7)
    pools = [
        "abZ9.,'-@#",
        "e\u0301\u0336n\u0303",
        "我们東京",
        "שלוםمحمد\u200f",
        "👍🏽👩\u200d👧🇮🇹\ufe0f",
        "\u200b\u200c\u2060\xad",
        " \n\u3000",
    ]
    pools += ["हिन्दी", "한국어", "ｆｕ～ﬁ½", "<s></s>▁"]
    strings = ["".join(draw.choice(draw.choice(pools)) for _ in range(draw.randint(0, 30))) for _ in range(10_000)]
    words = []
    for text in strings:
        found = real.split(text)
        covered = [i for a, b in found for i in range(a, b)]
        assert covered == [i for i, c in enumerate(text) if not c.isspace()]
        words.append([text[a:b] for a, b in found])
    rows = real.read(words)
    assert rows.texts.tolist()[-1] == sum(map(len, words)) and len(rows.tokens) == len(strings)
    for i in draw.sample(range(len(strings)), 500):
        inner = [p for word in words[i] for p in real.pieces[word]]
        assert rows.tokens[i].tolist() == [0, *inner, 2]
        for k, word in zip(range(rows.texts[i], rows.texts[i + 1]), words[i]):
            assert tuple(rows.tokens[rows.row[k]][rows.first[k] : rows.end[k]]) == real.pieces[word]


def test_the_memory_of_words_is_bounded(monkeypatch):
    monkeypatch.setattr(towers, "REMEMBERED", 5)
    asked = []
    pieces = WordTokens(lambda word: asked.append(word) or [len(word)], 3)
    assert [pieces[w] for w in ("a", "bb", "a", "", "x" * 99, "x" * 99)] == [(1,), (2,), (1,), (0,), (99,), (99,)]
    assert asked == ["a", "bb", "", "x" * 99, "x" * 99]
    for i in range(50):
        assert pieces[f"{i:04}"] == (4,)
        assert len(pieces) <= 5


# -- other encoders


def saved(folder, kind, tokenizer):
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    sizes |= {"vocab_size": len(tokenizer), "pad_token_id": 1, "max_position_embeddings": 66}
    config, cls = {"bert": (BertConfig, BertModel), "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel)}[kind]
    model = cls(config(**sizes)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_a_folder_of_another_size_agrees_with_the_library(tmp_path, library, kind):
    """With a pooling layer, which is left out; XLM-RoBERTa's positions begin behind the padding's."""
    _, tokenizer = library
    model = saved(tmp_path, kind, tokenizer)
    tower = TextTower.load(str(tmp_path))
    assert tower.max_tokens == {"bert": 66, "xlm-roberta": 64}[kind] and tower.width == 32
    words = cut(TEXTS[:1])
    expected = slow_states((model, tokenizer), words[0])
    assert (tower.encode(words)[0] - expected).abs().max() < 1e-5
    long = [["ab", "cd"] * 100]
    assert tower.encode(long)[0].shape == (200, 32)


@pytest.mark.slow
def test_chinese_is_read_as_it_is_written_where_asked_for(tmp_path, library, real):
    """Without marks of blanks: the library's own pieces of the unbroken text, but for its beginning; folders alike."""
    saved(tmp_path, "bert", library[1])
    plain, folder = TextTower.load(mark_cjk=False), TextTower.load(str(tmp_path), mark_cjk=False)
    marked = TextTower.load(str(tmp_path))
    for word in ("我", "京", "サ", "，", "。", "ー", "Turin", "@ada", ".", "2031", "한국어", "\u200b", "國\u0301"):
        ids = plain.pieces[word]
        assert ids == folder.pieces[word] and marked.pieces[word] == real.pieces[word]
        if word in ("我", "京", "サ", "，", "。"):
            assert len(ids) == 1 and len(real.pieces[word]) >= 1 and ids != real.pieces[word]
        elif word.isascii() or word in ("한국어", "\u200b"):
            assert ids == real.pieces[word]
    rows = plain.read([[*"我们在北京"]])
    assert len(rows.tokens[0]) == 7 and (rows.head == rows.first).all()


def test_a_word_makes_no_special_tokens_in_a_folder_either(tmp_path, library):
    saved(tmp_path, "bert", library[1])
    tower = TextTower.load(str(tmp_path))
    assert not {0, 1, 2} & {*tower.pieces["</s>"], *tower.pieces["a<pad>b"]}


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused_with_its_name(tmp_path, library, file):
    saved(tmp_path, "bert", library[1])
    (tmp_path / file).write_bytes(b"{")
    with pytest.raises(RecipeError, match=r"cannot be read|without"):
        TextTower.load(str(tmp_path))
    (tmp_path / file).unlink()
    with pytest.raises(RecipeError, match=r"no config|no tokenizer|no weights"):
        TextTower.load(str(tmp_path))
