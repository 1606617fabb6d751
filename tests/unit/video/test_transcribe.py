"""Subtitles by Whisper: loading and long sound with a small model from a config, cues with a known answer."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.corpora import read
from openmie.errors import CorpusError, ModelError
from openmie.video import transcribe as whisper
from openmie.video.subtitles import write_subtitles
from tests.unit.video.test_video import film

pytest.importorskip("av")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A Whisper of some thousand parameters, saved as its makers save theirs."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )  # fmt: skip
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    folder = tmp_path_factory.mktemp("whisper")
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|zh|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *(f"<|{t / 50:.2f}|>" for t in range(1501)),
    ]
    vocab = {c: n for n, c in enumerate([*bytes_to_unicode().values(), *special])}
    tokenizer = WhisperTokenizer(vocab=vocab, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:9]})
    WhisperProcessor(WhisperFeatureExtractor(feature_size=8), tokenizer).save_pretrained(folder)
    ids = {s: vocab[s] for s in special}
    sizes = {
        f"{side}_{what}": n
        for side in ("encoder", "decoder")
        for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))
    }
    config = WhisperConfig(
        vocab_size=len(vocab),
        num_mel_bins=8,
        d_model=16,
        max_target_positions=24,
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **sizes,
    )
    torch.manual_seed(0)
    made = WhisperForConditionalGeneration(config)
    made.generation_config = GenerationConfig(
        decoder_start_token_id=ids["<|startoftranscript|>"],
        eos_token_id=ids["<|endoftext|>"],
        max_length=20,
        pad_token_id=ids["<|endoftext|>"],
        no_timestamps_token_id=ids["<|notimestamps|>"],
        is_multilingual=True,
        lang_to_id={"<|en|>": ids["<|en|>"], "<|zh|>": ids["<|zh|>"]},
        max_initial_timestamp_index=50,
        task_to_id={"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        return_timestamps=True,
        prev_sot_token_id=ids["<|startofprev|>"],
    )
    made.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("seconds", [5, 70])
def test_sound_of_any_length_becomes_cues_in_order(model, tmp_path, seconds):
    film(tmp_path / "a.mp4", seconds, sound=True)
    heard = whisper.load_audio(tmp_path / "a.mp4")
    assert heard.dtype == np.float32 and abs(len(heard) / whisper.RATE - seconds) < 0.2
    assert 0.15 < float(np.abs(heard).max()) < 0.5
    found = whisper.transcribe(tmp_path / "a.mp4", str(model), language="en")
    assert found.cues == whisper.transcribe(tmp_path / "a.mp4", str(model), language="en").cues
    assert all(c.text and c.start <= c.end for c in found.cues)
    assert all(a.end <= b.start for a, b in zip(found.cues, found.cues[1:]))


@pytest.mark.parametrize("several", [True, False])  # a model of English alone must not be asked for English
def test_segments_become_cues(monkeypatch, tmp_path, several):
    """Known answer: what the model says of each segment, with its seconds; empty ones are none."""
    film(tmp_path / "a.mp4", 3, sound=True)

    class Features(dict):
        def to(self, device):
            return self

    class Processor:
        def __call__(self, sound, **options):
            return Features(input_features=torch.zeros(1, 8, 3000))

        def decode(self, tokens, skip_special_tokens):
            return {1: " Orla  was\nborn here.", 2: " ", 3: "She left."}[int(tokens[0])]

    class Model:
        generation_config = SimpleNamespace(is_multilingual=several)

        def generate(self, **given):
            assert given["return_segments"] and given.get("language") == ("en" if several else None)
            spans = [(0.0, 1.52, 1), (1.52, 1.6, 2), (1.4, 3.0, 3)]
            return {
                "segments": [
                    [
                        {"start": torch.tensor(a), "end": torch.tensor(b), "tokens": torch.tensor([n])}
                        for a, b, n in spans
                    ]
                ]
            }

    monkeypatch.setattr(whisper, "_load", lambda *_: (Processor(), Model()))
    found = whisper.transcribe(tmp_path / "a.mp4", "any", language="en")
    assert [(c.start, c.end, c.text) for c in found.cues] == [
        (0.0, 1.4, "Orla was born here."),
        (1.4, 3.0, "She left."),
    ]
    assert "1 cues that overlap" in str(found.errors)
    write_subtitles(found.cues, tmp_path / "a.srt")
    from openmie import video

    assert video.read_subtitles(tmp_path / "a.srt").cues == found.cues


def test_on_the_command_line(model, tmp_path):
    film(tmp_path / "a.mp4", 70, sound=True)
    film(tmp_path / "mute.mp4", 2)
    out = tmp_path / "videos"
    videos = [str(tmp_path / "a.mp4"), str(tmp_path / "mute.mp4")]
    options = ["--out", str(out), "--transcribe", str(model), "--language", "en"]
    result = CliRunner().invoke(cli.app, ["video", "build", *videos, *options])
    assert result.exit_code == cli.PARTIAL and "no sound" in result.output, result.output
    if (out / "a").exists():
        told = json.loads((out / "a" / "build.json").read_text())
        assert len(list(read(out / "a" / "clips.jsonl"))) == told["clips"] > 0
    else:
        assert "no speech" in result.output


def test_no_such_model_and_no_such_file(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    film(tmp_path / "a.mp4", 1, sound=True)
    with pytest.raises(ModelError, match="Whisper"):
        whisper.transcribe(tmp_path / "a.mp4", str(tmp_path / "nothing"))
    with pytest.raises(CorpusError, match="no such file"):
        whisper.load_audio(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(CorpusError, match="no video"):
        whisper.load_audio(tmp_path / "text.mp4")


def test_pickled_weights_are_refused(model, tmp_path):
    for file in model.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        whisper._load(str(tmp_path), "", "cpu")
