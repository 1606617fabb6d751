"""Training sentences with the states of the frozen lower layers, which are computed once.

B sentences, P pieces, T words, D width of the tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from openmie.base.text_model import TextModel


class CachedStates(NamedTuple):
    """One sentence: states of its pieces (P, D) in half precision, and the place of each word's first piece (T,)."""

    states: Tensor
    heads: Tensor


@torch.no_grad()
def encode_lower(model: TextModel, words: Sequence[Sequence[str]], batch_tokens: int = 4096) -> list[CachedStates]:
    """States of sentences after the frozen layers; each must fit the tower's longest row.

    Args:
        model: whose tower reads them.
        words: of each sentence.
        batch_tokens: read at once at most.
    """
    tower = model.tower
    rows = tower.read(words)
    found: list[CachedStates] = [CachedStates(torch.empty(0), torch.empty(0))] * len(words)
    for numbers in rows.batches(batch_tokens):
        batch = rows.batch(numbers, tower.special["pad"])
        states = tower.model.run_layers(tower.model.embed(batch.ids), batch.mask, 0, model.settings.frozen).half()
        lengths = batch.mask.sum(1).tolist()
        for i, number in enumerate(numbers):
            found[number] = CachedStates(states[i, : lengths[i]].clone(), batch.head[batch.row == i].short())
    return found


def word_states(model: TextModel, chosen: Sequence[CachedStates]) -> tuple[Tensor, Tensor]:
    """States of the words of a batch, (B, T, 2 D), and which are real, (B, T); gradients reach the adapters."""
    lower = pad_sequence([c.states.float() for c in chosen], True)  # (B, P, D)
    lengths = torch.tensor([len(c.states) for c in chosen])
    mask = torch.arange(lower.shape[1]) < lengths[:, None]
    heads = pad_sequence([c.heads.long() for c in chosen], True)  # (B, T)
    real = torch.arange(heads.shape[1]) < torch.tensor([len(c.heads) for c in chosen])[:, None]
    states = lower
    for layer in model.upper:
        states = layer(states, mask[:, None, None, :])
    both = torch.cat([states, lower], -1)
    return both.gather(1, heads[..., None].expand(-1, -1, both.shape[-1])), real
