"""Families of vision-language models by name: how each writes boxes, or that it writes none, with the source.

    ADAPTERS["qwen3-vl"].encode((x1, y1, x2, y2), size) -> the values that the model writes
    find_family("google/gemma-4-E4B-it") -> "gemma"; find_boxless("gpt-4o").source -> why no boxes are asked for

The sources were read in November 2026 (docs/reference/endpoints.md). `openmie doctor boxes` measures what a model does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openmie.vlm.boxes.adapters import BoxAdapter, FittedPixels, GridCoordinates, OriginalPixels, ResizedPixels

_THOUSAND = "0 to 1000 of each side, x first"
ADAPTERS: Mapping[str, BoxAdapter] = {
    "qwen2-vl": GridCoordinates(
        far_edge=1000,
        source=f"{_THOUSAND}: Qwen-VL's and Qwen2-VL's model cards, and issue 1485 of Qwen3-VL's "
        "repository, on how the family changed twice",
    ),
    "qwen2.5-vl": ResizedPixels(
        source="pixels of the resized image: Qwen2.5-VL's cookbook on spatial understanding; "
        "areas as in preprocessor_config.json of Qwen2.5-VL-7B-Instruct"
    ),
    "qwen3-vl": GridCoordinates(
        far_edge=1000, source=f"{_THOUSAND}: the cookbook on 2D grounding in Qwen3-VL's repository"
    ),
    "internvl": GridCoordinates(
        far_edge=1000, source=f"{_THOUSAND}: InternVL's documentation, chat data format, grounding data"
    ),
    "glm-v": GridCoordinates(
        far_edge=1000, source=f"{_THOUSAND}: GLM-4.5V's model card, issues 114 and 161 of GLM-V's repository"
    ),
    "minicpm-v": GridCoordinates(far_edge=1000, source=f"{_THOUSAND}: issues 772 and 982 of MiniCPM-V's repository"),
    "deepseek-vl2": GridCoordinates(
        far_edge=999, source="0 to 999 of each side, x first: the demo of DeepSeek-VL2's repository"
    ),
    "paligemma": GridCoordinates(
        far_edge=1024,
        cells=True,
        y_first=True,
        source="<loc0000> to <loc1023>, 1024 cells of each side, y first: Google AI for Developers on "
        "PaliGemma; its demo reads the lower edge of a cell, here the centre",
    ),
    "gemini": GridCoordinates(
        far_edge=1000,
        y_first=True,
        source="0 to 1000 of each side, ymin xmin ymax xmax: Gemini API documentation, image understanding",
    ),
    "florence-2": GridCoordinates(
        far_edge=1000,
        cells=True,
        source="<loc_0> to <loc_999>, 1000 cells of each side: Florence-2's processor (BoxQuantizer)",
    ),
    "llava": GridCoordinates(
        far_edge=1,
        digits=4,
        padded_to_square=True,
        source="0 to 1 of the square that the image is padded to, to two digits in its data: issues 606 and "
        "623 of LLaVA's repository",
    ),
    "mistral": GridCoordinates(
        far_edge=999,
        source="0 to 999 of each side, x first, under box_2d: Mistral's cookbook on boxes with Mistral Large 4, and "
        "Roboflow's documentation of its Mistral block, which decodes on that grid",
    ),
    "gemma": GridCoordinates(
        far_edge=1000,
        y_first=True,
        source="0 to 1000 of each side, ymin xmin ymax xmax, under box_2d, as Gemini: Gemma's documentation on image "
        "understanding, for Gemma 4",
    ),
    "claude": FittedPixels(
        longest=1568,
        patches=1568,
        source="pixels of the image as Claude sees it, x first: Claude's documentation on coordinates and bounding "
        "boxes; the size by its documentation on vision, for models before Opus 4.7",
    ),
    "claude-large": FittedPixels(
        longest=2576, patches=4784, source="as claude, with the native resolution of Opus 4.7 and later"
    ),
    "normalised": GridCoordinates(
        far_edge=1, digits=None, source="0 to 1 of each side, x first: Kimi-VL's repository, issue 56"
    ),
    "pixels": OriginalPixels(
        source="pixels of the original: for a model whose prompt states the size, or trained so here"
    ),
}

_FAMILY_PATTERNS = (  # the first that matches
    (r"qwen-?2[.-]5-?(vl|omni)", "qwen2.5-vl"),
    (r"qwen-?3([.-]\d+)?-?(vl|omni)", "qwen3-vl"),
    (r"qwen-?3[.-]\d", "qwen3-vl"),
    (r"qwen(-?2)?-?vl", "qwen2-vl"),
    (r"intern-?(vl|s1)", "internvl"),
    (r"glm-?4[.-]\d-?v|glm-?4v-(moe|text)|^glm4v", "glm-v"),
    (r"mini-?cpm-?[vo]", "minicpm-v"),
    (r"deepseek-?vl-?2|deepseek-vl-v2", "deepseek-vl2"),
    (r"paligemma", "paligemma"),
    (r"gemini", "gemini"),
    (r"florence-?2", "florence-2"),
    (r"llava", "llava"),
    (r"kimi-?vl", "normalised"),
    (r"mistral-?large-?([4-9]|\d\d)(?!\d)", "mistral"),
    (r"gemma-?4", "gemma"),
    (r"claude-(opus-4-([7-9]|\d\d)(?!\d)|[a-z]+-([5-9]|\d\d)(?!\d))", "claude-large"),
    (r"claude", "claude"),
)


@dataclass(frozen=True)
class Boxless:
    """A family of models that write no boxes, or none in a documented convention.

    Args:
        family: its name, as people know it.
        source: what says so.
    """

    family: str
    source: str


_BOXLESS_PATTERNS = (  # the first that matches; a model of `_FAMILY_PATTERNS` is none
    (r"gemma", "Gemma 3", "the answer of Google's team in discussion 38 of gemma-3-4b-it on the Hugging Face hub"),
    (r"llama-?(3[.-]2|4|guard|vision)|mllama", "Llama vision", "no convention in the model cards of 3.2 and 4"),
    (r"pixtral|m(in|ag)?istral|devstral", "Pixtral and Mistral", "no convention before Mistral Large 4"),
    (r"smol-?vlm|idefics", "SmolVLM and Idefics", "the model cards name answers and captions, no boxes"),
    (r"molmo", "Molmo", "it writes points, not boxes: Molmo's and MolmoPoint's papers (arXiv 2409.17146, 2603.28069)"),
    (r"phi-?[34]", "Phi", "no convention in the model cards of Phi-3.5-vision and Phi-4-multimodal"),
    (r"(^|/)(gpt-|chatgpt|o[134]($|-))", "GPT", "OpenAI's guide on vision lists precise places among its limits"),
    (r"kimi-?k", "Kimi K", "no convention: issue 15 of Kimi-K2.5's repository, without an answer"),
    (r"kosmos", "Kosmos-2", "its 32 x 32 cells restore no box to better than a 64th of a side"),
)


def find_boxless(model: Any) -> Boxless | None:
    """Find the family of a model that writes no boxes.

    Args:
        model: a name, a config, or a dict with `model_type`.

    Returns:
        None for a model that writes boxes, or of which nothing is known.
    """
    if find_family(model) is not None:
        return None
    plain = _plain_name(model)
    return next(
        (Boxless(name, source) for pattern, name, source in _BOXLESS_PATTERNS if re.search(pattern, plain)), None
    )


def find_family(model: Any) -> str | None:
    """Find the family of a model.

    Args:
        model: a name ("Qwen/Qwen2.5-VL-7B-Instruct"), a config, or a dict with `model_type`.

    Returns:
        A key of `ADAPTERS`; None for a model that writes no boxes (`find_boxless`), or of which nothing is known.
    """
    plain = _plain_name(model)
    if plain in ADAPTERS:
        return plain
    return next((family for pattern, family in _FAMILY_PATTERNS if re.search(pattern, plain)), None)


def _plain_name(model: Any) -> str:
    """The name or type of a model in lower case, its words joined by hyphens."""
    kind = model.get("model_type") if isinstance(model, Mapping) else getattr(model, "model_type", None)
    name = model if isinstance(model, str) else kind
    return re.sub(r"[_\s]+", "-", str(name).lower())
