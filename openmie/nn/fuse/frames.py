"""Frames: a vector for each frame that has read nothing but itself, where a system fuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from openmie.nn.decode.channels import positions
from openmie.nn.ops import frame_means
from openmie.nn.streams import Stream, Streams

CODE = 64  # width of the sine code of a frame's index


@dataclass(frozen=True, kw_only=True)
class Frames:
    """frames = the mean over a frame's patches + H^p, as in eq. 12 of M3D; words stay as they are."""

    side: str = "vision"  # role of the patches

    def needs(self) -> frozenset[str]:
        return frozenset({self.side})

    def makes(self) -> frozenset[str]:
        return frozenset({"frames"})

    def build(self, widths: dict[str, int]) -> FramesFusion:
        return FramesFusion(self.side, widths[self.side])


class FramesFusion(nn.Module):
    """Streams -> Streams plus `frames` (B, F, D')."""

    def __init__(self, side: str, width: int) -> None:
        super().__init__()
        self.side, self.widths = side, {"frames": width}
        self.place = FramePlace(width)

    def forward(self, streams: Streams) -> Streams:
        return {**streams, "frames": self.place(frame_stream(streams[self.side]))}


class FramePlace(nn.Module):
    """H^p: a linear map of the sine code of a frame's index, zero at the start; for any number of frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(CODE, width, bias=False)
        nn.init.zeros_(self.map.weight)

    def forward(self, frames: Stream) -> Stream:
        x: Tensor = frames.tokens
        return frames.with_tokens(x + self.map(positions(x.shape[1], CODE, x.device).to(x.dtype)))


def frame_stream(side: Stream) -> Stream:
    """Patches (B, N, D), their groups the frames -> the mean of each frame (B, F, D)."""
    x, count = frame_means(side.tokens, side.groups, side.mask)
    return Stream(x, count > 0, None, side.present)
