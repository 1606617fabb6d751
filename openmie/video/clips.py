"""A transcript cut into clips of one to two minutes, at subtitle boundaries only (M3D, section III, step 2)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from openmie.errors import CorpusError
from openmie.video.subtitles import Cue

MAX_PAUSE = 2.0  # seconds of silence beyond which a longer one is no better place to cut


@dataclass(frozen=True)
class Clip:
    """Cues that follow each other; the clip runs from the start of the first one to the end of the last one."""

    cues: tuple[Cue, ...]

    @property
    def start(self) -> float:
        return self.cues[0].start

    @property
    def end(self) -> float:
        return self.cues[-1].end


def cut_clips(cues: Sequence[Cue], shortest: float = 60.0, longest: float = 120.0) -> tuple[Clip, ...]:
    """Cut a transcript into clips at subtitle boundaries, by dynamic programming (M3D, section III, step 2).

    Args:
        cues: in order of time.
        shortest: seconds of a clip, at least.
        longest: seconds of a clip, at most.

    Returns:
        Clips that together contain all cues, with the minimal sum over clips of

            100 o + ((length - middle) / middle)^2 - min(pause before, 2) / 2,

        where o is the number of seconds by which a clip is too short or too long. A clip leaves the range only if no
        boundary keeps it inside.

    Raises:
        CorpusError: not 0 < shortest <= longest.
    """
    if not 0 < shortest <= longest:
        raise CorpusError(
            f"clips of {shortest} to {longest} seconds",
            expected="0 < shortest <= longest",
            where="openmie.video.cut",
            remedy="60 to 120 is the default",
        )
    middle, n = (shortest + longest) / 2, len(cues)
    best = [0.0] + [float("inf")] * n  # cost of the first i cues
    start = [0] * (n + 1)  # where their last clip begins
    for end in range(1, n + 1):
        for begin in range(end - 1, -1, -1):
            length = cues[end - 1].end - cues[begin].start
            outside = max(0.0, shortest - length, length - longest)
            pause = cues[begin].start - cues[begin - 1].end if begin else 0.0
            cost = best[begin] + 100 * outside + ((length - middle) / middle) ** 2 - min(pause, MAX_PAUSE) / 2
            if cost < best[end]:
                best[end], start[end] = cost, begin
            if length > longest + 2 * shortest + 1:  # a longer clip costs more than two that are too short
                break
    bounds = [n]
    while bounds[-1]:
        bounds.append(start[bounds[-1]])
    bounds.reverse()
    return tuple(Clip(tuple(cues[a:b])) for a, b in itertools.pairwise(bounds))
