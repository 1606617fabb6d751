"""Video towers of the transformers library, VideoMAE and ViViT, behind the call of an image tower."""

from __future__ import annotations

import torch
from torch import Tensor, nn

KINDS = ("videomae", "vivit")  # model types


class VideoTower(nn.Module):
    """Reads `clip` frames as one (Tong et al., 2022; Arnab et al., 2021): tokens of a frame (P, D) are those of the
    block of frames that it is in, a block being as long as the tower's tubes of pixels.

    A clip that is short ends in copies of its last frame. ViViT's class token, which belongs to no frame, is left out.
    """

    is_map = False

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        config = model.config
        self.whole = False
        self.first = int(config.model_type == "vivit")  # type: ignore[union-attr]
        self.clip: int = config.num_frames  # type: ignore[union-attr,assignment]
        tube = config.tubelet_size  # type: ignore[union-attr]
        self.tube: int = tube if isinstance(tube, int) else tube[0]  # type: ignore[index,assignment]
        self.width: int = config.hidden_size  # type: ignore[union-attr,assignment]

    def forward(self, pixels: Tensor) -> Tensor:
        """(K, 3, H, W) -> (K, P, D), each picture by itself: a clip in which nothing moves."""
        return torch.cat([self.hierarchy(picture[None])[0] for picture in pixels])

    def hierarchy(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Frames (F, 3, H, W) of one video -> the last states, then those before and after each layer (F, P, D)."""
        clips = [self._clip(frames) for frames in pixels.split(self.clip)]
        last = torch.cat([c[0] for c in clips])
        return last, [torch.cat(states) for states in zip(*(c[1] for c in clips))]

    def _clip(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        f = len(frames)
        whole = torch.cat([frames, frames[-1:].expand(self.clip - f, -1, -1, -1)])
        found = self.model(pixel_values=whole[None], output_hidden_states=True)

        def framed(states: Tensor) -> Tensor:  # (1, T P, D), T blocks, time first -> (f, P, D)
            blocks = states[0, self.first :].unflatten(0, (self.clip // self.tube, -1))
            return blocks.repeat_interleave(self.tube, 0)[:f]

        return framed(found.last_hidden_state), [framed(x) for x in found.hidden_states]
