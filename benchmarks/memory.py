"""Peak memory and CPU time of large inputs, each in a process of its own: long texts, photographs, pairs, scores.

python benchmarks/memory.py [--only text pictures pairs score base] [--characters 1000000] [--documents 100000]

A row is a fresh Python process; its peak is the most memory that it had at once (resident set), its time CPU seconds of
user and system. Models are not trained: what is found costs little beside reading. Texts are drawn from a list of
words, with a name every ninth word; photographs are smooth noise.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ["the", "a", "of", "and", "city", "river", "house", "that", "was", "seen", "by", "many", "who", "came", "from"]
NAMES = ["Ada", "Bo", "Cleo", "Dov", "Eda", "Finn", "Rome", "Oslo", "Lima", "Cairo"]


def text(characters: int, seed: int = 0) -> str:
    """A text of at least so many characters."""
    drawn, found, length = random.Random(seed), list[str](), 0
    while length < characters:
        found.append(drawn.choice(NAMES if len(found) % 9 == 0 else WORDS))
        length += len(found[-1]) + 1
    return " ".join(found)


def tagger(flavour: str = "small", task: str = "ner", ablate: str = "text", **changes: Any) -> Any:
    """An untrained baseline."""
    import torch

    from openmie.data.corpus import Corpus, Labels
    from openmie.model.pretrained import Model
    from openmie.papers import baseline
    from openmie.recipe import set_field

    torch.manual_seed(0)
    labels = Labels(mentions=("LOC", "PER"), relations=("None", "friend", "lives_in"))
    recipe = baseline.recipe(Corpus("memory", {}, declared=labels), task=task, flavour=flavour)
    recipe = baseline.ablations(recipe)[ablate] if ablate else recipe
    for path, value in changes.items():
        recipe = set_field(recipe, path, value)
    return Model.new(recipe)


def trained_text(folder: Path, size: int, flavour: str = "small") -> str:
    from openmie.data.document import Document

    (found,) = tagger(flavour).predict([Document(id="a", text=text(size))])
    return f"{len(found.words)} words, {len(found.mentions)} mentions"


def base_text(folder: Path, size: int) -> str:
    from openmie.base.extract import extract

    found = extract(text(size))
    return f"{len(found.mentions)} mentions, {len(found.relations)} relations, {len(found.chains)} chains"


def given_pairs(folder: Path, size: int, shared: bool = False) -> str:
    """A text of 45 characters for each of so many given mentions."""
    from openmie.data.document import Document, Mention
    from openmie.text.words import split_words

    written = text(44 * size)
    words = split_words(written)
    mentions = [Mention(id=f"m{i}", start=w.start, end=w.end, label="PER") for i, w in enumerate(words[::9][:size])]
    changes = {"heads.0.markers": "false"} if shared else {}
    model = tagger(task="re", **changes)
    (found,) = model.predict([Document(id="a", text=written, words=words, mentions=tuple(mentions))])
    return f"{len(mentions)} mentions, {len(found.relations)} pairs"


def photographs(folder: Path, count: int, size: tuple[int, int], suffix: str) -> list[Any]:
    import PIL.Image

    from openmie.data.document import Document, Image

    if suffix == "jpg":
        noise = PIL.Image.effect_noise((40, 30), 90).convert("RGB")
        noise.resize(size).save(folder / f"a.{suffix}")
    else:
        PIL.Image.new("RGB", size, (200, 30, 90)).save(folder / f"a.{suffix}")
    path = str(folder / f"a.{suffix}")
    return [Document(id=str(i), text="Ada in Rome", images=(Image(path=path, id="main"),)) for i in range(count)]


def trained_pictures(folder: Path, count: int, size: tuple[int, int], suffix: str) -> str:
    posts = photographs(folder, count, size, suffix)
    found = tagger(ablate="").predict(posts)
    return f"{len(found)} posts, a file of {(folder / f'a.{suffix}').stat().st_size >> 10} kB"


def base_pictures(folder: Path, count: int, size: tuple[int, int], suffix: str) -> str:
    from openmie.base.photograph import PhotographReader, with_photographs

    found = with_photographs(photographs(folder, count, size, suffix), PhotographReader(words=False))
    return f"{len(found)} posts"


def decoded(folder: Path, count: int, whole: bool) -> str:
    from openmie.data.images import load_small
    from openmie.data.small_pictures import FULL, MinSize

    (path,) = {d.images[0].path for d in photographs(folder, 1, (4000, 3000), "jpg")}
    began = time.process_time()
    for _ in range(count):
        load_small(path, FULL if whole else MinSize(shorter=192))
    return f"{1000 * (time.process_time() - began) / count:.0f} ms a photograph"


def scored(folder: Path, documents: int) -> str:
    from openmie.data.document import Document, Mention

    def post(i: int) -> Document:
        words = text(100, i % 1000).split()
        made = Document.from_words(f"post-{i}", words)
        names = [(w, x) for w, x in zip(made.words, words) if x in NAMES]
        mentions = tuple(Mention(id=f"m{k}", start=w.start, end=w.end, label="PER") for k, (w, _) in enumerate(names))
        return made.replace(mentions=mentions)

    with (folder / "a.jsonl").open("w", encoding="utf8") as file:
        file.writelines(post(i).to_json() + "\n" for i in range(documents))
    command = [sys.executable, "-m", "openmie", "score", "a.jsonl", "a.jsonl", "--bootstrap", "0", "--format", "json"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return f"{documents} documents"


Row = tuple[str, Callable[..., str], tuple[Any, ...]]


def rows(characters: int, documents: int) -> dict[str, list[Row]]:
    """The rows of each group: name, function, arguments."""
    return {
        "text": [
            (f"{n:,} characters, trained, {flavour}", trained_text, (n, flavour))
            for flavour, sizes in (
                ("small", (characters // 10, characters // 2, characters)),
                ("pretrained", (50_000,)),
            )
            for n in sizes
        ],
        "base": [(f"{n:,} characters, base", base_text, (n,)) for n in (characters // 10, characters // 5, characters)],
        "pairs": [
            ("200 given mentions, markers", given_pairs, (200,)),
            ("1,142 given mentions, markers", given_pairs, (1142,)),
            ("1,142 given mentions, one pass", given_pairs, (1142, True)),
        ],
        "pictures": [
            ("64 posts, JPEG of 12 megapixels, trained", trained_pictures, (64, (4000, 3000), "jpg")),
            ("16 posts, PNG of 88 megapixels, trained", trained_pictures, (16, (9400, 9400), "png")),
            ("8 posts, JPEG of 12 megapixels, base", base_pictures, (8, (4000, 3000), "jpg")),
            ("2 posts, PNG of 88 megapixels, base", base_pictures, (2, (9400, 9400), "png")),
            ("JPEG of 12 megapixels, in full size", decoded, (10, True)),
            ("JPEG of 12 megapixels, small", decoded, (10, False)),
        ],
        "score": [(f"score of {n:,} documents", scored, (n,)) for n in (documents // 10, documents)],
    }


def child(group: str, number: int, characters: int, documents: int) -> None:
    _, function, arguments = rows(characters, documents)[group][number]
    with tempfile.TemporaryDirectory() as folder:
        print(function(Path(folder), *arguments))


def measured(arguments: list[str]) -> tuple[float, float, str]:
    """Peak in MB, CPU seconds, and what the process says; its own children count where they need more."""
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    said = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {arguments}")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = list(rows(1, 1))
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    parser.add_argument("--characters", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--row", nargs=2, metavar=("GROUP", "NUMBER"), help="one row, in this process")
    given = parser.parse_args()
    if given.row:
        return child(given.row[0], int(given.row[1]), given.characters, given.documents)
    print("| input | peak, MB | CPU, s | |\n|---|---|---|---|")
    for group in given.only:
        for number, (name, *_) in enumerate(rows(given.characters, given.documents)[group]):
            sizes = ["--characters", str(given.characters), "--documents", str(given.documents)]
            peak, seconds, said = measured(["--row", group, str(number), *sizes])
            print(f"| {name} | {peak:,.0f} | {seconds:.1f} | {said} |", flush=True)


if __name__ == "__main__":
    main()
