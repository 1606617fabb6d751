"""The backbones of the five papers as configurations: random weights of the printed shapes, nothing downloaded.

`backbones(recipe, size)` gives what `openmie.model.backbones.restore` reads of a model folder, so that the modules are
those that the library builds of a trained model's configuration. `small` has the same families in few layers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from transformers import (
    AutoTokenizer,
    BertConfig,
    CLIPConfig,
    LongformerConfig,
    PreTrainedConfig,
    ResNetConfig,
    ViTConfig,
    ViTImageProcessorPil,
)

from openmie.model.backbones import TextBackbone, VisionBackbone, minilm_folder, restore

SIZES = ("paper", "small")
FEW: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
STAGES: dict[str, Any] = {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 48, 64], "embedding_size": 16}
# name in the recipe -> configuration; the defaults of the library are the base sizes of the papers
PAPER: dict[str, PreTrainedConfig] = {
    "bert-base-uncased": BertConfig(),
    "allenai/longformer-base-4096": LongformerConfig(
        vocab_size=50265, max_position_embeddings=4098, attention_window=512, type_vocab_size=1, pad_token_id=0
    ),
    "microsoft/resnet-152": ResNetConfig(depths=[3, 8, 36, 3]),
    "microsoft/resnet-50": ResNetConfig(depths=[3, 4, 6, 3]),
    "openai/clip-vit-base-patch32": CLIPConfig(),
    "google/vit-base-patch16-224": ViTConfig(),
}
SMALL: dict[str, PreTrainedConfig] = {
    "bert-base-uncased": BertConfig(**FEW),
    "allenai/longformer-base-4096": LongformerConfig(
        **FEW, vocab_size=50265, max_position_embeddings=514, attention_window=32, type_vocab_size=1, pad_token_id=0
    ),
    "microsoft/resnet-152": ResNetConfig(**STAGES),
    "microsoft/resnet-50": ResNetConfig(**STAGES),
    "openai/clip-vit-base-patch32": CLIPConfig(vision_config={**FEW, "image_size": 64, "patch_size": 32}),
    "google/vit-base-patch16-224": ViTConfig(**FEW, image_size=64, patch_size=16),
}
PIXELS = {"paper": 224, "small": 64}
MARKS = {  # ids of Qwen2.5-VL's vocabulary
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
}


def backbones(recipe: Any, size: str) -> tuple[TextBackbone, VisionBackbone]:
    """The two backbones that a recipe names, of random weights.

    Args:
        recipe: of a system with encoders; `encode.text.name` and `encode.vision.name` are of the papers.
        size: `paper` or `small`.

    Raises:
        KeyError: a backbone that no paper has.
    """
    configs = PAPER if size == "paper" else SMALL
    side = recipe.encode.inputs.image_size or PIXELS[size]
    with tempfile.TemporaryDirectory() as folder:
        text, vision = Path(folder) / "text", Path(folder) / "vision"
        configs[recipe.encode.text.name].save_pretrained(text)
        AutoTokenizer.from_pretrained(minilm_folder()).save_pretrained(text / "tokenizer")  # BERT's own vocabulary
        configs[recipe.encode.vision.name].save_pretrained(vision)
        ViTImageProcessorPil(size={"height": side, "width": side}).save_pretrained(vision)
        found_text, found_vision = restore(Path(folder))
    assert found_vision is not None
    return found_text, found_vision


def qwen(size: str) -> PreTrainedConfig:
    """Qwen2.5-VL of 7B parameters (8.29 billion with its vision tower), or of the same family in two layers."""
    from transformers import Qwen2_5_VLConfig

    text: dict[str, Any] = {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "intermediate_size": 18944,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    }
    vision: dict[str, Any] = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
    if size == "small":
        few = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        text |= {**few, "hidden_size": 64, "intermediate_size": 128}
        text["rope_parameters"] = {**text["rope_parameters"], "mrope_section": [2, 3, 3]}
        vision |= {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "fullatt_block_indexes": [1]}
    vision["out_hidden_size"] = text["hidden_size"]
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, **MARKS)
