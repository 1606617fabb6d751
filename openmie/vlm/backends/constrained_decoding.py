"""Constrained decoding: at each step only the tokens that a JSON Schema or a grammar allows, by llguidance.

JSON is generated without optional white space: a small model that may write blanks writes them up to its limit.
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

Constraint = Mapping[str, Any] | Grammar  # a JSON Schema or a grammar


def import_llguidance() -> Any:
    """The module llguidance. Raises `ModelError` where it is not installed."""
    try:
        return import_module("llguidance")
    except ImportError as error:
        raise ModelError(
            f"package llguidance is not installed ({error})",
            expected="this package, which constrains answers to a schema or grammar",
            remedy="install it: pip install 'openmie[vlm]'",
        ) from None


def compile_constraint(constraint: Constraint) -> str:
    """Compile a JSON Schema or grammar for llguidance.

    Args:
        constraint: a JSON Schema, or a grammar in Lark's notation.

    Returns:
        The grammar as `LLMatcher` takes it.

    Raises:
        GenerationError: a schema or grammar that llguidance does not support.
        ModelError: llguidance is not installed.
    """
    matcher = import_llguidance().LLMatcher
    try:
        if isinstance(constraint, Grammar):
            compiled = matcher.grammar_from_lark(constraint.text)
        else:
            overrides = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
            compiled = matcher.grammar_from_json_schema(json.dumps(constraint), overrides=overrides)
        failed, messages = matcher.validate_grammar_with_warnings(compiled)
    except (ValueError, TypeError) as error:
        failed, messages, compiled = True, [str(error)], ""
    if failed:
        kind = "grammar" if isinstance(constraint, Grammar) else "JSON Schema"
        raise GenerationError(
            f"{kind} cannot be followed: {messages[0][:300]}",
            expected=f"a {kind} that llguidance supports",
            remedy="correct it; llguidance does not support every keyword of JSON Schema",
        )
    return str(compiled)


class TokenBytes:
    """A tokenizer's tokens as bytes, for llguidance: built once a model, in about a second."""

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int]) -> None:
        import_llguidance()
        try:
            self.tokens = import_module("llguidance.hf").from_tokenizer(tokenizer, eos_token=list(eos_ids))
        except Exception as error:  # the library raises what it likes for a tokenizer of another kind
            raise ModelError(
                f"tokenizer {type(tokenizer).__name__} cannot be read by llguidance ({str(error)[:200]})",
                expected="a byte-level or byte-fallback tokenizer, as language models have",
                remedy="send requests without a schema to this model",
            ) from error

    def matcher(self, compiled: str) -> Any:
        """A matcher at the beginning of an answer."""
        return import_llguidance().LLMatcher(self.tokens, compiled, log_level=0)


class GrammarLogitsProcessor:
    """A logits processor (transformers) that masks the tokens which a row's constraint does not allow.

    Args:
        matchers: one a row; None for a row of free text.
        prompt_length: tokens of the (padded) prompt.
        eos_ids: tokens that end an answer.
        vocabulary: the model's tokens.
    """

    def __init__(
        self, matchers: Sequence[Any], prompt_length: int, eos_ids: Sequence[int], vocabulary: TokenBytes
    ) -> None:
        self.matchers, self.consumed, self.eos_ids = list(matchers), prompt_length, frozenset(eos_ids)
        self.size = int(vocabulary.tokens.vocab_size)
        self.open = [matcher is not None for matcher in self.matchers]  # constrained rows that have not ended
        self.bits = np.zeros((len(self.matchers), (self.size + 31) // 32), dtype=np.int32)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Mask the logits of one step: (B, V) with -inf where a token is not allowed; `input_ids` is (B, T)."""
        fill = import_module("llguidance.numpy").fill_next_token_bitmask
        new = input_ids[:, self.consumed :].tolist()
        self.consumed = input_ids.shape[1]
        for i, matcher in enumerate(self.matchers):
            for token in new[i] if self.open[i] else ():
                self.open[i] = token not in self.eos_ids and matcher.consume_token(token)
            if self.open[i]:
                fill(matcher, self.bits, i)
            elif matcher is not None:  # ended, or beyond the library's limits: then `failure` gives the reason
                self.bits[i] = self._only_eos()
        words = torch.from_numpy(self.bits).to(scores.device)
        shift = torch.arange(32, dtype=torch.int32, device=scores.device)
        allowed = ((words[:, :, None] >> shift) & 1).bool().flatten(1)[:, : scores.shape[1]]  # (B, V)
        if allowed.shape[1] < scores.shape[1]:  # rows of the output layer without a token
            allowed = torch.nn.functional.pad(allowed, (0, scores.shape[1] - allowed.shape[1]))
        free = torch.tensor([matcher is None for matcher in self.matchers], device=scores.device)[:, None]
        return scores.masked_fill(~(allowed | free), -torch.inf)

    def _only_eos(self) -> np.ndarray:
        bits = np.zeros(self.bits.shape[1] * 32, dtype=np.uint8)
        bits[list(self.eos_ids)] = 1
        return np.packbits(bits, bitorder="little").view(np.int32)

    def failure(self, row: int) -> str:
        """The error message of a row's matcher, or ""."""
        matcher = self.matchers[row]
        return str(matcher.get_error()) if matcher is not None and matcher.is_error() else ""
