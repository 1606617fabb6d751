"""Build a graph: documents are read once into a file of facts, entities merged, and every format written from it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources as package_files
from pathlib import Path
from typing import IO, Any

from openmie.data import temporary_siblings as siblings
from openmie.data.document import Document
from openmie.errors import OpenMIEError
from openmie.formats import output
from openmie.graph import rdf_writing
from openmie.graph.fact_store import FactStore
from openmie.graph.graphml import write_graphml
from openmie.graph.iris import BASE, GraphNames
from openmie.graph.merge_table import apply_merges, write_merges
from openmie.graph.merging import RULES, Embed, MergeCounts, merge_entities
from openmie.graph.property_graph import Edge, Node, nodes_and_edges
from openmie.graph.resources import Resource, ResourceWriter
from openmie.graph.type_mapping import TypeMapping, read_mapping

MERGES, SHAPES = "merges.csv", "shapes.ttl"  # files of the folder beside the graph


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """How a graph is built.

    Args:
        base: what its IRIs begin with.
        rules: by which entities of several documents are merged: `name`, and `alias` besides; none: by nothing.
        similarity: least cosine similarity of the embeddings of two names of one type that are merged; None: any.
        embed: names -> embeddings, (names, D); needed for `similarity`.
        merges: an edited table of merges, which wins over the rules.
        types: a mapping to other vocabularies; None: that of the package.
        text: whether documents carry their texts.

    Raises:
        OpenMIEError: an unknown rule, aliases without names, or a similarity outside 0 to 1.
    """

    base: str = BASE
    rules: tuple[str, ...] = RULES
    similarity: float | None = None
    embed: Embed | None = None
    merges: str | os.PathLike[str] | None = None
    types: str | os.PathLike[str] | None = None
    text: bool = True

    def __post_init__(self) -> None:
        GraphNames(self.base)
        for rule in self.rules:
            if rule not in RULES:
                raise OpenMIEError.unknown("rule", rule, RULES)
        if "alias" in self.rules and "name" not in self.rules:
            raise OpenMIEError("the rule alias alone", expected="name,alias", remedy="name both, or name alone")
        if self.similarity is not None and (self.embed is None or not 0 < self.similarity <= 1):
            raise OpenMIEError(
                f"similarity={self.similarity}" + (" without embeddings" if self.embed is None else ""),
                expected="a number above 0 and at most 1, and a function that embeds names",
                remedy="pass embed, or leave similarity out",
            )


@dataclass(frozen=True)
class BuiltGraph:
    """What was built.

    Args:
        documents: their number.
        local: entities in documents.
        entities: entities of the graph.
        counts: of merges.
        edited: rows of the table of merges that differ from the rules.
        unknown: rows of the table that name what no document has.
        rules: the rules that were followed, in words.
    """

    documents: int
    local: int
    entities: int
    counts: MergeCounts
    edited: int
    unknown: int
    rules: tuple[str, ...]


@dataclass(frozen=True)
class _Graph:
    """What a writer needs: the facts, as resources or as nodes and edges."""

    store: FactStore
    names: GraphNames
    mapping: TypeMapping
    options: GraphOptions
    paths: Callable[[str], str]
    rules: tuple[str, ...]

    def resources(self) -> Iterator[Resource]:
        writer = ResourceWriter(self.names, self.mapping, self.options.text, self.paths)
        return writer.all(self.store, self.rules)

    def items(self) -> Iterator[Node | Edge]:
        return nodes_and_edges(self.store, self.names, self.mapping, self.options.text, self.paths)


def _turtle(graph: _Graph, file: IO[bytes]) -> None:
    rdf_writing.write_turtle(graph.resources(), file, graph.names.prefixes())


def _jsonld(graph: _Graph, file: IO[bytes]) -> None:
    rdf_writing.write_jsonld(graph.resources(), file, graph.names.prefixes())


def _nquads(graph: _Graph, file: IO[bytes]) -> None:
    rdf_writing.write_nquads(graph.resources(), file)


def _graphml(graph: _Graph, file: IO[bytes]) -> None:
    write_graphml(graph.items(), file)


def _oxigraph(graph: _Graph, folder: Path) -> None:
    from openmie.graph.query import fill_oxigraph

    fill_oxigraph(graph.resources(), folder)


def _neo4j(graph: _Graph, folder: Path) -> None:
    from openmie.graph.neo4j import write_neo4j

    write_neo4j(graph.items(), folder)


def _parquet(graph: _Graph, folder: Path) -> None:
    from openmie.graph.node_tables import write_parquet

    write_parquet(graph.items(), folder)


@dataclass(frozen=True)
class GraphFormat:
    """One row of `FORMATS`.

    Args:
        suffix: of its file or folder.
        write: the writer; it gets an open file, or an empty folder.
        folder: whether it is a folder.
    """

    suffix: str
    write: Callable[[_Graph, Any], None]
    folder: bool = False


FORMATS = {
    "turtle": GraphFormat(".ttl", _turtle),
    "jsonld": GraphFormat(".jsonld", _jsonld),
    "nquads": GraphFormat(".nq", _nquads),
    "graphml": GraphFormat(".graphml", _graphml),
    "oxigraph": GraphFormat(".oxigraph", _oxigraph, folder=True),
    "neo4j": GraphFormat(".neo4j", _neo4j, folder=True),
    "parquet": GraphFormat(".parquet", _parquet, folder=True),
}
DEFAULT = ("turtle", "oxigraph")


def build_graph(
    documents: Iterable[Document],
    out: str | os.PathLike[str],
    formats: Iterable[str] = (),
    options: GraphOptions | None = None,
    table: str | os.PathLike[str] | None = None,
) -> BuiltGraph:
    """Build a graph and write it.

    Args:
        documents: results, read once; any number.
        out: a file or folder whose ending is one of `FORMATS`, for that format alone; or else a new folder, for
            `graph.ttl` and others of `formats`, the table of merges and the SHACL shapes.
        formats: names of `FORMATS`, for a folder; default: `DEFAULT`.
        options: how it is built.
        table: a file for the table of merges, besides that of a folder.

    Returns:
        How many documents and entities there are, and what was merged.

    Raises:
        OpenMIEError: an unknown format, options that do not fit, a table or a mapping that cannot be read.
        OutputError: a path that cannot be written.
        MissingPackageError: the format `oxigraph` without its package.
    """
    options, target, chosen = options or GraphOptions(), Path(out), tuple(formats)
    for name in chosen:
        if name not in FORMATS:
            raise OpenMIEError.unknown("format", name, FORMATS)
    single = next((f for f in FORMATS.values() if target.suffix.lower() == f.suffix), None)
    if single and chosen and [FORMATS[name] for name in chosen] != [single]:
        raise OpenMIEError(
            f"formats {', '.join(chosen)} for {target.name}",
            expected=f"a folder for several formats, or a name that ends in {FORMATS[chosen[0]].suffix}",
            remedy="name a folder with --out, or leave --format out",
        )
    names, mapping = GraphNames(options.base), read_mapping(options.types)
    paths = _relative_to(target.parent if single else target)
    opened: Any = output.new_folder(target) if not single or single.folder else output.open_output(out)
    with opened as place, _working_folder(target) as folder:
        store, built = fill_store(folder / "facts", documents, options)
        with store:
            graph = _Graph(store, names, mapping, options, paths, built.rules)
            if table is not None:
                write_merges(store, table)
            if single:
                single.write(graph, place)
            else:
                _write_folder(graph, place, chosen or DEFAULT)
    return built


def fill_store(path: Path, documents: Iterable[Document], options: GraphOptions) -> tuple[FactStore, BuiltGraph]:
    """Read documents into a file of facts and merge their entities.

    Args:
        path: of the new file.
        documents: what to read.
        options: how entities are merged.
    """
    store = FactStore(path, by_name="name" in options.rules)
    for document in documents:
        store.add(document)
    store.finish()
    counts = merge_entities(store, "alias" in options.rules, options.similarity, options.embed)
    edited, unknown = apply_merges(store, options.merges) if options.merges is not None else (0, 0)
    return store, BuiltGraph(*store.counts(), counts, edited, unknown, tuple(_in_words(options)))


def _in_words(options: GraphOptions) -> Iterator[str]:
    if "name" in options.rules:
        yield "name: equal names of one type, without regard to case, quotation marks, '#', '@' and 'the' before them"
    if "alias" in options.rules:
        yield "alias: a name that is, in a chain, another name of exactly one entity of its type"
    if options.similarity is not None:
        yield f"similarity: embeddings of two names of one type with a cosine of at least {options.similarity:g}"
    if options.merges is not None:
        yield "edited: the table of merges, which wins over the others"


def _write_folder(graph: _Graph, place: Path, formats: Iterable[str]) -> None:
    for name in dict.fromkeys(formats):
        row = FORMATS[name]
        target = place / f"graph{row.suffix}"
        if row.folder:
            target.mkdir()
            row.write(graph, target)
        else:
            with target.open("wb") as file:
                row.write(graph, file)
    write_merges(graph.store, place / MERGES)
    shapes = package_files.files("openmie.graph").joinpath(SHAPES).read_bytes()
    (place / SHAPES).write_bytes(shapes)


@contextmanager
def _working_folder(target: Path) -> Iterator[Path]:
    """A folder beside the output, where there is room, and where the next writer removes what a killed one left.

    For pipes and devices, the folder of temporary files.
    """
    place = Path(os.path.realpath(target))
    regular = not place.exists() or place.is_file() or place.is_dir()
    beside = regular and os.access(place.parent, os.W_OK)
    if beside:
        siblings.remove_left_behind(place)
    prefix = siblings.name_part(place) if beside else "openmie-graph-"
    made = Path(tempfile.mkdtemp(dir=place.parent if beside else None, prefix=prefix, suffix=".tmp"))
    try:
        with siblings.held(siblings.opened(made)):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _relative_to(folder: Path) -> Callable[[str], str]:
    """Image paths relative to the graph, so that both can be moved together."""
    root = os.path.abspath(folder)
    return lambda path: Path(os.path.relpath(os.path.abspath(path), root)).as_posix()
