"""Constrained generation: at each step only the pieces that a JSON Schema or a grammar allows, by llguidance.

JSON is written without optional white space: a small model that may write blanks writes them to its limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.errors import ModelError
from openmie.vlm.generate import GenerationError, Grammar

Schema = Mapping[str, Any] | Grammar


def library() -> Any:
    """llguidance, or the error that says how to get it."""
    try:
        return import_module("llguidance")
    except ImportError as error:
        raise ModelError(
            f"no package llguidance ({error})",
            expected="it, to hold answers to a schema or grammar",
            remedy="pip install 'openmie[lvlm]'",
        ) from None


def compiled(schema: Schema) -> str:
    """A schema or grammar as llguidance reads it. `GenerationError` where it is none."""
    matcher = library().LLMatcher
    try:
        if isinstance(schema, Grammar):
            made = matcher.grammar_from_lark(schema.text)
        else:
            overrides = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
            made = matcher.grammar_from_json_schema(json.dumps(schema), overrides=overrides)
        failed, told = matcher.validate_grammar_with_warnings(made)
    except (ValueError, TypeError) as error:
        failed, told, made = True, [str(error)], ""
    if failed:
        raise GenerationError(
            f"{'a grammar' if isinstance(schema, Grammar) else 'a JSON Schema'} that cannot be "
            f"followed: {told[0][:300]}",
            expected="what llguidance reads",
            remedy="correct it; of JSON Schema not every keyword is supported",
        )
    return str(made)


class Vocabulary:
    """A tokenizer's pieces as bytes: made once a model, in about a second."""

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        library()
        try:
            self.pieces = import_module("llguidance.hf").from_tokenizer(tokenizer, eos_token=list(ends))
        except Exception as error:  # the library raises what it likes for a tokenizer of another kind
            raise ModelError(
                f"a {type(tokenizer).__name__} that llguidance cannot read ({str(error)[:200]})",
                expected="a byte-level or byte-fallback tokenizer, as language models have",
                remedy="ask this model without a schema",
            ) from error

    def matcher(self, grammar: str) -> Any:
        return library().LLMatcher(self.pieces, grammar, log_level=0)


class Guide:
    """A logits processor (transformers): a matcher for each row, None for a row that may say anything."""

    def __init__(self, matchers: Sequence[Any], prompt: int, ends: Sequence[int], vocabulary: Vocabulary) -> None:
        self.matchers, self.read, self.ends = list(matchers), prompt, frozenset(ends)
        self.size = int(vocabulary.pieces.vocab_size)
        self.open = [matcher is not None for matcher in self.matchers]  # rows that go on
        self.bits = np.zeros((len(self.matchers), (self.size + 31) // 32), dtype=np.int32)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores (B, V) with minus infinity where a piece is not allowed, after the pieces since the last call."""
        fill = import_module("llguidance.numpy").fill_next_token_bitmask
        new = input_ids[:, self.read :].tolist()
        self.read = input_ids.shape[1]
        for i, matcher in enumerate(self.matchers):
            for piece in new[i] if self.open[i] else ():
                self.open[i] = piece not in self.ends and matcher.consume_token(piece)
            if self.open[i]:
                fill(matcher, self.bits, i)
            elif matcher is not None:  # ended, or beyond the library's limits, and then `failure` says why
                self.bits[i] = self._only_end()
        words = torch.from_numpy(self.bits).to(scores.device)
        shift = torch.arange(32, dtype=torch.int32, device=scores.device)
        allowed = ((words[:, :, None] >> shift) & 1).bool().flatten(1)[:, : scores.shape[1]]  # (B, V)
        if allowed.shape[1] < scores.shape[1]:  # rows of the output layer that no piece has
            allowed = torch.nn.functional.pad(allowed, (0, scores.shape[1] - allowed.shape[1]))
        free = torch.tensor([matcher is None for matcher in self.matchers], device=scores.device)[:, None]
        return scores.masked_fill(~(allowed | free), -torch.inf)

    def _only_end(self) -> np.ndarray:
        bits = np.zeros(self.bits.shape[1] * 32, dtype=np.uint8)
        bits[list(self.ends)] = 1
        return np.packbits(bits, bitorder="little").view(np.int32)

    def failure(self, row: int) -> str:
        """What the library says went wrong with a row, or nothing."""
        matcher = self.matchers[row]
        return str(matcher.get_error()) if matcher is not None and matcher.is_error() else ""
