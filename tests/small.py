"""Small recipes and documents for tests: quick to build, quick to train."""

import numpy as np

from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Image, Mention, Relation
from openmie.papers import baseline
from openmie.recipe import Recipe, set_field

LABELS = Labels(mentions=("LOC", "PER"), relations=("None", "friend", "lives_in"))
CORPUS = Corpus("diorama", {}, declared=LABELS)
NAMES = ("Ada", "Bo", "Cleo", "Dov", "Eda", "Finn")
PLACES = ("Rome", "Oslo", "Lima", "Cairo")


def recipe(task: str = "ner", ablate: str = "", **changes: str) -> Recipe:
    """The baseline with few epochs; changes as in `--set`, dots written as double underscores."""
    found = baseline.recipe(CORPUS, task=task)
    found = baseline.ablations(found)[ablate] if ablate else found
    for path, value in {"training__epochs": "2", "training__batch": "8", **changes}.items():
        found = set_field(found, path.replace("__", "."), value)
    return found


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def document(i: int, image: bool = True) -> Document:
    """`Ada likes Rome a lot .` and the like, with what it says."""
    who, where, friend = NAMES[i % 6], PLACES[i % 4], NAMES[(i + 1) % 6]
    words = [who, "and", friend, "like", where, *["a", "lot"] * (i % 3), "."]
    base = Document.from_words(f"d{i}", words)
    spans = {"m0": (0, "PER"), "m1": (2, "PER"), "m2": (4, "LOC")}
    mentions = [
        Mention(id=k, start=base.words[w].start, end=base.words[w].end, label=label) for k, (w, label) in spans.items()
    ]
    relations = [
        Relation(head="m0", tail="m1", label="friend"),
        Relation(head="m0", tail="m2", label="lives_in"),
        Relation(head="m2", tail="m1", label="None"),
    ]
    images = [Image(id="main", pixels=picture(i))] if image else []
    return base.replace(mentions=mentions, relations=relations, images=images, captions={"c": f"a picture of {where}"})


def documents(n: int = 24, every: int = 0) -> list[Document]:
    """With `every` > 0, each such document lacks its image."""
    return [document(i, image=not every or i % every != 0) for i in range(n)]


def save_bert(folder) -> str:
    """A random BERT of 32 widths and 300 word pieces on disk: what a hub folder looks like, only small."""
    import string

    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"[unused{i}]" for i in range(1, 5))]
    words = [
        "and",
        "like",
        "a",
        "lot",
        ".",
        *(w.lower() for w in (*NAMES, *PLACES)),
        *string.ascii_lowercase,
        *(f"##{c}" for c in string.ascii_lowercase),
    ]
    vocabulary = {w: i for i, w in enumerate([*special, *dict.fromkeys(words)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        )
    ).save_pretrained(folder)
    return str(folder)
