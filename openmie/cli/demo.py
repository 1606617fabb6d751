"""`openmie demo`: train on the built-in corpus and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.cli.interruption import interruptible
from openmie.errors import OpenMIEError


def demo(
    out: Annotated[Path, typer.Option(help="Folder for models and report.")] = Path("demo"),
    posts: Annotated[int, typer.Option(help="Number of training posts.")] = 18000,
    epochs: Annotated[int, typer.Option(help="Epochs of each of the two trainings.")] = 5,
    seed: options.Seed = 0,
) -> None:
    """Train two systems on the built-in corpus, compare them with the best text-only score, and write a report.

    At the end, the model that is installed with openmie extracts from three posts with real photographs, where the
    package scikit-image is installed, which carries these (`pip install 'openmie[demo]'`).

    Started again after an interruption, the demo goes on where it was.

    Example: openmie demo --out demo
    """
    from openmie.cli import demo_run

    def watch(name: str, events: Any) -> Any:
        return console.progress(name, interruptible(events))

    found = demo_run.run(out, posts=posts, epochs=epochs, seed=seed, watch=watch)
    names = {"ner": "names with types: strict F1", "joint": "names, types and relation: pair F1"}
    for task, systems in found.scores.items():
        rows: list[list[Any]] = [[name, s.f1, console.interval(s)] for name, s in systems.items()]
        rows += [[f"ceiling, {name}", f1, ""] for name, f1 in found.ceilings[task].items()]
        console.table([names[task], "%", "95% interval"], rows)
        print(f"gap closure {found.closures[task]:.3f} (0: the text ceiling, 1: the ceiling of text and image)\n")
    for gold, predicted in found.examples[:4]:
        print(gold.text)
        for m in predicted.mentions:
            print(f"    {m.text} -> {m.label}  ({m.score:.2f})")
        for r in predicted.relations:
            head, tail = (getattr(predicted.find(end), "text", end) for end in (r.head, r.tail))
            print(f"    {head} - {r.label} -> {tail}  ({r.score:.2f})")
    print(f"\nreport: {found.report}\nmodel:  {out / 'cross'}  (for `openmie extract --model {out / 'cross'}`)")
    print(demo_run.CAUTION)
    _extract_from_posts()


def _extract_from_posts() -> None:
    """Posts with real photographs, read by the model that `openmie extract` takes when none is named."""
    from openmie import load
    from openmie.cli.demo_posts import demo_posts

    posts, missing = demo_posts()
    print("\nPosts with photographs, read by openmie-base, the model that is installed with openmie:")
    if missing:
        print(missing)
    try:
        predicted = load("base").predict(posts)
    except OpenMIEError as error:  # a package or a file of the model is missing: the rest of the demo stands
        print(error)
        return
    for document in predicted:
        print(f"\n{document.text}")
        console.write_results([document], "table", "-")
