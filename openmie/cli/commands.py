"""The commands of `openmie`, in the groups in which `openmie --help` shows them; none is imported to be listed.

A command is a function in a file of its own; one with sub-commands is a `typer.Typer`. `COMMANDS` registers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer


class Command(NamedTuple):
    """Where a command is, and what `openmie --help` says of it.

    Args:
        target: "module:attribute" below `openmie.cli`: a function or a `typer.Typer`.
        help: the first paragraph of the command's own help; a test compares them.
    """

    target: str
    help: str

    def load(self, name: str) -> Any:
        """Import the command and make it one of the command-line parser, under this name."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(f"openmie.cli.{module}"), attribute)
        parent = typer.Typer(add_completion=False)
        if isinstance(found, typer.Typer):
            parent.add_typer(found, name=name)
        else:
            parent.command(name)(found)
        made = typer.main.get_command(parent)
        return getattr(made, "commands", {}).get(name, made)


class OnDemand(Mapping[str, Any]):
    """Name -> command of the parser, each imported when it is first asked for; the names are known without.

    Args:
        groups: title of a group -> name -> command.
    """

    def __init__(self, groups: dict[str, dict[str, Command]]) -> None:
        self.listed = {name: command for group in groups.values() for name, command in group.items()}
        self.loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.loaded:
            self.loaded[name] = self.listed[name].load(name)
        return self.loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.listed

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)


COMMANDS: dict[str, dict[str, Command]] = {
    "Extract": {
        "demo": Command(
            "demo:demo",
            "Train two systems on the built-in corpus, compare them with the best text-only score, and write a report.",
        ),
        "extract": Command(
            "extract:extract",
            "Extract entities, relations, objects and words from posts, with the model that is installed with openmie "
            "(base).",
        ),
        "view": Command(
            "view:view",
            "Look through what was found: texts with entities, boxes on the images, relations, chains, words and "
            "errors.",
        ),
        "graph": Command("graph:app", "Results as a knowledge graph: build it, query it, look at it."),
        "labels": Command("labels:labels", "Print the built-in entity types and relations, with their descriptions."),
        "serve": Command(
            "serve:serve",
            "Serve extraction over HTTP: Documents as JSON, for any language, and a page to look at.",
        ),
    },
    "Data": {
        "convert": Command(
            "convert:convert",
            "Convert between jsonl, parquet, conll, brat, coco, yolo, voc and labelstudio, or from rows of posts.",
        ),
        "split": Command(
            "split:split",
            "Split posts into train, dev and test, by a hash of seed and id: the order of the posts does not matter.",
        ),
        "score": Command(
            "score:score",
            "Score predictions of any system, in any format that can be read, against gold. All numbers in percent.",
        ),
        "doctor": Command(
            "doctor:app",
            "Check a copy of a corpus (`openmie doctor CORPUS`), or the boxes of a model (`openmie doctor boxes`).",
        ),
        "diorama": Command(
            "diorama:diorama",
            "Write posts of the built-in corpus as PNG images and JSON lines, to look at or to use elsewhere.",
        ),
        "objects": Command(
            "objects:objects",
            "Find candidate objects in main and generated images: the noun phrases of the text are asked of a "
            "detector.",
        ),
    },
    "Train and compare": {
        "show": Command(
            "show:app",
            "Print a recipe (`openmie show SYSTEM`), or draw what a run has learnt (`embeddings`, `relevance`).",
        ),
        "train": Command(
            "train:train", "Train a system on a corpus. Dev selects the epoch; the test split is not opened."
        ),
        "evaluate": Command("evaluate:evaluate", "Score a trained model on a split of a corpus."),
        "bench": Command(
            "bench:bench",
            "Compare a system's variants on corpora over seeds: one JSON a run, and a table beside the published "
            "numbers.",
        ),
    },
    "Vision-language models": {
        "zero-shot": Command(
            "zero_shot:zero_shot",
            "Prompt a vision-language model on a corpus, without training, and score it as trained systems are scored.",
        ),
        "caption": Command(
            "caption:caption",
            "Caption the main image of each document with a vision-language model, run here or behind a server.",
        ),
        "caption-review": Command(
            "caption_review:caption_review",
            "Count how many captions are right (CapAcc) and how long they are (CapLen, in words), each image once.",
        ),
        "mmre": Command(
            "mmre:mmre",
            "Make M-MRE of a grounded corpus: its documents with boxes, a patch a box, a summary each, drawn 7:3.",
        ),
        "answers": Command("answers:app", "Answers of vision-language models that are kept: count, export, prune."),
        "batch": Command("batch:app", "Batch files of a vision-language model: requests out, answers in."),
    },
    "Video": {
        "video": Command("video:app", "Make a dataset of videos: clips, annotation, agreement, splits."),
    },
}
