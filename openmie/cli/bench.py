"""`openmie bench`: compare a system's variants on corpora over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openmie.bench import system
from openmie.cli import console, options
from openmie.errors import OpenMIEError


def bench(
    paper: options.Paper,
    corpus: Annotated[
        list[str] | None, typer.Option(help="FORMAT:PATH; repeatable. With --table, --plot: default all of --out.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="3: seeds 1 to 3; 2,5 or 4-6: just these.")] = "1",
    flavour: options.Flavour = system.FLAVOUR,
    ablate: Annotated[
        list[str] | None, typer.Option(help="A variant: full (default), an ablation, or all; repeatable.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=V,V]",
            help="A sweep of the system, or a field's path, with values: alpha=0.2,0.4; or all; repeatable.",
        ),
    ] = None,
    task: options.Task = "",
    set_: options.Set = None,
    option: options.Option = None,
    max_documents: Annotated[int, typer.Option(help="Train on the first so many documents; 0: on all.")] = 0,
    test: Annotated[str, typer.Option(help="Score on the test split of this corpus instead.")] = "",
    shuffle: Annotated[bool, typer.Option(help="Score once more with images shuffled between posts.")] = False,
    precision: options.Precision = "no",
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/bench"),
    workers: Annotated[int, typer.Option(help="Runs at once.")] = 1,
    table: Annotated[
        str, typer.Option(metavar="FORMAT", help="Train nothing; print md, csv or published, or write html.")
    ] = "",
    score: Annotated[str, typer.Option(help="Score of the table, such as entities; default: the task's first.")] = "",
    plot: Annotated[bool, typer.Option(help="Train nothing; draw sweeps and figures as a page in --out.")] = False,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN", help="Train nothing; show where the runs of --out that are named differ; two or more times."
        ),
    ] = None,
    parts: options.Parts = None,
) -> None:
    """Compare a system's variants on corpora over seeds: one JSON a run, and a table beside the published numbers.

    A finished run is never run again; started again, an interrupted one resumes.

    Example: openmie bench baseline --corpus diorama:train=2000 --seeds 3 --ablate all
    """
    from openmie import bench as benches
    from openmie.bench.unread import say_unread

    own_parts = options.load_parts(parts)
    if cases:
        print(benches.cases(out, *cases, paper=paper))
        return
    same = {
        "flavour": flavour,
        "changes": tuple(set_ or ()),
        "options": tuple(option or ()),
        "posts": max_documents,
        "test": test,
        "shuffle": shuffle,
        "precision": precision,
        "parts": own_parts,
    }
    if corpus:
        rows = benches.Rows(ablate=ablate or (), sweep=sweep or (), same=same)
        cells = benches.grid(paper, corpus, rows=rows, task=task, seeds=benches.seeds(seeds))
    else:
        cells = benches.found(out, paper)
    if plot:
        print(benches.plot(cells, out, score))
        return
    if table:
        found = benches.table(cells, out, score, paper)
        texts = {"md": benches.markdown, "csv": benches.csv, "published": benches.as_published}
        print(texts[table](found).rstrip() if table in texts else benches.write(found, out, table))
        return
    if not corpus:
        raise _no_corpus()
    failed = console.benched(benches.run(cells, out, workers=workers))
    found = benches.table(cells, out, score)
    for format in ("md", "csv", "html"):
        benches.write(found, out, format)
    print(benches.markdown(found))
    if say_unread(cells, out) or failed:
        raise typer.Exit(options.PARTIAL)


def _no_corpus() -> OpenMIEError:
    return OpenMIEError(
        "no --corpus",
        expected="a corpus to train on",
        remedy="name one, or use --table to print the runs that are there",
    )
