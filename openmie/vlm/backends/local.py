"""A vision-language model on this machine, by the transformers library.

LLaVA, Idefics3, SmolVLM, Qwen2-VL, Qwen2.5-VL, Qwen3-VL and whatever else `AutoModelForImageTextToText` loads, from a
hub id or a folder. Prompts are padded on the left and answered in batches; answers are greedy unless a temperature is
given, and of the model's own generation settings only the tokens that end an answer are taken: a repetition penalty
keeps a model from quoting its text. An answer that has to follow a schema or grammar is held to it (`guide.py`).
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
from openmie.vlm.backends import chat_template as turns
from openmie.vlm.backends import model_loading as weights
from openmie.vlm.backends.constrained_decoding import Guide, Vocabulary, compiled
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request, answer_one

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class Local:
    """Loaded when first asked. Errors: `ModelError` for a model, device or dtype that is not there."""

    model: str  # hub id or folder
    revision: str = ""  # commit, branch or tag of a hub id; "": its main branch
    max_tokens: int = 512  # of an answer; one that is cut there has finish="length"
    temperature: float = 0.0  # 0: greedy; above, each answer is drawn by itself, from `seed`
    seed: int = 0
    device: str = ""  # cpu, cuda, cuda:1, ...; "": the GPU where there is one
    dtype: str = ""  # auto (as saved), float32, bfloat16, float16; "": float32 on a CPU, else auto
    batch: int = 4  # requests answered together, where they have equally many images
    _given: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        wrong = [
            f"{name}={value}"
            for name, value, right in (
                ("max_tokens", self.max_tokens, self.max_tokens >= 1),
                ("batch", self.batch, self.batch >= 1),
                ("temperature", self.temperature, 0 <= self.temperature < float("inf")),
            )
            if not right
        ]
        if wrong:
            raise ModelError(
                wrong[0],
                expected="at least 1 token and 1 request a batch, a temperature from 0",
                remedy="correct it, or leave it out",
            )

    @classmethod
    def around(cls, model: Any, processor: Any, *, name: str, max_tokens: int = 512, batch: int = 4) -> Local:
        """A model in memory, as in training. Put no cache before it: nothing tells one state of it from the next."""
        return cls(name, max_tokens=max_tokens, batch=batch, device=str(model.device), _given=(model, processor))

    @property
    def name(self) -> str:
        """Hub id, or the folder's own name."""
        return Path(self.model).resolve().name if Path(self.model).is_dir() else self.model

    def facts(self) -> dict[str, Any]:
        if self._given is not None:
            raise ModelError(
                "a model in memory",
                expected="a hub id or folder, which says what its weights are",
                remedy="save the model and name its folder to put a cache before it",
            )
        return {
            "backend": "local",
            "model": self.name,
            "revision": self._commit,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed if self.temperature else 0,
            "dtype": weights.dtype(self.dtype, weights.device(self.device)),
        }

    @cached_property
    def _commit(self) -> str:
        return weights.commit(self.model, self.revision)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        if self._given is not None:
            return self._given
        on = weights.device(self.device)
        folder = Path(self.model).is_dir()
        revision = "" if folder else self.__dict__.get("_commit", self.revision)  # what `facts` named, if it was asked
        return weights.load(self.model, revision, on, weights.dtype(self.dtype, on))

    @cached_property
    def _ends(self) -> list[int]:
        """All tokens that end an answer: of the generation settings, of the tokenizer and of a turn."""
        model, processor = self._loaded
        named = model.generation_config.eos_token_id
        ends = {*([named] if isinstance(named, int) else named or [])}
        words = processor.tokenizer
        turn = getattr(processor, "end_of_utterance_token", None)
        ends |= {words.convert_tokens_to_ids(str(turn))} if turn and str(turn) in words.get_vocab() else set()
        ends |= {words.eos_token_id} if words.eos_token_id is not None else set()
        if not ends:
            raise ModelError(
                f"{self.name} names no token that ends an answer",
                expected="an eos_token_id",
                remedy="set it in generation_config.json",
            )
        return sorted(ends)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self._loaded[1].tokenizer, self._ends)

    @property
    def _window(self) -> int:
        """Positions that the language model has; a great number where it does not say."""
        config = self._loaded[0].config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 1 << 31)

    def generate(
        self, images: Sequence[Picture], prompt: str, schema: Mapping[str, Any] | Grammar | None = None
    ) -> str:
        return answer_one(self, images, prompt, schema)

    def answers(self, requests: Iterable[Request]) -> Iterator[Answer | ErrorRecord]:
        most = 1 if self.temperature else self.batch
        rest = iter(requests)
        while part := list(islice(rest, most)):
            groups: dict[int, list[int]] = {}
            for i, request in enumerate(part):
                groups.setdefault(len(request.images), []).append(i)
            found: dict[int, Answer | ErrorRecord] = {}
            for rows in groups.values():
                found.update(zip(rows, self._together([part[i] for i in rows]), strict=True))
            yield from (found[i] for i in range(len(part)))

    def _together(self, requests: Sequence[Request]) -> list[Answer | ErrorRecord]:
        """Answers of one batch; where it fails, each request by itself, so that one harms no other."""
        try:
            return self._batch(requests)
        except ModelError:  # of the model as a whole, not of a request
            raise
        except Exception as error:  # processors and models raise what they like on odd pictures, and out of memory
            if len(requests) == 1:
                return [self._failed(error)]
            return [self._together([request])[0] for request in requests]

    def _failed(self, error: Exception) -> ErrorRecord:
        if isinstance(error, OpenMIEError):
            return error.record.model_copy(update={"where": f"model {self.name}"})
        memory = "memory" in str(error)
        return ErrorRecord(
            where=f"model {self.name}",
            found=f"{type(error).__name__}: {str(error)[:300]}",
            expected="an answer",
            remedy="take smaller images, or fewer of them"
            if memory
            else "look at the images and the prompt of this request",
        )

    @torch.inference_mode()
    def _batch(self, requests: Sequence[Request]) -> list[Answer | ErrorRecord]:
        from transformers import LogitsProcessorList

        started = time.perf_counter()
        model = self._loaded[0]
        inputs = self._inputs(requests)
        width, lengths = inputs["input_ids"].shape[1], inputs["attention_mask"].sum(1).tolist()
        room = min(self.max_tokens, self._window - max(lengths))
        if room < 1 or (room < self.max_tokens and len(requests) > 1):  # then each has its own room, by itself
            raise GenerationError(
                f"a prompt of {max(lengths)} tokens",
                expected=f"less than the {self._window} that {self.name} reads",
                remedy="shorten the text, or send fewer or smaller images",
            )
        guide, guides = None, LogitsProcessorList()
        if any(r.schema is not None for r in requests):
            matchers = [None if r.schema is None else self._vocabulary.matcher(compiled(r.schema)) for r in requests]
            guide = Guide(matchers, width, self._ends, self._vocabulary)
            guides.append(guide)
        with self._drawn(model.device):
            made = model.generate(**inputs, logits_processor=guides, generation_config=self._settings(room))
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            self._answer(row, n, seconds, guide.failure(i) if guide else "")
            for i, (row, n) in enumerate(zip(made[:, width:].tolist(), lengths))
        ]

    def _inputs(self, requests: Sequence[Request]) -> Any:
        model, processor = self._loaded
        words = processor.tokenizer
        words.padding_side = "left"
        if words.pad_token is None:
            words.pad_token = words.convert_ids_to_tokens(self._ends[0])
        texts = [turns.prompt(processor, r) for r in requests]
        pictures = {"images": [list(r.images) for r in requests]} if requests[0].images else {}
        begun = bool(words.bos_token) and texts[0].startswith(words.bos_token)
        whole = {"add_special_tokens": False} if begun else {}
        made = processor(text=texts, padding=True, return_tensors="pt", **pictures, **whole)
        made.pop("token_type_ids", None)
        made = made.to(model.device)
        return {k: v.to(model.dtype) if torch.is_floating_point(v) else v for k, v in made.items()}

    def _settings(self, room: int) -> Any:
        from transformers import GenerationConfig

        pad = self._loaded[1].tokenizer.pad_token_id
        drawn = (
            {"do_sample": True, "temperature": self.temperature, "top_k": 0}
            if self.temperature
            else {"do_sample": False}
        )
        return GenerationConfig(max_new_tokens=room, eos_token_id=self._ends, pad_token_id=pad, **drawn)

    @contextmanager
    def _drawn(self, device: torch.device) -> Iterator[None]:
        """Random numbers of this answer alone; the caller's are left as they were."""
        if not self.temperature:
            yield
            return
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield

    def _answer(self, row: list[int], prompt: int, seconds: float, failure: str) -> Answer | ErrorRecord:
        if failure:
            return ErrorRecord(
                where=f"model {self.name}",
                found=f"an answer that left its grammar: {failure[:300]}",
                expected="a grammar within the limits of llguidance",
                remedy="make the schema simpler",
            )
        end = next((i for i, piece in enumerate(row) if piece in self._ends), None)
        said = row if end is None else row[:end]
        text = self._loaded[1].tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Answer(
            text=text,
            finish="length" if end is None else "stop",
            prompt_tokens=prompt,
            tokens=len(said) + (end is not None),
            seconds=seconds,
        )
