"""How much each loss of a system moves a part of it: the norms of their gradients, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from openmie.model.extractor import Extractor
from openmie.model.features.encoded_document import Batch


def gradient_shares(extractor: Extractor, batch: Batch, part: str = "encode.text") -> dict[str, float]:
    """The gradient that each weighted loss sends into a part, as a share of the gradient of the heads' losses.

    Args:
        extractor: of one process; its gradients and its weights stay as they are.
        batch: with targets.
        part: prefix of the parameters' names, such as `encode.text`, whose gradients are measured.

    Returns:
        For each loss that is not a head's, by its name: |weight * d loss| / |sum of the heads' weight * d loss|, norms
        over all parameters of the part; 0 where it sends none, and NaN where the heads send none.
    """
    chosen = [p for n, p in extractor.named_parameters() if p.requires_grad and n.startswith(part)]
    output = extractor(batch)
    heads = {head.name for head in extractor.heads}
    main = sum(output.weights[k] * v for k, v in output.losses.items() if k in heads)
    base = _norm(main, chosen)
    others: Mapping[str, Any] = {k: output.weights[k] * v for k, v in output.losses.items() if k not in heads}
    return {k: _norm(v, chosen) / base if base else float("nan") for k, v in others.items()}


def _norm(loss: Any, parameters: list[torch.nn.Parameter]) -> float:
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return 0.0
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return float(torch.stack([g.double().norm() for g in found if g is not None] or [torch.zeros(())]).norm())
