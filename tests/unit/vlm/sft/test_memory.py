"""Memory of a fine-tuning, counted: what the documentation says of Qwen2.5-VL-7B, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from openmie.errors import TrainError  # noqa: E402
from openmie.papers import pfa  # noqa: E402
from openmie.vlm.sft import memory  # noqa: E402
from openmie.vlm.sft.finetune import adapted  # noqa: E402
from openmie.vlm.sft.settings import SFTTraining  # noqa: E402

PAGE = Path(__file__).parents[4] / "docs" / "papers" / "pfa.md"


def qwen(dtype=torch.float32):
    """Qwen2.5-VL-7B without weights: its published sizes."""
    from transformers import AutoModelForImageTextToText, Qwen2_5_VLConfig

    text = {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    }
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False)
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config, dtype=dtype)


def test_the_table_of_the_page_is_what_is_counted():
    page, full = PAGE.read_text(encoding="utf8"), pfa.recipe(flavour="paper").training
    whole, lora = qwen(), pfa.recipe(flavour="improved").training
    small = adapted(qwen(torch.bfloat16), lora)
    assert sum(p.numel() for p in whole.parameters()) == 8_292_166_656
    rows = (
        ("`paper`, one GPU", memory.needed(whole, full)),
        ("`paper`, four GPUs", memory.needed(whole, full, 4)),
        ("`improved`, one GPU", memory.needed(small, lora)),
    )
    for name, found in rows:
        numbers = (found.trained, found.frozen, found.copies, found.total)
        assert f"| {name} | " + " | ".join(f"{n / memory.GB:.1f}" for n in numbers) + " |" in page, (name, numbers)


def test_what_cannot_fit_is_refused_before_it_begins_and_what_fits_is_not():
    whole, training = qwen(), pfa.recipe(flavour="paper").training
    with pytest.raises(TrainError, match=r"149 GB a GPU, before activations, to train 8\.29 billion.*torchrun.*lora"):
        memory.check(whole, training, 1, 80 * memory.GB)
    memory.check(whole, training, 4, 80 * memory.GB)
    memory.check(adapted(qwen(torch.bfloat16), pfa.recipe(flavour="improved").training), training, 1, 24 * memory.GB)


def test_bytes_by_hand():
    """A linear layer of 12 weights and 4 biases, the bias frozen."""
    layer = torch.nn.Linear(3, 4)
    layer.bias.requires_grad_(False)
    found = memory.needed(layer, SFTTraining(), bf16=False)
    assert (found.trained, found.frozen, found.copies) == (12 * 16, 4 * 4, 0)
    assert memory.needed(layer, SFTTraining(), bf16=True).copies == 12 * 2
    assert memory.needed(layer, SFTTraining(), 4, bf16=False).trained == 48
