"""Vision encoder `lite0` on the real photographs that MNRE's and GMNER's folders hold: a smoke test, no scores."""

from collections import Counter

import pytest
import torch

from openmie.data.images import load_image
from openmie.errors import MissingPackageError
from openmie.model.backbones import load_vision
from openmie.nn.encode.dual import Vision


@pytest.mark.real
def test_features_are_finite_differ_between_images_and_agree_for_one(corpora):
    paths = [p for name in ("mnre", "gmner") for p in sorted((corpora / name / "images").rglob("*.jpg"))]
    assert len(paths) == 45 and max(Counter(path.read_bytes() for path in paths).values()) == 1
    try:
        tower = load_vision(Vision(name="lite0"))
    except MissingPackageError as error:
        pytest.skip(str(error))
    pictures = [load_image(path) for path in paths]
    with torch.inference_mode():  # the last is the first one again, in another batch
        pixels = tower.process([*pictures, pictures[0]])
        features = torch.cat([tower.model.eval()(part).mean(1) for part in pixels.split(16)])
    scale = features.norm(dim=1).mean()
    apart = torch.cdist(features[:-1], features[:-1]) / scale
    assert features.isfinite().all() and (features[0] - features[-1]).norm() / scale < 1e-4
    assert apart[~torch.eye(len(apart), dtype=torch.bool)].min() > 1e-3
