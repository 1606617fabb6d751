"""`openmie evaluate`: score a trained model on a split of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from openmie.cli import console, options


def evaluate(
    model: Annotated[str, typer.Argument(help="Model folder or hub id.")],
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH.")],
    split: Annotated[str, typer.Option(help="Split of the corpus.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Write scores, data hash, recipe and versions here.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write the predicted documents here.")] = None,
    candidates: Annotated[
        str,
        typer.Option(
            help="Of a model that predicts chains, what the predictions are made between: predicted, "
            "gold_mentions or gold_chains."
        ),
    ] = "predicted",
    image_dir: options.ImageDir = None,
    bootstrap: options.Bootstrap = 1000,
    parts: options.Parts = None,
) -> None:
    """Score a trained model on a split of a corpus.

    Example: openmie evaluate runs/text --corpus twitter:DIR --out runs/text-test.json

    Example: openmie evaluate runs/m3d --corpus m3d:DIR --candidates gold_chains --predictions gold_chains.jsonl
    """
    from openmie import __version__
    from openmie.base.loading import check_trained_name
    from openmie.data import provenance
    from openmie.formats.registry import write

    check_trained_name(model)
    from openmie.model.pretrained import load
    from openmie.model.tasks.task import CandidateSource
    from openmie.train import evaluate as scoring

    options.load_parts(parts)
    data = options.load_corpus(corpus, image_dir)
    with console.telling_skipped(data):
        loaded, gold = load(model), list(data.split(split))
        scores, predicted = scoring.evaluate(
            loaded, gold, bootstrap=bootstrap, symmetric=data.symmetric, candidates=cast(CandidateSource, candidates)
        )
        console.scores(scores)
        for what, f1 in scoring.scheme_ceiling(loaded, gold).items():
            print(f"ceiling of the word-pair scheme, {what}: {f1:.2f}")
        if out:
            scoring.write_record(out, scoring.record(loaded, scores, gold, corpus=corpus, split=split, folder=model))
        if predictions:
            facts = provenance.provenance([loaded.identity()], __version__, provenance.now())
            console.say(write(provenance.stamp(predicted, facts), predictions))
