"""Frames: a vector for each frame that has read nothing but itself, where a system fuses nothing."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from openmie.nn.layers import FramePositions
from openmie.nn.limits import CountOrZero
from openmie.nn.streams import Streams, pool_frames


@dataclass(frozen=True, kw_only=True)
class Frames:
    """frames = the mean over a frame's patches + H^p, as in eq. 12 of M3D; words stay as they are.

    Reads `modality` (B, N, D'), writes `frames` (B, F, D'). The row `w/o DFFM` of M3D's ablations.

    Args:
        modality: name of the stream whose tokens are the patches, whose groups are frames.
        frame_table: rows of H^p, a learned table, as released; 0: a linear map of the sine code of the frame's index.
    """

    modality: str = "vision"
    frame_table: CountOrZero = 0

    def needs(self) -> frozenset[str]:
        return frozenset({self.modality})

    def makes(self) -> frozenset[str]:
        return frozenset({"frames"})

    def build(self, widths: dict[str, int]) -> FramesFusion:
        return FramesFusion(self.modality, widths[self.modality], self.frame_table)


class FramesFusion(nn.Module):
    """Streams -> Streams plus `frames` (B, F, D')."""

    def __init__(self, modality: str, width: int, rows: int = 0) -> None:
        super().__init__()
        self.modality, self.widths = modality, {"frames": width}
        self.positions = FramePositions(width, rows)

    def forward(self, streams: Streams) -> Streams:
        frames = pool_frames(streams[self.modality])
        return {**streams, "frames": frames.with_tokens(self.positions(frames.tokens))}
