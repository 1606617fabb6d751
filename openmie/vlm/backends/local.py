"""A vision-language model on this machine, by the transformers library.

LLaVA, Idefics3, SmolVLM, Qwen2-VL, Qwen2.5-VL, Qwen3-VL and whatever else `AutoModelForImageTextToText` loads, from a
hub id or a folder. Prompts are padded on the left and answered in batches. Decoding is greedy unless a temperature is
given; of the model's own generation settings only the end-of-answer tokens are used, because a repetition penalty keeps
a model from quoting its text. An answer with a schema or grammar is decoded under it (`constrained_decoding`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.vlm.backends import chat_template, model_loading
from openmie.vlm.backends.constrained_decoding import GrammarLogitsProcessor, TokenBytes, compile_constraint
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request, answer_one
from openmie.vlm.sent_picture import decoded

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class Local:
    """A model on this machine, loaded at the first request.

    Args:
        model: hub id or folder.
        revision: commit, branch or tag of a hub id; "": its main branch.
        max_tokens: generated tokens at most; an answer that is truncated there has finish="length".
        temperature: 0 is greedy; above, each answer is sampled by itself, from `seed`.
        seed: of the sampling.
        device: "cpu", "cuda", "cuda:1", ...; "": the GPU where there is one.
        dtype: "auto" (as saved), "float32", "bfloat16", "float16"; "": float32 on a CPU, else auto.
        batch_size: requests that are answered together, where they have equally many images.

    Raises:
        ModelError: invalid settings; and at the first request a model, device or dtype that does not exist.
    """

    model: str
    revision: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    device: str = ""
    dtype: str = ""
    batch_size: int = 4
    _preloaded: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, valid, expected in (
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "a finite number, 0 or more"),
        ):
            if not valid:
                raise ModelError(
                    f"{name}={getattr(self, name)}", expected=expected, remedy="correct it, or leave it out"
                )

    @classmethod
    def from_loaded(cls, model: Any, processor: Any, *, name: str, max_tokens: int = 512, batch_size: int = 4) -> Local:
        """Wrap a model in memory, as in training.

        Do not put a cache in front of it: nothing tells one state of its weights from the next.

        Args:
            model: a transformers model for image-text-to-text.
            processor: its processor.
            name: the model's name in predictions.
            max_tokens: generated tokens at most.
            batch_size: requests that are answered together.
        """
        return cls(
            name,
            max_tokens=max_tokens,
            batch_size=batch_size,
            device=str(model.device),
            _preloaded=(model, processor),
        )

    @property
    def name(self) -> str:
        """Hub id, or the folder's own name."""
        return Path(self.model).resolve().name if Path(self.model).is_dir() else self.model

    def facts(self) -> dict[str, Any]:
        """What determines an answer: a part of a cache's key, whose names never change."""
        if self._preloaded is not None:
            raise ModelError(
                "model in memory cannot be cached",
                expected="a hub id or folder, which identifies the weights",
                remedy="save the model, and name its folder to put a cache in front of it",
            )
        return {
            "backend": "local",
            "model": self.name,
            "revision": self._weights_revision,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed if self.temperature else 0,
            "dtype": model_loading.resolve_dtype(self.dtype, model_loading.resolve_device(self.device)),
        }

    @cached_property
    def _weights_revision(self) -> str:
        return model_loading.resolve_revision(self.model, self.revision)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """(model, processor)."""
        if self._preloaded is not None:
            return self._preloaded
        device = model_loading.resolve_device(self.device)
        is_folder = Path(self.model).is_dir()
        pinned = self.__dict__.get("_weights_revision", self.revision)  # what `facts` named, if it was called
        dtype = model_loading.resolve_dtype(self.dtype, device)
        return model_loading.load_model_and_processor(self.model, "" if is_folder else pinned, device, dtype)

    @cached_property
    def _eos_ids(self) -> list[int]:
        """All tokens that end an answer: of the generation settings, of the tokenizer and of a turn."""
        model, processor = self._loaded
        configured = model.generation_config.eos_token_id
        ids = {*([configured] if isinstance(configured, int) else configured or [])}
        tokenizer = processor.tokenizer
        turn = getattr(processor, "end_of_utterance_token", None)
        ids |= {tokenizer.convert_tokens_to_ids(str(turn))} if turn and str(turn) in tokenizer.get_vocab() else set()
        ids |= {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
        if not ids:
            raise ModelError(
                f"model {self.name} has no token that ends an answer",
                expected="an eos_token_id",
                remedy="set it in generation_config.json",
            )
        return sorted(ids)

    @cached_property
    def _vocabulary(self) -> TokenBytes:
        return TokenBytes(self._loaded[1].tokenizer, self._eos_ids)

    @property
    def _context_length(self) -> int:
        """Positions of the language model; a large number where its config does not tell."""
        config = self._loaded[0].config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 1 << 31)

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        """The text of one answer. Raises `GenerationError` where there is none."""
        return answer_one(self, images, prompt, schema)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        """Answers in the order of the requests; a record for each request that failed."""
        size = 1 if self.temperature else self.batch_size
        remaining = iter(requests)
        while part := list(islice(remaining, size)):
            by_image_count: dict[int, list[int]] = {}
            for i, request in enumerate(part):
                by_image_count.setdefault(len(request.images), []).append(i)
            answers: dict[int, Answer | ErrorRecord] = {}
            for rows in by_image_count.values():
                answers.update(zip(rows, self._isolating_failures([part[i] for i in rows]), strict=True))
            yield from (answers[i] for i in range(len(part)))

    def _isolating_failures(self, requests: Sequence[Request]) -> list[Answer | ErrorRecord]:
        """Answers of one batch; where it fails, each request by itself, so that one harms no other."""
        try:
            return self._answer_batch(requests)
        except ModelError:  # of the model as a whole, not of a request
            raise
        except Exception as error:  # processors and models raise what they like on odd images, and out of memory
            if len(requests) == 1:
                return [self._failure_record(error)]
            return [self._isolating_failures([request])[0] for request in requests]

    def _failure_record(self, error: Exception) -> ErrorRecord:
        if isinstance(error, OpenMIEError):
            return error.record.model_copy(update={"where": f"model {self.name}"})
        out_of_memory = "memory" in str(error)
        return ErrorRecord(
            where=f"model {self.name}",
            found=f"request failed with {type(error).__name__}: {str(error)[:300]}",
            expected="an answer",
            remedy="use smaller or fewer images" if out_of_memory else "check this request's images and prompt",
        )

    @torch.inference_mode()
    def _answer_batch(self, requests: Sequence[Request]) -> list[Answer | ErrorRecord]:
        from transformers import LogitsProcessorList

        started = time.perf_counter()
        model = self._loaded[0]
        inputs = self._inputs(requests)
        width, lengths = inputs["input_ids"].shape[1], inputs["attention_mask"].sum(1).tolist()
        room = min(self.max_tokens, self._context_length - max(lengths))
        if room < 1 or (room < self.max_tokens and len(requests) > 1):  # then each has its own room, by itself
            raise GenerationError(
                f"prompt has {max(lengths)} tokens",
                expected=f"fewer than the {self._context_length} that {self.name} reads",
                remedy="shorten the text, or send fewer or smaller images",
            )
        constraint, processors = None, LogitsProcessorList()
        if any(r.schema is not None for r in requests):
            matchers = [
                None if r.schema is None else self._vocabulary.matcher(compile_constraint(r.schema)) for r in requests
            ]
            constraint = GrammarLogitsProcessor(matchers, width, self._eos_ids, self._vocabulary)
            processors.append(constraint)
        with self._own_random_state(model.device):
            output = model.generate(
                **inputs, logits_processor=processors, generation_config=self._generation_config(room)
            )
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            self._answer(row, n, seconds, constraint.failure(i) if constraint else "")
            for i, (row, n) in enumerate(zip(output[:, width:].tolist(), lengths))
        ]

    def _inputs(self, requests: Sequence[Request]) -> Any:
        model, processor = self._loaded
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(self._eos_ids[0])
        texts = [chat_template.render_prompt(processor, r) for r in requests]
        images = {"images": [[decoded(image) for image in r.images] for r in requests]} if requests[0].images else {}
        has_bos = bool(tokenizer.bos_token) and texts[0].startswith(tokenizer.bos_token)
        no_more = {"add_special_tokens": False} if has_bos else {}
        inputs = processor(text=texts, padding=True, return_tensors="pt", **images, **no_more)
        inputs.pop("token_type_ids", None)
        inputs = inputs.to(model.device)
        return {k: v.to(model.dtype) if torch.is_floating_point(v) else v for k, v in inputs.items()}

    def _generation_config(self, max_new_tokens: int) -> Any:
        from transformers import GenerationConfig

        pad = self._loaded[1].tokenizer.pad_token_id
        sampling = (
            {"do_sample": True, "temperature": self.temperature, "top_k": 0}
            if self.temperature
            else {"do_sample": False}
        )
        return GenerationConfig(max_new_tokens=max_new_tokens, eos_token_id=self._eos_ids, pad_token_id=pad, **sampling)

    @contextmanager
    def _own_random_state(self, device: torch.device) -> Iterator[None]:
        """Random numbers of this answer alone; the caller's state is restored."""
        if not self.temperature:
            yield
            return
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield

    def _answer(self, row: list[int], prompt_tokens: int, seconds: float, failure: str) -> Answer | ErrorRecord:
        if failure:
            return ErrorRecord(
                where=f"model {self.name}",
                found=f"answer left its grammar: {failure[:300]}",
                expected="a grammar within the limits of llguidance",
                remedy="simplify the schema",
            )
        end = next((i for i, token in enumerate(row) if token in self._eos_ids), None)
        tokens = row if end is None else row[:end]
        text = self._loaded[1].tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Answer(
            text=text,
            finish="length" if end is None else "stop",
            prompt_tokens=prompt_tokens,
            tokens=len(tokens) + (end is not None),
            seconds=seconds,
        )
