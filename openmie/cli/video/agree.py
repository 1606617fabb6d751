"""`openmie video agree`: agreement of two annotators, and the adjudication of their disagreements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.errors import CorpusError, ErrorRecord


def agree(
    first: Annotated[Path, typer.Argument(help="One annotator's Documents.")],
    second: Annotated[Path, typer.Argument(help="Another's, of the same clips.")],
    out: Annotated[Path | None, typer.Option(help="File of all disagreements, to be adjudicated: CSV or JSON.")] = None,
    decided: Annotated[Path | None, typer.Option(help="That file, filled in.")] = None,
    resolved: Annotated[Path | None, typer.Option(help="With --decided: a file of the agreed Documents.")] = None,
    symmetric: Annotated[
        list[str] | None,
        typer.Option(help="Relation label without direction, besides those of the guidelines; repeatable."),
    ] = None,
    undecided: Annotated[
        str, typer.Option(help="Whose annotation to take where no decision is made: a or b; default: an error.")
    ] = "",
) -> None:
    """Cohen's kappa between two annotators, the list of what they differ on, and its decisions read back.

    Example: openmie video agree a.jsonl b.jsonl --out differ.csv

    Example: openmie video agree a.jsonl b.jsonl --decided differ.csv --resolved agreed.jsonl
    """
    from openmie.annotation import agreement as measures
    from openmie.annotation.guidelines import LABELS
    from openmie.data.frame_files import copy_frames
    from openmie.formats.registry import read_items, write

    if (decided is None) != (resolved is None):
        raise CorpusError(
            "one of --decided and --resolved without the other",
            expected="both",
            remedy="name the file with the decisions and the file to write",
        )
    records: dict[ErrorRecord, None] = {}
    a, b = (list(console.documents_of(read_items(path), records)) for path in (first, second))
    turned = LABELS.symmetric | {*(symmetric or ())}
    with console.telling_records(records):
        if decided and resolved:
            told: dict[str, Any] = {"symmetric": turned, "undecided": undecided or "error"}
            agreed = measures.resolve(a, b, measures.read_decisions(decided), **told)
            console.say(write(copy_frames(agreed, resolved.parent), resolved))
        else:
            _print_agreement(measures.agreement(a, b, symmetric=turned), out)


def _print_agreement(found: Any, out: Path | None) -> None:
    """Print kappas, and write the disagreements."""
    known = {layer: k for layer, k in found.layers.items() if k.n}
    rows = [[layer, found.kappa[layer], k.n, 100 * k.observed, 100 * k.expected] for layer, k in known.items()]
    rows.append(["overall", found.kappa["overall"], "", "", ""])
    console.table(["layer", "kappa", "units", "agreed %", "by chance %"], rows)
    if out:
        found.write(out)
        print(f"{len(found.disagreements)} disagreements in {out}", file=sys.stderr)
