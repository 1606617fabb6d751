"""A text model of a few thousand weights, whose words are read by their letters."""

from __future__ import annotations

import torch

from openmie.base.settings import TextSettings
from openmie.base.text_model import TextModel
from openmie.base.tower import TextTower
from openmie.nn.encode.bert import Bert, BertSizes

SIZES = BertSizes(vocabulary=300, width=32, layers=2, heads=2, hidden=64, positions=96)
SPECIAL = {"bos": 0, "eos": 1, "pad": 2, "unk": 3, "blank": -1}


def tokens(word: str) -> list[int]:
    """One token a word: its hash, the same in every process."""
    return [4 + sum(ord(c) * (i + 7) for i, c in enumerate(part)) % 290 for part in word.split()]


def tiny_tower(seed: int = 0) -> TextTower:
    """A tower with drawn weights."""
    torch.manual_seed(seed)
    return TextTower(Bert(SIZES).eval(), tokens, SPECIAL, "tiny")


def tiny_model(**settings: object) -> TextModel:
    """A text model on that tower, whose adapters are not trained."""
    torch.manual_seed(1)
    return TextModel(tiny_tower(), TextSettings(tower="tiny", frozen=1, rank=4, **settings))  # type: ignore[arg-type]
