"""Every encoder says what it reads of a document, as one value."""

from typing import get_args

import pytest

from openmie.nn.encode.dual import Dual, Vision
from openmie.nn.encode.hierarchical import Hierarchical
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.encode.mutual import Mutual
from openmie.nn.encode.prefix import Prefix
from openmie.recipe.parts import Encode


@pytest.mark.parametrize("cls", get_args(Encode), ids=lambda c: c.__name__)
def test_every_encoder_declares_its_inputs(cls):
    sees = "vision" in cls.__dataclass_fields__
    inputs = cls(**({"vision": Vision()} if sees else {})).inputs
    assert isinstance(inputs, EncoderInputs) and inputs.reads_images == sees


def test_what_each_encoder_reads():
    assert Dual().inputs == EncoderInputs(context_tokens=96)
    assert Dual(phrases=True, generated=True).inputs.phrases and Dual(generated=True).inputs.generated
    assert Mutual().inputs.image_size == 128 and not Mutual().inputs.main_image_with_objects
    assert Prefix().inputs.separate_context_pass and Prefix().inputs.main_image_with_objects
    assert Hierarchical().inputs == EncoderInputs(max_frames=120)
