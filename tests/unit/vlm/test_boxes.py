"""Boxes of each family: half a step over random sizes, all EXIF orientations on files, smart_resize, odd input."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.data import images
from openmie.errors import OpenMIEError
from openmie.vlm.boxes.adapters import FittedPixels, ResizedPixels
from openmie.vlm.boxes.coordinates import family_for
from openmie.vlm.boxes.families import ADAPTERS, find_boxless, find_family

FAMILIES = sorted(ADAPTERS)
TOP = {
    "qwen2-vl": 1000,
    "qwen3-vl": 1000,
    "internvl": 1000,
    "glm-v": 1000,
    "minicpm-v": 1000,
    "deepseek-vl2": 999,
    "paligemma": 1023,
    "gemini": 1000,
    "florence-2": 999,
    "llava": 1,
    "normalised": 1,
    "mistral": 999,
    "gemma": 1000,
}
STEPS = {"deepseek-vl2": 999, "mistral": 999, "paligemma": 1024, "llava": 10_000, "normalised": math.inf}  # to a side


def drawn(rng):
    """A size of up to 200 to 1, and a box inside."""
    width, height = (round(math.exp(rng.uniform(math.log(2), math.log(6000)))) for _ in range(2))
    width, height = min(width, 200 * height), min(height, 200 * width)
    xs, ys = (sorted(rng.uniform(0, side) for _ in range(2)) for side in (width, height))
    if rng.random() < 0.2:
        xs, ys = [0.0, float(width)], [0.0, float(height)]
    return (width, height), (xs[0], ys[0], xs[1], ys[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_half_a_step_over_a_thousand_random_sizes(family):
    rng = random.Random(family)
    adapter = ADAPTERS[family]
    for _ in range(1000):
        size, box = drawn(rng)
        values = adapter.encode(box, size)
        back = adapter.decode(values, size)
        steps = adapter.step(size) * 2
        assert all(abs(a - b) <= s / 2 + 1e-6 for a, b, s in zip(box, back, steps)), (size, box, values, back)
        if family in TOP:
            assert all(0 <= v <= TOP[family] for v in values)
            sides = (max(size),) * 2 if family == "llava" else size
            assert adapter.step(size) == pytest.approx([side / STEPS.get(family, 1000) for side in sides])
        assert adapter.encode(back, size) == pytest.approx(values)  # what was read is written again


def test_steps_are_no_larger_than_a_pixel_where_images_are_not_shrunk():
    for family in ("qwen2.5-vl", "pixels"):
        assert all(s <= 1.02 for s in ADAPTERS[family].step((1920, 1080)))
    assert ADAPTERS["qwen2.5-vl"].step((8000, 8000))[0] == pytest.approx(8000 / 3584)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_by_a_picture_on_disk(tmp_path, orientation):
    """The red rectangle of a file is where each family's box says, on the picture as it is looked at."""
    canvas = Picture.new("RGB", (120, 64), "white")
    canvas.paste((255, 0, 0), (16, 8, 56, 24))
    exif = Picture.Exif()
    exif[0x0112] = orientation
    canvas.save(tmp_path / "a.png", exif=exif)
    size = images.image_size(tmp_path / "a.png")
    upright = images.load_image(tmp_path / "a.png")
    assert upright.size == size == ((120, 64) if orientation < 5 else (64, 120))
    rows, columns = np.nonzero(np.asarray(upright)[..., 1] < 128)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    for family in FAMILIES:
        back = ADAPTERS[family].decode(ADAPTERS[family].encode(box, size), size)
        assert all(abs(a - b) <= 1 for a, b in zip(box, back)), family


KNOWN = {  # by hand: an image of 400 x 200, box (100, 20, 300, 180)
    "qwen2-vl": (250, 100, 750, 900), "qwen3-vl": (250, 100, 750, 900), "internvl": (250, 100, 750, 900),
    "glm-v": (250, 100, 750, 900), "minicpm-v": (250, 100, 750, 900), "deepseek-vl2": (250, 100, 749, 899),
    "qwen2.5-vl": (98, 20, 294, 176),  # seen as 392 x 196
    "paligemma": (102, 256, 921, 768), "gemini": (100, 250, 900, 750), "florence-2": (250, 100, 750, 900),
    "llava": (0.25, 0.3, 0.75, 0.7), "normalised": (0.25, 0.1, 0.75, 0.9), "pixels": (100, 20, 300, 180),
    "mistral": (250, 100, 749, 899), "gemma": (100, 250, 900, 750), "claude": (100, 20, 300, 180),
    "claude-large": (100, 20, 300, 180),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_values_by_hand(family):
    assert ADAPTERS[family].encode((100, 20, 300, 180), (400, 200)) == pytest.approx(KNOWN[family], abs=1e-9)
    assert ADAPTERS[family].source


def test_smart_resize_is_that_of_the_image_processor():
    processor = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    rng = random.Random(3)
    for adapter in (
        ADAPTERS["qwen2.5-vl"],
        ResizedPixels(max_pixels=28 * 28 * 256),
        ResizedPixels(factor=32, min_pixels=65536),
    ):
        for _ in range(300):
            (width, height), _ = drawn(rng)
            want = processor.smart_resize(height, width, adapter.factor, adapter.min_pixels, adapter.max_pixels)
            assert adapter.resized((width, height)) == want[::-1]
    with pytest.raises(OpenMIEError, match="200 to 1"):
        ADAPTERS["qwen2.5-vl"].encode((0, 0, 1, 1), (10000, 10))


@pytest.mark.parametrize("family", FAMILIES)
def test_odd_values_are_no_box_or_are_put_right(family):
    adapter, size = ADAPTERS[family], (400, 200)
    nan, inf = float("nan"), float("inf")
    for values in (
        (),
        (1, 2, 3),
        (1, 2, 3, 4, 5),
        (1, 2, 3, nan),
        (1, inf, 3, 4),
        ("1", "2", "3", "4"),
        None,
        7,
        (1, 2, None, 4),
        (True, 2, 3, 4),
        (10**400, 1, 1, 1),
        [[1, 2], [3, 4]],
        "abcd",
    ):
        assert adapter.decode(values, size) is None
    x1, y1, x2, y2 = adapter.encode((100, 20, 300, 180), size)
    straight = adapter.decode((x1, y1, x2, y2), size)
    assert adapter.decode((x2, y2, x1, y1), size) == straight == adapter.decode((x1, y2, x2, y1), size)
    assert adapter.decode((-5, -5, 10**9, 10**9), size) == (0, 0, 400, 200)
    assert adapter.encode((-50, -50, 1e9, 1e9), size) == adapter.encode((0, 0, 400, 200), size)
    for box in ((1, 2, 3), (1, 2, 3, nan), None):
        with pytest.raises(OpenMIEError, match="four finite numbers"):
            adapter.encode(box, size)
    for bad in ((0, 5), (-1, 5), (nan, 2), (1,), None, "ab"):
        with pytest.raises(OpenMIEError, match="size"):
            adapter.decode((0, 0, 1, 1), bad)
        with pytest.raises(OpenMIEError, match="size"):
            adapter.encode((0, 0, 1, 1), bad)


def test_other_areas_are_a_changed_field():
    small = replace(ADAPTERS["qwen2.5-vl"], max_pixels=28 * 28 * 64)
    assert small.resized((1000, 1000)) == (224, 224)
    assert small.encode((0, 0, 1000, 500), (1000, 1000)) == (0, 0, 224, 112)


NAMES = {
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl", "qwen2_5_vl": "qwen2.5-vl", "Qwen/Qwen2-VL-2B-Instruct": "qwen2-vl",
    "Qwen/Qwen-VL-Chat": "qwen2-vl", "qwen2_vl": "qwen2-vl", "Qwen/Qwen3-VL-235B-A22B-Instruct": "qwen3-vl",
    "qwen3_vl_moe": "qwen3-vl", "Qwen2.5-Omni-7B": "qwen2.5-vl", "OpenGVLab/InternVL3-8B": "internvl",
    "zai-org/GLM-4.5V": "glm-v", "glm4v": "glm-v", "openbmb/MiniCPM-V-4_5": "minicpm-v",
    "deepseek-ai/deepseek-vl2-tiny": "deepseek-vl2", "google/paligemma2-3b-mix-224": "paligemma",
    "gemini-2.5-flash": "gemini", "microsoft/Florence-2-base": "florence-2", "florence2": "florence-2",
    "llava-hf/llava-v1.6-mistral-7b-hf": "llava", "llava_next": "llava",
    "moonshotai/Kimi-VL-A3B-Instruct": "normalised", "pixels": "pixels", "qwen3-vl": "qwen3-vl",
    "mistral-large-4": "mistral", "mistralai/Mistral-Large-4-Instruct": "mistral", "google/gemma-4-E4B-it": "gemma",
    "gemma4": "gemma", "claude-sonnet-4-5-20250929": "claude", "anthropic/claude-3-7-sonnet": "claude",
    "claude-3-5-haiku-20241022": "claude", "claude-opus-4-20250514": "claude", "claude-opus-4-7": "claude-large",
    "claude-opus-5": "claude-large", "claude-sonnet-5-20260801": "claude-large",
}  # fmt: skip


BOXLESS = (
    "google/gemma-3-27b-it", "gemma3", "google/gemma-3n-E4B-it", "meta-llama/Llama-3.2-11B-Vision-Instruct", "mllama",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct", "mistralai/Pixtral-12B-2409", "pixtral-large-latest",
    "mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral3", "mistral-medium-2508", "mistral-large-2411",
    "HuggingFaceTB/SmolVLM-500M-Instruct", "smolvlm", "idefics3", "HuggingFaceM4/Idefics3-8B-Llama3",
    "allenai/Molmo-7B-D-0924", "molmo2", "microsoft/Phi-4-multimodal-instruct", "phi4_multimodal", "gpt-4o",
    "gpt-5-mini", "openai/gpt-4.1", "o3", "o4-mini", "chatgpt-4o-latest", "moonshotai/Kimi-K2.5", "kimi-k2.5",
    "kosmos-2",
)  # fmt: skip


@pytest.mark.parametrize("name", BOXLESS)
def test_families_that_write_no_boxes_say_why(name):
    assert find_family(name) is None
    found = find_boxless(name)
    assert found is not None and found.family and len(found.source) > 20
    with pytest.raises(OpenMIEError, match="gives no boxes") as error:
        family_for("", name)
    assert found.source in str(error.value) and family_for("pixels", name) == "pixels"


def test_every_family_has_its_source_and_no_other_is_boxless():
    assert all(adapter.source for adapter in ADAPTERS.values())
    for name in (*NAMES, "somebody/a-new-model", "", None, {}, 5, "proto3", "qwen-o3"):
        assert find_boxless(name) is None, name


def test_images_that_fit_are_as_they_are_and_others_as_large_as_fits():
    claude = ADAPTERS["claude"]
    assert isinstance(claude, FittedPixels)
    for size in ((1092, 1092), (1568, 700), (28, 28), (3, 1500)):
        assert claude.scale(size) == 1.0, size
    for size in ((4000, 3000), (3000, 4000), (1569, 10), (20000, 20), (1200, 1200), (1568, 1568)):
        scale, longer = claude.scale(size), max(size)

        def fits(pixels, size=size, longer=longer):  # the slow way: side by side
            sides = [math.ceil(max(side * pixels / longer, 1) / 28) for side in size]
            return pixels <= 1568 and sides[0] * sides[1] <= 1568

        best = next(pixels for pixels in range(longer, 0, -1) if fits(pixels))
        assert scale == best / longer < 1, size
        x1, y1, x2, y2 = claude.decode(claude.encode((0, 0, *size), size), size)
        assert x1 == y1 == 0 and abs(x2 - size[0]) <= 0.5 / scale and abs(y2 - size[1]) <= 0.5 / scale
    assert ADAPTERS["claude-large"].scale((2576, 1000)) == 1.0


def test_family_by_name_or_config():
    for name, family in NAMES.items():
        assert find_family(name) == family, name

    class Config:
        model_type = "qwen2_5_vl"

    assert find_family(Config()) == find_family({"model_type": "qwen2_5_vl"}) == "qwen2.5-vl"
    for unknown in ("gpt-4o", "microsoft/kosmos-2-patch14-224", "", None, {}, 5):
        assert find_family(unknown) is None
