"""Small vision-language models on disk, as hub folders look like, only small: LLaVA, Idefics3, Qwen2.5-VL."""

from __future__ import annotations

import json
from pathlib import Path

TEXTS = (
    "A dog runs through the park while two children watch from the bench.",
    "Zorvane and her brother stand in front of the town hall of Lummer.",
    '{"label": "person", "text": "Zorvane"}, {"label": "place", "text": "Lummer"}',
    "The picture shows a red tram, a tower, three trophies and a stage with lights.",
)
LABELS = ("dog", "organisation", "person", "place")
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROLES = ["<|system|>", "<|user|>", "<|assistant|>"]
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
          "image_size": 16, "patch_size": 8}
TEXT = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": None}


def tokenizer(*also: str):
    """Byte-level pieces trained on `TEXTS`, with <|end|> as the end of an answer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|end|>", "<image>", *ROLES, *also]
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>",
                                   additional_special_tokens=["<image>", *ROLES, *also])


def _save(folder, config, model, processor, seed: int = 0) -> str:
    import torch

    torch.manual_seed(seed)
    model(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def llava(folder, seed: int = 0, template: bool = True) -> str:
    """CLIP of 16 pixels (4 patches a picture) and a Llama of two layers."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    words = tokenizer()
    ids = {"vocab_size": len(words), "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = LlavaConfig(vision_config=CLIPVisionConfig(**VISION), text_config=LlamaConfig(**TEXT, **ids),
                         image_token_index=words.convert_tokens_to_ids("<image>"), image_seq_length=4)
    images = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    processor = LlavaProcessor(images, words, patch_size=8, vision_feature_select_strategy="default",
                               num_additional_image_tokens=1,
                               chat_template=TEMPLATE.replace("IMAGE", "<image>") if template else None)
    return _save(folder, config, LlavaForConditionalGeneration, processor, seed)


def idefics3(folder, seed: int = 0) -> str:
    """A picture is 16 pixels (one token) and is not split."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    words = tokenizer("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    ids = {"vocab_size": len(words), "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = Idefics3Config(vision_config=VISION, text_config={"model_type": "llama", **TEXT, **ids}, scale_factor=2,
                            image_token_id=words.convert_tokens_to_ids("<image>"), pad_token_id=words.pad_token_id)
    images = Idefics3ImageProcessorPil(size={"longest_edge": 16}, max_image_size={"longest_edge": 16},
                                       do_image_splitting=False)
    processor = Idefics3Processor(images, words, image_seq_len=1, chat_template=TEMPLATE.replace("IMAGE", "<image>"))
    return _save(folder, config, Idefics3ForConditionalGeneration, processor, seed)


def qwen25(folder, seed: int = 0) -> str:
    """Qwen2.5-VL: its processor is written as the hub's folders have it, with a video processor that is not read."""
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessorPil,
    )

    words = tokenizer("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")
    marks = {name: words.convert_tokens_to_ids(token) for name, token in (
        ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>"),
        ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"))}
    ids = {"vocab_size": len(words), "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    vision = {"hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 2, "out_hidden_size": 48,
              "patch_size": 8, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 32,
              "fullatt_block_indexes": [1]}
    text = {**TEXT, **ids, "rope_scaling": {"type": "mrope", "mrope_section": [2, 2, 2]}}
    config = Qwen2_5_VLConfig(vision_config=vision, text_config=text, **marks)
    torch.manual_seed(seed)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, temporal_patch_size=2,
                             size={"shortest_edge": 256, "longest_edge": 1024}).save_pretrained(folder)
    file = Path(folder) / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf8")),
                                "processor_class": "Qwen2_5_VLProcessor"}), encoding="utf8")
    template = TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    (Path(folder) / "chat_template.jinja").write_text(template, encoding="utf8")
    return str(folder)


COLOURS = {"red": (220, 30, 30), "blue": (20, 40, 230), "green": (30, 200, 60)}
ASKED = "Which colours?"


def square(colour: str, seed: int = 0):
    """A noisy picture of one colour."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    noisy = np.asarray(COLOURS[colour]) + rng.integers(-20, 21, (18 + seed % 5, 20, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def taught(folder, steps: int = 160) -> str:
    """A LLaVA that says the colours of its pictures in their order, and then ends: the answer is known."""
    import torch

    from openmie.vlm.backends import chat_template as turns
    from openmie.vlm.backends.model_loading import load
    from openmie.vlm.generate import Request

    model, processor = load(llava(folder), "", "cpu", "float32")
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    names = list(COLOURS)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        rows = [[names[i] for i in torch.randint(3, (1 + step % 2,), generator=generator)] for _ in range(12)]
        shown = [[square(name, step * 12 + i) for name in row] for i, row in enumerate(rows)]
        texts = [turns.prompt(processor, Request(prompt=ASKED, images=tuple(images))) for images in shown]
        whole = [text + " ".join(row) + "<|end|>" for text, row in zip(texts, rows)]
        inputs = processor(text=whole, images=shown, padding=True, padding_side="right", return_tensors="pt")
        labels = inputs["input_ids"].clone()
        for i, row in enumerate(rows):
            answer = len(processor.tokenizer(" ".join(row) + "<|end|>")["input_ids"])
            labels[i, : int(inputs["attention_mask"][i].sum()) - answer] = -100
        labels[inputs["attention_mask"] == 0] = -100
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, f"the model did not learn its colours: loss {loss.item()}"
    model.eval().save_pretrained(folder)
    return str(folder)
