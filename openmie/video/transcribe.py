"""Subtitles by a Whisper model, for videos that have none (M3D made its own by a tool, and corrected them by hand)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from openmie.errors import CorpusError, ModelError
from openmie.video.frames import _av
from openmie.video.subtitles import Cue, Subtitles, ordered

RATE = 16_000  # samples a second, as Whisper hears


def sound(path: str | os.PathLike[str]) -> np.ndarray:
    """The sound track as float32 in -1 .. 1, one channel, 16,000 a second. Errors: no file, no sound."""
    av = _av()
    where = f"video {os.fspath(path)}"
    if not Path(path).is_file():
        raise CorpusError("no such file", expected="a video file", where=where, remedy="check the path")
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.audio:
                raise CorpusError("no sound", expected="a video with speech", where=where,
                                  remedy="give a subtitle file instead")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
            frames += resampler.resample(None)
    except av.FFmpegError as error:
        raise CorpusError(f"a sound track that cannot be decoded ({type(error).__name__})", expected="a whole video",
                          where=where, remedy="fetch or export it again, or give a subtitle file") from None
    parts = [f.to_ndarray().reshape(-1) for f in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def transcribe(
    path: str | os.PathLike[str],
    model: str = "openai/whisper-small",
    *,
    revision: str = "",
    language: str = "",
    device: str = "cpu",
) -> Subtitles:
    """The speech of a video as cues. `model`: a hub id or folder of a Whisper model; `language`: "en", "zh"; "": heard.

    Longer sound than the model's window is heard window by window, each beginning where the last timed sentence ended.
    Read the result before you annotate: a model mishears names. Errors: no such model, no sound, nothing was said.
    """
    processor, whisper = _load(model, revision, device)
    heard = sound(path)
    found = processor(heard, sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest",
                      return_attention_mask=True)
    if found["input_features"].shape[-1] < 3000:  # shorter than one window: filled up to it
        found = processor(heard, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
    given: dict[str, Any] = {"language": language} if language else {}
    made = whisper.generate(**found.to(device), return_timestamps=True, return_segments=True, **given)
    said = [
        Cue(round(float(s["start"]), 3), round(float(max(s["end"], s["start"])), 3),
            " ".join(processor.decode(s["tokens"], skip_special_tokens=True).split()))
        for s in made["segments"][0]
    ]
    cues, errors = ordered(said, f"{path}, as heard by {model}")
    if not cues:
        raise CorpusError("no speech", expected="a video in which something is said", where=f"video {path}",
                          remedy="give a subtitle file")
    return Subtitles(cues, errors)


def _load(model: str, revision: str, device: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    pinned = {"revision": revision} if revision else {}
    try:
        processor = AutoProcessor.from_pretrained(model, **pinned)
        whisper = AutoModelForSpeechSeq2Seq.from_pretrained(model, **pinned)
    except (OSError, ValueError) as error:
        raise ModelError(f"no speech model {model!r} ({str(error)[:120]})", expected="a Whisper model",
                         where="video build --transcribe",
                         remedy="name a hub id such as openai/whisper-small, or a folder") from None
    return processor, whisper.eval().to(device)
