"""A vision-language model of a few million parameters, built from a config: LLaVA's architecture, trained from scratch.

It goes through the same code as the models of the hub: an image processor, a chat template and a folder that
`AutoProcessor` and `AutoModelForImageTextToText` load. What differs is what lets it learn on a laptop:

* its vision tower is the stem of a LeViT (Graham et al., 2021), four convolutions with batch norms, and no attention:
  what a picture shows, it knows after some thousand of them, where transformers from scratch still guess (`LOG.md`). It
  gives four tokens an image, and behind each image but the first stands its letter, as PFA calls the patches;
* its language model is an LFM2 (Liquid AI, 2025), short convolutions and attention by turns: what stands next to what
  is there from the first step, so that it copies a name of several pieces sooner than a transformer of its size;
* its tokenizer is trained on the texts that it will meet, byte by byte where it has to. A word with a capital that few
  texts have counts once, however often it comes: a made-up name stays several pieces that many names share, and has to
  be copied, for it cannot be known by heart. Spaces are tokens of their own before words with a capital: a name
  is the same tokens after a space as after a `;`;
* a line that most prompts share, such as an instruction, is one token: it is read whole, and costs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openmie.errors import TrainError

IMAGE, PAD, USER, SYSTEM, ASSISTANT, END = "<image>", "<pad>", "<|user|>", "<|system|>", "<|assistant|>", "<|end|>"
STRIDE = 16  # pixels of an image that are one token
SPECIAL = (IMAGE, PAD, USER, SYSTEM, ASSISTANT, END)
WORDS = r"\n| ?[a-z]+| (?=[A-Z])|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\p{N}| ?[^\sA-Za-z\p{N}]+|\s+"
_CAPITAL = re.compile(r"[A-Z][a-z]+")
TEMPLATE = (
    "{% set at = namespace(n=0) %}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{{ ' abcdefghijklmnopqrstuvwxyz'[at.n] if at.n }}{% set at.n = at.n + 1 %}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Sizes."""

    width: int = 128  # of the language model
    layers: int = 4  # convolution and attention by turns
    heads: int = 4
    side: int = 32  # pixels that an image is resized to, both sides; each 16 x 16 of them are one token
    channels: int = 128  # of the vision tower's last convolution; each one before has half of the next
    vocabulary: int = 1500  # at most so many tokens, beside the whole lines
    least: int = 20  # times that a piece has to come to be a token; of few texts, a fiftieth of their number
    rare: float = 0.02  # words with a capital that a smaller share of texts has count once
    lines: float = 0.05  # a line that this share of the prompts has is one token
    positions: int = 4096  # longest sequence
    spread: float = 0.05  # standard deviation of weights before training; 0.02 is meant for models ten times as wide


def build(prompts: Sequence[str], answers: Sequence[str], config: Tiny | None = None, seed: int = 0) -> tuple[Any, Any]:
    """(model, processor), random weights by the seed. Errors: no texts to train a tokenizer on; sizes that do not fit.

    Prompts and answers are those of training: the tokenizer learns from these alone.
    """
    import torch

    config = config or Tiny()
    if config.side % STRIDE or config.width % config.heads or config.layers < 2:
        raise TrainError(
            f"side={config.side}, width={config.width}, heads={config.heads}, layers={config.layers}",
            expected="a side that 16 divides, a width that the heads divide, at least 2 layers",
            where="lvlm.tiny.Tiny",
            remedy="choose others",
        )
    processor = make_processor(make_tokenizer(prompts, answers, config), config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_model(processor.tokenizer, config), processor


def make_tokenizer(prompts: Sequence[str], answers: Sequence[str], config: Tiny) -> Any:
    """Byte-level BPE in which no piece crosses the border of a word; any text comes back as it was."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    if not prompts or not answers:
        raise TrainError(
            "no texts",
            expected="prompts and answers of the training posts",
            where="lvlm.tiny",
            remedy="give the tokenizer what the model will be trained on",
        )
    whole = shared_lines(prompts, config.lines)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary,
        min_frequency=min(config.least, max(2, len(answers) // 50)),
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(once([*_without(prompts, whole), *answers], config.rare), trainer)
    tokenizer.add_tokens([AddedToken(line, normalized=False) for line in whole])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        chat_template=TEMPLATE,
        additional_special_tokens=[IMAGE, USER, SYSTEM, ASSISTANT],
        clean_up_tokenization_spaces=False,
        model_max_length=config.positions,
    )


def shared_lines(prompts: Sequence[str], share: float) -> list[str]:
    """Lines, with their line break, that at least this share of the prompts has, and which are longer than a word."""
    counts: Counter[str] = Counter()
    for prompt in prompts:
        counts.update({line for line in prompt.splitlines(keepends=True) if len(line.split()) > 3})
    return sorted(line for line, n in counts.items() if n >= share * len(prompts))


def _without(prompts: Iterable[str], lines: list[str]) -> Iterable[str]:
    gone = set(lines)
    for prompt in prompts:
        yield "".join(line for line in prompt.splitlines(keepends=True) if line not in gone)


def once(texts: Sequence[str], share: float) -> list[str]:
    """The texts, in which each word with a capital that less than a share of them has stands once in all."""
    counts = Counter(word for text in texts for word in set(_CAPITAL.findall(text)))
    seen: set[str] = set()

    def kept(found: re.Match[str]) -> str:
        word = found[0]
        if counts[word] >= share * len(texts):
            return word
        new = word not in seen
        seen.add(word)
        return word if new else ""

    return [_CAPITAL.sub(kept, text) for text in texts]


def make_processor(tokenizer: Any, config: Tiny) -> Any:
    """LLaVA's processor: squares of `side` pixels, four tokens each at 32."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    square = {"height": config.side, "width": config.side}
    half = [0.5, 0.5, 0.5]
    images = CLIPImageProcessor(
        do_resize=True, size=square, do_center_crop=False, crop_size=square, image_mean=half, image_std=half, resample=2
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=STRIDE,
        image_token=IMAGE,
        vision_feature_select_strategy="full",
        chat_template=TEMPLATE,
    )


def make_model(tokenizer: Any, config: Tiny) -> Any:
    """LLaVA over the stem of a LeViT and an LFM2 of these sizes."""
    from transformers import LevitConfig, Lfm2Config, LlavaConfig, LlavaForConditionalGeneration

    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    vision = LevitConfig(
        image_size=config.side,
        patch_size=STRIDE,
        hidden_sizes=[config.channels, 16, 16],
        depths=[],
        num_attention_heads=[],
        output_hidden_states=True,
    )
    vision.hidden_size = config.channels  # what LLaVA's projector reads
    text = Lfm2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=config.width,
        intermediate_size=config.width * 2,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=config.layers,
        layer_types=[("conv", "full_attention")[i % 2] for i in range(config.layers)],
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.positions,
        tie_word_embeddings=True,
        initializer_range=config.spread,
        **ids,
    )
    whole = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        image_seq_length=(config.side // STRIDE) ** 2,
        tie_word_embeddings=True,
        **ids,
    )
    model = LlavaForConditionalGeneration(whole)
    model.generation_config.update(**ids, do_sample=False)
    return model
