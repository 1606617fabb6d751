"""`openmie show`: print a recipe; `show embeddings`, `show relevance`: draw what a run has learnt."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from openmie.bench import system
from openmie.cli import console, options
from openmie.cli.groups import WithDefault

app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    help="Print a recipe (`openmie show SYSTEM`), or draw what a run has learnt (`embeddings`, `relevance`).",
)


@app.command("recipe")
def recipe(
    paper: Annotated[str, typer.Argument(help="System, such as baseline or shap_ca, or a model folder.")],
    corpus: Annotated[
        str, typer.Option(help="FORMAT:PATH, whose labels the recipe has; default: the paper's own.")
    ] = "",
    flavour: options.Flavour = system.FLAVOUR,
    ablate: options.Ablate = "",
    task: options.Task = "",
    option: options.Option = None,
    set_: options.Set = None,
    parts: options.Parts = None,
) -> None:
    """Print a recipe, or what an ablation or --set changes in it. The word may be left out.

    Example: openmie show baseline --ablate text

    Example: openmie show shap_ca --flavour paper

    Example: openmie show shap_ca --task joint --set training.epochs=3
    """
    from openmie import corpora
    from openmie import recipe as recipes
    from openmie.bench import sweep_options

    options.load_parts(parts)
    if (Path(paper) / "recipe.json").exists():
        print((Path(paper) / "recipe.json").read_text(encoding="utf8"))
        return
    data = corpora.load(corpus) if corpus else None
    whole = system.build(paper, data, task, option or (), flavour)
    changed = system.change(system.ablate(paper, whole, ablate), set_ or ())
    if changed == whole:
        print(json.dumps(recipes.dump(whole), indent=1, ensure_ascii=False))
        print("ablations: " + ", ".join(system.load_paper_module(paper).ablations(whole)), file=sys.stderr)
        for name, what in system.load_paper_module(paper).FLAVOURS.items():
            print(f"flavour {name}: {what}", file=sys.stderr)
        for name, swept in system.sweeps(paper, whole).items():
            values = sweep_options.values_for(swept, data)
            print(f"sweep {name}: {', '.join(values) or 'no values in this corpus'}", file=sys.stderr)
    for path, here, there in recipes.difference(recipes.dump(whole), recipes.dump(changed)):
        print(f"{path}: {json.dumps(here, ensure_ascii=False)} -> {json.dumps(there, ensure_ascii=False)}")


@app.command("relevance")
def relevance(
    run: Annotated[str, typer.Argument(help="Model folder, or a run's folder of `openmie bench`.")],
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH; default: that of the bench run.")] = "",
    split: Annotated[str, typer.Option(help="Split of the corpus.")] = "test",
    max_documents: Annotated[int, typer.Option(help="Size of the batch.")] = 16,
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("relevance.html"),
    parts: options.Parts = None,
) -> None:
    """Draw how well the texts and images of a batch fit each other under a trained model's alignment.

    Example: openmie show relevance runs/mgips --corpus "diorama:train=64,dev=16,test=40" --out runs/relevance.html
    """
    from openmie.bench import relevance as relevances

    options.load_parts(parts)
    found = relevances.show(run, corpus, split=split, posts=max_documents, out=out)
    print(found.path)
    if console.say_records(found.records):
        raise typer.Exit(options.PARTIAL)


@app.command("embeddings")
def embeddings(
    run: Annotated[str, typer.Argument(help="Model folder, or a run's folder of `openmie bench`.")],
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH; default: that of the bench run.")] = "",
    split: Annotated[str, typer.Option(help="Split of the corpus.")] = "test",
    max_entities: Annotated[int, typer.Option(help="Number of entities drawn; 0: all.")] = 2000,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("embeddings.html"),
    parts: options.Parts = None,
) -> None:
    """Draw a run's entity vectors in three dimensions, coloured by type, as one page to turn and hover over.

    Example: openmie show embeddings runs/text --corpus twitter:DIR --out embeddings.html
    """
    from openmie.bench import entity_space

    options.load_parts(parts)
    found = entity_space.show(run, corpus, split=split, most=max_entities, seed=seed, out=out)
    print(found)
    if console.say_records(found.records):
        raise typer.Exit(options.PARTIAL)
