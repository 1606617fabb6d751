"""A text tower from a hub id or a folder: `config.json`, `tokenizer.json`, weights as safetensors; no code is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from openmie.errors import ModelError, RecipeError
from openmie.model.hub_names import check_model_name
from openmie.model.unigram import BLANK
from openmie.nn.encode.bert import Bert, BertSizes, build_loaded

FILES = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")
PREFIXES = ("bert.", "roberta.", "model.", "0.auto_model.")  # of models with a head, whose encoder is taken
LEFT_OUT = ("pooler.", "embeddings.position_ids", "embeddings.token_type_ids")
UNKNOWN = ("<unk>", "[UNK]")


class LibraryTokens:
    """Word -> ids of its pieces by the tokenizers library.

    Args:
        tokenizer: the library's.
        reserved: ids that no text makes.
        unknown: what it makes in their place.
    """

    def __init__(self, tokenizer: Tokenizer, reserved: set[int], unknown: int) -> None:
        self.tokenizer, self.reserved, self.unknown = tokenizer, reserved, unknown

    def __call__(self, word: str) -> list[int]:
        ids = self.tokenizer.encode(word, add_special_tokens=False).ids
        return [self.unknown if id in self.reserved else id for id in ids]

    def unmarked(self) -> LibraryTokens:
        """The same without the mark of a blank before the word, where the tokenizer puts one."""
        data = json.loads(self.tokenizer.to_str())
        first = data.get("pre_tokenizer") or {}
        for step in (first, *first.get("pretokenizers", ())):
            if step.get("type") == "Metaspace":
                step["prepend_scheme"] = "never"
        return LibraryTokens(Tokenizer.from_str(json.dumps(data)), self.reserved, self.unknown)


def load_tower(name: str) -> tuple[Bert, LibraryTokens, dict[str, int]]:
    """The encoder of a `TextTower`, its pieces and the ids of its special tokens.

    Args:
        name: hub id or folder.

    Raises:
        RecipeError: no such model, no such file in it, or another kind of encoder.
    """
    folder = _folder(name)
    try:
        config = json.loads(_file(folder, "config.json").read_text(encoding="utf8"))
        tokenizer = Tokenizer.from_file(str(_file(folder, "tokenizer.json")))
    except RecipeError:
        raise
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise _unusable(folder, f"a file that cannot be read: {str(error)[:200]}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    model = build_loaded(BertSizes.of_config(config), _tensors(folder))
    special = _special(tokenizer, config, folder)
    reserved = {special[role] for role in ("bos", "eos", "pad")}
    return model, LibraryTokens(tokenizer, reserved, special["unk"]), special


def _folder(name: str) -> Path:
    if Path(name).is_dir():
        return Path(name)
    try:
        check_model_name(name, ("e5",), "e5, a hub id, or a folder with a BERT or XLM-RoBERTa encoder")
    except ModelError as error:
        raise RecipeError.of(error.record) from None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise RecipeError(
            f"text tower {name!r} cannot be loaded: {(str(error).splitlines() or ['no answer'])[0]}",
            expected="e5, a hub id, or a folder with a BERT or XLM-RoBERTa encoder",
            remedy="check the name; with no network, pass a local folder",
        ) from None


def _file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise _unusable(folder, f"no {name}")
    return folder / name


def _special(tokenizer: Tokenizer, config: Mapping[str, Any], folder: Path) -> dict[str, int]:
    """The ids of special tokens: those that the tokenizer puts around an empty text, padding and unknown."""
    around = tokenizer.encode("", add_special_tokens=True).ids
    unknown = [id for id in map(tokenizer.token_to_id, UNKNOWN) if id is not None]
    if len(around) != 2 or not unknown or not isinstance(pad := config.get("pad_token_id"), int):
        raise _unusable(folder, f"a tokenizer that puts {len(around)} tokens around a text")
    blank = tokenizer.token_to_id(BLANK)
    return {
        "bos": around[0],
        "eos": around[1],
        "pad": pad,
        "unk": unknown[0],
        "blank": -1 if blank is None else blank,
    }


def _tensors(folder: Path) -> dict[str, Tensor]:
    """The encoder's tensors in 32 bits; those of a head or a pooling layer are left out."""
    found: dict[str, Tensor] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no dictionary
                    name = next((key.removeprefix(p) for p in PREFIXES if key.startswith(p)), key)
                    if name.startswith(("embeddings.", "encoder.")) and not name.startswith(LEFT_OUT):
                        found[name] = file.get_tensor(key).float()
    except (SafetensorError, OSError) as error:
        raise _unusable(folder, f"weights that cannot be read: {error}") from None
    if not found:
        raise _unusable(folder, "no weights as safetensors")
    return found


def _unusable(folder: Path, found: str) -> RecipeError:
    return RecipeError(
        found,
        expected="config.json, tokenizer.json and safetensors of a BERT or XLM-RoBERTa encoder",
        where=str(folder),
        remedy="choose such an encoder, or save it anew with the transformers library's fast tokenizer",
    )
