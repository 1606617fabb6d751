"""BERT's encoder in plain torch: token ids -> states, with the parameters' names of the transformers library.

Devlin et al., NAACL 2019, arXiv 1810.04805; XLM-RoBERTa (Conneau et al., ACL 2020) is the same network whose positions
begin behind the padding's id. A state dict of the library's `BertModel` or `XLMRobertaModel` without its pooling layer
loads strictly. Segments are not read: every token is of the first one. Layers can be run in parts, so that the states
of frozen lower layers are computed once.

B batch, T tokens, D width, h heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor, nn

from openmie.errors import RecipeError

_NEEDED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)
POSITIONS_BEHIND_PADDING = ("xlm-roberta", "roberta")  # model types whose first position is the padding's id + 1


@dataclass(frozen=True, kw_only=True)
class BertSizes:
    """Sizes of an encoder."""

    vocabulary: int  # pieces
    width: int  # D
    layers: int
    heads: int  # h, a divisor of D
    hidden: int  # width between the two feed-forward layers
    positions: int  # rows of the position table, those that are not used included
    types: int = 2  # rows of the segment table
    first_position: int = 0  # row of the first token
    eps: float = 1e-12  # of the layer norms
    dropout: float = 0.0  # chance that training drops a state or an attention weight

    @property
    def max_tokens(self) -> int:
        """The longest sequence, special tokens included."""
        return self.positions - self.first_position

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> Self:
        """The sizes in a `config.json` of the transformers library, or in the arguments of a `BertConfig`.

        Raises:
            RecipeError: another kind of network.
        """
        kind = config.get("model_type", "bert")
        odd = {
            "model_type": (kind, ("bert", *POSITIONS_BEHIND_PADDING)),
            "hidden_act": (config.get("hidden_act", "gelu"), ("gelu",)),
            "position_embedding_type": (config.get("position_embedding_type", "absolute"), ("absolute",)),
        }
        for name, (found, known) in odd.items():
            if found not in known:
                raise RecipeError.unknown(f"{name} of a text tower", str(found), known)
        lacking = [name for name in _NEEDED if not isinstance(config.get(name), int)]
        if lacking:
            raise RecipeError(
                f"a configuration without {', '.join(lacking)}",
                expected="the sizes of a BERT or XLM-RoBERTa encoder",
                remedy="choose such an encoder",
            )
        return cls(
            vocabulary=config["vocab_size"],
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            hidden=config["intermediate_size"],
            positions=config["max_position_embeddings"],
            types=config.get("type_vocab_size", 2),
            first_position=config.get("pad_token_id", 1) + 1 if kind in POSITIONS_BEHIND_PADDING else 0,
            eps=config.get("layer_norm_eps", 1e-12),
        )


class Linear(nn.Linear):
    """Without weights at first: a model that is loaded need not draw them."""

    def reset_parameters(self) -> None:
        """Nothing; `Bert` draws the weights."""


class EmbeddingTable(nn.Embedding):
    """The same for embeddings."""

    def reset_parameters(self) -> None:
        """Nothing; `Bert` draws the weights."""


class Bert(nn.Module):
    """The encoder: ids (B, T) and mask (B, T) -> last states (B, T, D).

    Args:
        sizes: of the network.
        words: the table of word embeddings, ids (B, T) -> (B, T, D); default: an `nn.Embedding`. Another one, such as
            `PackedEmbedding`, takes its place in the state dict.
        drawn: whether weights are drawn at random, as BERT's are (normal, 0.02); else they hold anything until a state
            is loaded.
    """

    def __init__(self, sizes: BertSizes, words: nn.Module | None = None, drawn: bool = True) -> None:
        super().__init__()
        self.sizes = sizes
        self.embeddings = Embeddings(sizes, words or EmbeddingTable(sizes.vocabulary, sizes.width))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(sizes) for _ in range(sizes.layers))})
        for module in self.modules() if drawn else ():
            if isinstance(module, Linear | EmbeddingTable):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, Linear):
                nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Last states.

        Args:
            ids: pieces (B, T), padded behind; at most `sizes.max_tokens` long.
            mask: (B, T) bool, True where a piece is real; None: all are.

        Returns:
            (B, T, D); padding has finite states without a meaning.
        """
        return self.run_layers(self.embed(ids), mask)

    @property
    def layers(self) -> list[BertLayer]:
        """The layers, from the lowest."""
        layers: Any = self.encoder["layer"]
        return [*layers]

    def embed(self, ids: Tensor) -> Tensor:
        """The states that the first layer reads, (B, T) -> (B, T, D)."""
        return self.embeddings(ids)

    def run_layers(self, states: Tensor, mask: Tensor | None = None, first: int = 0, last: int | None = None) -> Tensor:
        """States after the layers `first` to `last` (half-open, from 0; None: to the end): (B, T, D) -> (B, T, D).

        `run_layers(run_layers(x, mask, 0, k), mask, k)` is `run_layers(x, mask)`.
        """
        seen = None if mask is None else (mask | ~mask.any(1, keepdim=True))[:, None, None, :]  # (B, 1, 1, T)
        for layer in self.layers[first:last]:
            states = layer(states, seen)
        return states


class Embeddings(nn.Module):
    """Norm of word, position and segment embeddings: (B, T) -> (B, T, D)."""

    def __init__(self, sizes: BertSizes, words: nn.Module) -> None:
        super().__init__()
        self.first, self.dropout = sizes.first_position, sizes.dropout
        self.word_embeddings = words
        self.position_embeddings = EmbeddingTable(sizes.positions, sizes.width)
        self.token_type_embeddings = EmbeddingTable(sizes.types, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=sizes.eps)

    def forward(self, ids: Tensor) -> Tensor:
        places = self.position_embeddings.weight[self.first : self.first + ids.shape[1]]
        x = self.word_embeddings(ids) + self.token_type_embeddings.weight[0] + places
        return F.dropout(self.LayerNorm(x), self.dropout, self.training)


class BertLayer(nn.Module):
    """Self-attention, then two feed-forward layers with gelu between; each with its residual and norm."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        d, self.heads, self.dropout = sizes.width, sizes.heads, sizes.dropout
        three = nn.ModuleDict({name: Linear(d, d) for name in ("query", "key", "value")})
        self.attention = nn.ModuleDict({"self": three, "output": Residual(d, sizes)})
        self.intermediate = nn.ModuleDict({"dense": Linear(d, sizes.hidden)})
        self.output = Residual(sizes.hidden, sizes)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """x (B, T, D); seen (B, 1, 1, T) bool, True where a key is read, at least one a row -> (B, T, D)."""
        three: Any = self.attention["self"]
        q, k, v = (three[n](x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for n in ("query", "key", "value"))
        dropped = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropped)  # (B, h, T, D / h)
        x = self.attention["output"](heads.transpose(1, 2).flatten(2), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class Residual(nn.Module):
    """norm(x + W y + b): y (B, T, inner), x (B, T, D) -> (B, T, D)."""

    def __init__(self, inner: int, sizes: BertSizes) -> None:
        super().__init__()
        self.dense = Linear(inner, sizes.width)
        self.LayerNorm, self.dropout = nn.LayerNorm(sizes.width, eps=sizes.eps), sizes.dropout

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(x + F.dropout(self.dense(y), self.dropout, self.training))


def build_loaded(sizes: BertSizes, state: Mapping[str, Tensor], words: nn.Module | None = None) -> Bert:
    """An encoder that holds the given tensors themselves: no weight is drawn and none is copied.

    Args:
        sizes: of the network.
        state: its state dict, by the library's names; strict, but for the words where `words` is given.
        words: as for `Bert`, with its values in it.

    Raises:
        RecipeError: tensors are lacking, left over or of another shape.
    """
    model = Bert(sizes, words, drawn=False)
    own = dict(words.state_dict(prefix="embeddings.word_embeddings.")) if words is not None else {}
    try:
        model.load_state_dict({**state, **own}, assign=True)
    except RuntimeError as error:
        raise RecipeError(
            f"weights that do not fit: {' '.join(str(error).split())[:300]}",
            expected="the tensors of a BERT or XLM-RoBERTa encoder",
            remedy="choose such an encoder",
        ) from None
    return model.eval()
