"""`openmie graph`: results as a knowledge graph, questions to it, and a page of what surrounds an entity."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError

app = typer.Typer(no_args_is_help=True, help="Results as a knowledge graph: build it, query it, look at it.")

Store = Annotated[str, typer.Argument(help="A store (.oxigraph), the folder that holds it, or a .ttl, .nq or .jsonld.")]


@app.command("build")
def build(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT...", help="What `extract` wrote, and any file, folder, pattern or FORMAT:PATH#SPLIT."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(help="New folder, or one file: .ttl .jsonld .nq .graphml, or a folder .oxigraph .neo4j .parquet."),
    ],
    format: Annotated[
        list[str] | None,
        typer.Option(help="In a folder: turtle, jsonld, nquads, graphml, oxigraph, neo4j, parquet; repeatable."),
    ] = None,
    merge: Annotated[
        str, typer.Option(help="Entities of several documents are merged by: name,alias; name; or none.")
    ] = "name,alias",
    similarity: Annotated[
        float | None, typer.Option(help="Also merge names whose embeddings have at least this cosine, such as 0.95.")
    ] = None,
    merges: Annotated[Path | None, typer.Option(help="An edited table of merges, which wins over all rules.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="Where to write the table of merges besides that of a folder.")
    ] = None,
    types: Annotated[
        Path | None, typer.Option(help="TOML or JSON: labels -> schema.org, Wikidata or other IRIs.")
    ] = None,
    base: Annotated[str, typer.Option(help="What the graph's own IRIs begin with.")] = "urn:openmie:",
    text: Annotated[bool, typer.Option("--texts/--no-texts", help="Whether documents carry their texts.")] = True,
    image_dir: options.ImageDir = None,
) -> None:
    """Build a knowledge graph: entities as nodes, relations as edges, each fact with its place, image, model and score.

    A folder gets graph.ttl, graph.oxigraph, the table of merges merges.csv and the shapes shapes.ttl. Says by which
    rules entities of several documents were merged. To undo or add merges, change the column `entity` of the table, and
    build again with --merges. The exit code is 3 if anything could not be read.

    Example: openmie graph build runs/extracted.jsonl --out runs/graph

    Example: openmie graph build runs/*.jsonl --out runs/graph2 --merges runs/graph/merges.csv --format parquet
    """
    from openmie.graph.build import GraphOptions, build_graph

    records: dict[ErrorRecord, None] = {}
    wanted = GraphOptions(
        base=base,
        rules=_rules(merge),
        similarity=similarity,
        embed=_embedding() if similarity is not None else None,
        merges=merges,
        types=types,
        text=text,
    )
    built = build_graph(_documents(results, image_dir, records), out, format or (), wanted, table)
    for rule in built.rules:
        console.say_line(f"merged by {rule}")
    counts = built.counts
    console.say_line(
        f"{built.documents:,} documents, {built.local:,} entities in them, {built.entities:,} in the graph; merged by "
        f"alias {counts.alias:,}, by similarity {counts.similarity:,}, by the table {built.edited:,}; "
        f"{counts.ambiguous:,} aliases stand for several names and merge nothing; in {out}"
    )
    if built.unknown:
        console.say_line(f"{built.unknown:,} rows of {merges} name what no document has")
    if console.say_records(records):
        raise typer.Exit(options.PARTIAL)


@app.command("query")
def query(
    store: Store,
    sparql: Annotated[str, typer.Argument(metavar="SPARQL", help="The query; - reads it from stdin.")],
    format: Annotated[str, typer.Option(help="table, csv or json (a line for each row).")] = "table",
    out: Annotated[str, typer.Option(help="File to write; default: stdout.")] = "-",
) -> None:
    """Ask a graph in SPARQL 1.1. Known prefixes: mie, rel, entity, document, oa, prov, schema, wd, owl, rdfs, ...

    Example: openmie graph query runs/graph 'SELECT ?name { ?e a mie:Entity ; mie:label "PER" ; rdfs:label ?name }'
    """
    from openmie.graph.answers import ANSWER_FORMATS, write_answer

    if format not in ANSWER_FORMATS:
        raise OpenMIEError.unknown("--format", format, ANSWER_FORMATS)
    write_answer(store, sys.stdin.read() if sparql == "-" else sparql, format, out)


@app.command("page")
def page(
    store: Store,
    entity: Annotated[str, typer.Argument(help="Name of the entity, its key (PER/ada), or its IRI.")],
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("neighbourhood.html"),
    steps: Annotated[int, typer.Option(help="How many relations or shared images away.", min=1, max=3)] = 1,
    max_entities: Annotated[int, typer.Option(help="Entities that are drawn at most.", min=2, max=200)] = 30,
    image_dir: options.ImageDir = None,
) -> None:
    """Draw what surrounds an entity: its relations, who is seen beside it, faces and boxes, and the posts that say so.

    The page is one file and asks no host for anything. Images are read in the folder of the graph, the
    working folder, and --image-dir.

    Example: openmie graph page runs/graph "Eileen Collins" --out runs/collins.html
    """
    from openmie.graph.page import write_neighbourhood

    found = write_neighbourhood(store, entity, out, steps=steps, most=max_entities, image_dir=image_dir)
    console.say_line(f"{len(found.entities)} entities, {len(found.links)} links, {len(found.posts)} posts: {out}")
    if found.left_out:
        console.say_line(f"{found.left_out} more entities are not drawn; raise --max-entities")
    if found.unread:
        console.say_line(f"{found.unread} images were not read: name their folder with --image-dir")


def _rules(merge: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in merge.split(",") if name.strip())
    return () if names == ("none",) else names


def _documents(results: list[str], image_dir: str | None, records: dict[ErrorRecord, None]) -> Any:
    """Documents of files or of a split; `records` collects what could not be read, and references that lead nowhere."""
    from openmie.formats.sources import read_sources

    named, hash_, split = results[0].rpartition("#")
    given = options.reader_options(image_dir, "", "", "")
    if len(results) == 1 and hash_ and not Path(results[0]).exists():
        from openmie import corpora

        corpus = corpora.load(named, **given)
        for document in corpus.split(split):
            records.update(dict.fromkeys((*document.errors, *document.dangling())))
            yield document
        records.update(dict.fromkeys(corpus.skipped))
        return
    for document in console.documents_of(read_sources(results, None, **given), records):
        records.update(dict.fromkeys(document.dangling()))
        yield document


def _embedding() -> Any:
    """Names -> embeddings of openmie-base's text tower."""
    from openmie.base.tower import TextTower

    tower = TextTower.load()
    return lambda names: tower.encode_texts(names).detach().numpy()
