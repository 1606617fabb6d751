"""Subtitles by a Whisper model, for videos that have none (M3D made its own by a tool, and corrected them by hand)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from openmie.errors import CorpusError, ModelError
from openmie.model import safe_loading
from openmie.model.hub_names import check_model_name
from openmie.video.frames import VideoLimits, _av, _container, _start
from openmie.video.subtitles import Cue, Subtitles, order_cues

RATE = 16_000  # samples a second, as Whisper expects
GAP = 0.1  # seconds of missing sound that are filled with silence; smaller gaps come from rounding in codecs


def load_audio(path: str | os.PathLike[str], limits: VideoLimits | None = None) -> np.ndarray:
    """The sound track as float32 in -1 .. 1, one channel, 16,000 a second from second 0 of the container.

    An hour takes 230 MB, and twice that for a moment. Errors: no file, no sound, more of it than the limits allow.
    """
    most = int((limits or VideoLimits()).seconds * RATE)
    where = f"video {os.fspath(path)}"
    av, parts, length = _av(), [np.zeros(0, np.float32)], 0
    with _container(path) as container:
        if not container.streams.audio:
            raise CorpusError(
                "no sound", expected="a video with speech", where=where, remedy="give a subtitle file instead"
            )
        for part in _decode_audio(container, av.AudioResampler(format="flt", layout="mono", rate=RATE), most):
            parts.append(part)
            length += len(part)
            if length > most:
                raise CorpusError(
                    f"more than {most // RATE} seconds of sound",
                    expected="a shorter video",
                    where=where,
                    remedy="cut the video, or raise the limit",
                )
    return np.concatenate(parts)


def _decode_audio(container: Any, resampler: Any, most: int) -> Iterator[np.ndarray]:
    """The samples from second 0, where those of pictures count from too; silence where the track has none."""
    start, at = _start(container), 0
    for frame in itertools.chain(container.decode(audio=0), [None]):
        missing = 0
        if frame is not None and frame.pts is not None:
            missing = round((frame.pts * frame.time_base - start) * RATE) - at
        if missing > GAP * RATE:
            yield np.zeros(min(missing, most + 1), np.float32)
            at += missing
        for part in resampler.resample(frame):
            samples = part.to_ndarray().reshape(-1)
            at += len(samples)
            yield samples


def transcribe(
    path: str | os.PathLike[str],
    model: str = "openai/whisper-small",
    *,
    revision: str = "",
    language: str = "",
    device: str = "cpu",
) -> Subtitles:
    """Transcribe the speech of a video.

    Audio longer than the model's input is processed in windows, each starting where the last timed sentence ended.
    Check the result before annotation: models misrecognise names.

    Args:
        path: the video.
        model: hub id or folder of a Whisper model.
        revision: commit, branch or tag of a hub id; "": its main branch, which its owner can change.
        language: "en" or "zh"; "": recognised by the model.
        device: a torch device.

    Returns:
        The cues; `asr_model` names the model.

    Raises:
        ModelError: no such model.
        CorpusError: no audio track, or no speech.
    """
    processor, whisper = _load(model, revision, device)
    audio = load_audio(path)
    if not len(audio):
        raise CorpusError(
            "a sound track without sound",
            expected="a video with speech",
            where=f"video {path}",
            remedy="give a subtitle file",
        )
    found = processor(
        audio, sampling_rate=RATE, return_tensors="pt", truncation=False, padding="longest", return_attention_mask=True
    )
    if found["input_features"].shape[-1] < 3000:  # shorter than one window: filled up to it
        found = processor(audio, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
    several = getattr(whisper.generation_config, "is_multilingual", True)  # English alone cannot be asked for
    given: dict[str, Any] = {"language": language} if language and several else {}
    generated = whisper.generate(**found.to(device), return_timestamps=True, return_segments=True, **given)
    cues, errors = order_cues(_cues(generated["segments"][0], processor), f"{path}, as heard by {model}")
    if not cues:
        raise CorpusError(
            "no speech",
            expected="a video in which something is said",
            where=f"video {path}",
            remedy="give a subtitle file",
        )
    return Subtitles(cues, errors, asr_model=f"{model}@{revision}" if revision else model)


def _cues(segments: Iterable[Mapping[str, Any]], processor: Any) -> list[Cue]:
    """The timed sentences of a Whisper model."""
    return [
        Cue(
            round(float(s["start"]), 3),
            round(float(max(s["end"], s["start"])), 3),
            " ".join(processor.decode(s["tokens"], skip_special_tokens=True).split()),
        )
        for s in segments
    ]


def _load(model: str, revision: str, device: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    check_model_name(model, expected="a Whisper model: a hub id, such as openai/whisper-small, or a folder")
    pinned = {"revision": revision} if revision else {}
    try:
        with safe_loading.loading(model, ModelError):
            processor = AutoProcessor.from_pretrained(model, trust_remote_code=False, **pinned)
            whisper = AutoModelForSpeechSeq2Seq.from_pretrained(
                model, use_safetensors=True, trust_remote_code=False, **pinned
            )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"no speech model {model!r} ({str(error)[:120]})",
            expected="a Whisper model",
            where="video build --transcribe",
            remedy="name a hub id such as openai/whisper-small, or a folder",
        ) from None
    return processor, whisper.eval().to(device)
