"""What `extract` costs on top of its encoder, and where: CPU seconds of one thread, all in one run.

    python benchmarks/extract_speed.py [--posts 640] [--rounds 3] [--photographs DIR] [--runtimes] [--profile]

The posts are the texts of Diorama's, which are made up. In each round the stages take turns: the bare forward of the
encoder over the same rows of tokens, in the same batches; the tower with its tokenizer; entities; whole predictions;
and `extract` from a file of posts into a folder of rows. Ratios are of the least of the rounds.
`--photographs` gives each post one of the JPEG files of a folder, in turn, and compares with the two towers: the
forwards of the encoder and of the detector, which reads photographs one by one (words in them are not read).
`--runtimes` compares predictions with the encoder in other number types with float32, by time and by the largest
difference of a score; `--profile` prints what Python spends beside the forward.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import cProfile
import json
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from openmie.base.labels import label_texts
from openmie.base.objects import default_detector, fit
from openmie.base.photograph import DETECTOR_SIDE, PhotographReader
from openmie.base.photograph_part import PhotographPart
from openmie.base.predictor import Base
from openmie.base.tower import BATCH_TOKENS
from openmie.data.document import Document, Image
from openmie.data.images import load_small
from openmie.data.small_pictures import MinSize
from openmie.diorama import Config, generate
from openmie.formats import registry
from openmie.formats.sharded_output import open_output_folder
from openmie.inference import pipeline

TOGETHER = 32  # documents that `Base.predict` reads together


def rounds(jobs: Mapping[str, Callable[[], object]], count: int) -> dict[str, float]:
    """The least CPU seconds of each job; the first round fills caches and does not count."""
    least = dict.fromkeys(jobs, float("inf"))
    for number in range(count + 1):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            if number:
                least[name] = min(least[name], time.process_time() - began)
    return least


def forwards(model: Any, texts: Sequence[str]) -> Callable[[], None]:
    """The bare forward of the encoder over the rows of the texts, batched as `extract` batches them."""
    tower = model.tower
    prepared = []
    for at in range(0, len(texts), TOGETHER):
        words = [[text[a:b] for a, b in tower.split(text)] for text in texts[at : at + TOGETHER]]
        rows = tower.read(words)
        prepared += [rows.batch(numbers, tower.special["pad"]) for numbers in rows.batches(BATCH_TOKENS)]

    @torch.inference_mode()
    def run() -> None:
        for batch in prepared:
            tower.model(batch.ids, batch.mask)

    return run


def in_batches(texts: Sequence[Any], call: Callable[[Sequence[Any]], object]) -> Callable[[], None]:
    """The call on `TOGETHER` of them at a time."""

    def run() -> None:
        for at in range(0, len(texts), TOGETHER):
            call(texts[at : at + TOGETHER])

    return run


def stages(base: Base, posts: Sequence[Document], folder: Path) -> dict[str, Callable[[], object]]:
    """The jobs, from the encoder alone to the whole of `extract`."""
    texts = [post.text for post in posts]
    source, numbers = folder / "posts.jsonl", iter(range(1000))
    registry.write(posts, source)
    model: Any = base.text
    models: Any = [base]

    def encode(part: Sequence[str]) -> object:
        return model.encode([[text[a:b] for a, b in model.tower.split(text)] for text in part])

    def extract() -> None:
        with open_output_folder(folder / f"out{next(numbers)}", {"--model": "base"}) as rows:
            pending: Any = rows.pending(pipeline.read_posts(str(source)))
            for document in pipeline.predict_each(models, pending):
                rows.add(document)
            rows.finish()

    return {
        "the encoder's forward alone": forwards(model, texts),
        "tokens, forward, states of words": in_batches(texts, encode),
        "entities": in_batches(texts, lambda part: model.entities(part, label_texts())),
        "predictions": lambda: base.predict(posts),
        "extract: file to folder": extract,
        "reading alone": lambda: list(pipeline.read_posts(str(source))),
    }


def photograph_stages(
    base: Base, posts: Sequence[Document], photographs: Sequence[Path]
) -> dict[str, Callable[[], object]]:
    """The jobs for posts with a photograph each, from the two towers alone to whole predictions."""
    whole = Base(base.text, PhotographPart(PhotographReader(words=False)), facts=base.facts, query=base.query)
    posts = [
        post.replace(images=(Image(id="main", path=str(photographs[n % len(photographs)])),))
        for n, post in enumerate(posts)
    ]
    read = forwards(base.text, [post.text for post in posts])
    detector = default_detector()
    pictures = [load_small(post.images[0], MinSize(longer=DETECTOR_SIDE))[0] for post in posts]
    fitted = [fit(picture, detector.model.config.size).pixels for picture in pictures]
    pixels = [x[None].contiguous(memory_format=torch.channels_last) for x in fitted]

    @torch.inference_mode()
    def towers() -> None:
        read()
        for one in pixels:
            detector.model(one)

    return {
        "the two forwards alone, text and photograph": towers,
        "photographs: file to pixels": lambda: [
            fit(load_small(post.images[0], MinSize(longer=DETECTOR_SIDE))[0], 416) for post in posts
        ],
        "predictions, text and photograph": lambda: whole.predict(posts),
    }


def scores_of(document: Document) -> dict[tuple[int, int, str], float]:
    """Score of each mention, by place and label."""
    return {(m.start, m.end, m.label): m.score or 0.0 for m in document.mentions}


def runtimes(base: Base, posts: Sequence[Document], count: int) -> list[dict[str, Any]]:
    """The whole prediction with the encoder in other number types, against float32."""
    made: list[dict[str, Any]] = []
    known = base.predict(posts)

    def quantised(model: Any) -> Any:
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.__class__ = torch.nn.Linear  # of the encoder's own class none would be found
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)

    ways: dict[str, Callable[[Any], Any]] = {
        "float32": lambda model: model,
        "int8, dynamic": quantised,
        "bfloat16": lambda model: _AsBfloat16(model),
    }
    whole: dict[str, Base] = {}
    for name, way in ways.items():
        text = copy.deepcopy(base.text)
        text.tower.model = way(text.tower.model)  # type: ignore[attr-defined]
        text.upper = way(text.upper)  # type: ignore[attr-defined]
        text._last = None  # type: ignore[attr-defined]
        whole[name] = Base(text, None, facts=base.facts, query=base.query)
    least = rounds({name: partial(model.predict, posts) for name, model in whole.items()}, count)
    for name, model in whole.items():
        found = model.predict(posts)
        pairs = [
            ({(m.start, m.end, m.label): m.score or 0.0 for m in d.mentions} for d in two) for two in zip(known, found)
        ]
        scores = [abs(a[key] - b[key]) for a, b in map(tuple, pairs) for key in a.keys() & b.keys()]
        other = sum(
            {(m.start, m.end, m.label) for m in a.mentions} != {(m.start, m.end, m.label) for m in b.mentions}
            for a, b in zip(known, found)
        )
        made.append(
            {
                "runtime": name,
                "CPU seconds": round(least[name], 2),
                "of float32": round(least[name] / least["float32"], 2),
                "largest difference of a score": round(max(scores, default=0.0), 5),
                "posts with other mentions": other,
            }
        )
    return made


class _AsBfloat16(torch.nn.Module):
    """A part of the encoder that computes in bfloat16 by autocast."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.inner = model

    def forward(self, *given: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return self.inner(*given).float()

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)

    def __iter__(self) -> Iterator[Any]:
        return (_AsBfloat16(layer) for layer in self.inner)  # type: ignore[attr-defined]

    def run_layers(self, *given: Any) -> Any:
        """Of the encoder."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.inner.run_layers(*given).float()  # type: ignore[attr-defined, operator]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--posts", type=int, default=640)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--photographs", type=Path, help="folder of JPEG files")
    arguments.add_argument("--runtimes", action="store_true")
    arguments.add_argument("--profile", action="store_true")
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    if given.posts <= TOGETHER:  # the model remembers the states of the last texts, which are read together
        arguments.error(f"--posts {given.posts}: more than {TOGETHER} are needed")
    torch.set_num_threads(1)
    base = Base.load()
    base = Base(base.text, None, facts=base.facts, query=base.query)
    posts = [Document(id=post.id, text=post.text) for post in generate(Config(), "test", given.posts, pixels=False)]
    with tempfile.TemporaryDirectory() as name:
        jobs = stages(base, posts, Path(name))
        if given.photographs:
            jobs |= photograph_stages(base, posts, sorted(given.photographs.glob("*.jpg")))
        least = rounds(jobs, given.rounds)
        if given.profile:
            profile = cProfile.Profile()
            with profile, contextlib.suppress(KeyboardInterrupt):
                jobs["extract: file to folder"]()
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    first, both = least["the encoder's forward alone"], least.get("the two forwards alone, text and photograph", 0.0)
    record: dict[str, Any] = {"posts": len(posts), "torch": torch.__version__}
    record["stages"] = {
        stage: {"CPU ms a post": round(s / len(posts) * 1000, 3), "of the forward": round(s / (of or first), 2)}
        for stage, s in least.items()
        for of in [both if "photograph" in stage else first]
    }
    print(json.dumps(record, indent=1), flush=True)
    if given.runtimes:
        record["runtimes"] = runtimes(base, posts, given.rounds)
        print(json.dumps(record["runtimes"], indent=1))
    if given.out:
        given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
