"""`openmie diorama`: write posts of the built-in corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import options


def diorama(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("posts"),
    n: Annotated[int, typer.Option("--n", help="Number of posts.")] = 100,
    seed: options.Seed = 0,
    split: Annotated[str, typer.Option(help="train, dev or test: the splits share no name.")] = "train",
    documents: Annotated[bool, typer.Option("--documents", help="Biography transcripts with timed frames.")] = False,
    language: Annotated[str, typer.Option(help="Of documents: en or zh.")] = "en",
) -> None:
    """Write posts of the built-in corpus as PNG images and JSON lines, to look at or to use elsewhere.

    Example: openmie diorama --out posts --n 100 --seed 1

    Example: openmie diorama --documents --language zh --n 4 --out biographies
    """
    from openmie import diorama as corpus

    config = corpus.Config(seed=seed, documents=documents, language=language)
    corpus.save(corpus.generate(config, split, n), out)
    print(f"{n} {'documents' if documents else 'posts'} in {out}")
