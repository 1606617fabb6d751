"""GraphML, NetworkX, Parquet and Neo4j hold the same nodes and edges."""

import csv
import re
from collections import Counter

import networkx
import pyarrow.parquet as pq
import pytest

from openmie.errors import OpenMIEError
from openmie.graph import FORMATS, build_graph, to_networkx
from openmie.graph.neo4j import load_script
from openmie.graph.property_graph import COLUMNS, EDGES, NODES
from openmie.graph.type_mapping import read_mapping
from tests.fixtures.graph_results import hostile, results

DOCUMENTS = [*results(4, 4), hostile()]
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "graph"
    build_graph(DOCUMENTS, folder, ["graphml", "parquet", "neo4j"])
    return folder


@pytest.fixture(scope="module")
def graph():
    return to_networkx(DOCUMENTS)


def nodes(graph):
    return {id: {k: v for k, v in values.items() if v != ""} for id, values in graph.nodes(data=True)}


def edges(graph):
    return Counter((a, b, *sorted((k, v) for k, v in d.items() if v != "")) for a, b, d in graph.edges(data=True))


def test_networkx_holds_the_facts(graph):
    kinds = Counter(kind for _, kind in graph.nodes(data="kind"))
    assert kinds["Mention"] == sum(len(d.mentions) for d in DOCUMENTS)
    assert kinds["Region"] == sum(len(d.regions) for d in DOCUMENTS) and kinds["Document"] == len(DOCUMENTS)
    relations = sum(r.label != "None" for d in DOCUMENTS for r in d.relations)
    assert Counter(kind for *_, kind in graph.edges(data="kind"))["RELATION"] == relations
    first = DOCUMENTS[0].mentions[0]
    node = graph.nodes[f"urn:openmie:document/{DOCUMENTS[0].id}#mention-{first.id}"]
    assert (node["name"], node["start"], node["end"]) == (first.text, first.start, first.end)
    assert node["score"] == first.score and node["model"].startswith("openmie-base 1.0")


def test_graphml_is_read_by_networkx_as_the_same(folder, graph):
    found = networkx.read_graphml(folder / "graph.graphml", force_multigraph=True)

    def xml(value):  # what XML cannot hold, and its reading of line ends
        return _NOT_XML.sub("\ufffd", value) if isinstance(value, str) else value

    expected = {xml(id): {k: xml(v) for k, v in values.items()} for id, values in nodes(graph).items()}
    assert nodes(found) == expected
    assert found.number_of_edges() == graph.number_of_edges()
    assert Counter(d["kind"] for *_, d in found.edges(data=True)) == Counter(
        d["kind"] for *_, d in graph.edges(data=True)
    )


def test_parquet_holds_the_same(folder, graph):
    rows = pq.read_table(folder / "graph.parquet" / "nodes.parquet").to_pylist()
    assert {r.pop("id"): {k: v for k, v in r.items() if v not in (None, "")} for r in rows} == nodes(graph)
    rows = pq.read_table(folder / "graph.parquet" / "edges.parquet").to_pylist()
    ends = ((r.pop("source"), r.pop("target"), r) for r in rows)
    assert Counter((a, b, *sorted((k, v) for k, v in r.items() if v not in (None, ""))) for a, b, r in ends) == edges(
        graph
    )


def test_neo4j_files_fit_their_script(folder, graph):
    found = {}
    for kind, columns in COLUMNS.items():
        with (folder / "graph.neo4j" / f"{kind.lower()}.csv").open(encoding="utf8", newline="") as file:
            table = csv.reader(file)
            assert next(table) == [*(("id",) if kind in NODES else ("source", "target")), *columns]
            found[kind] = list(table)
    assert {row[0] for kind in NODES for row in found[kind]} == set(graph)
    assert sum(len(found[kind]) for kind in EDGES) == graph.number_of_edges()
    script = (folder / "graph.neo4j" / "load.cypher").read_text(encoding="utf8")
    assert set(re.findall(r"file:///(\w+)\.csv", script)) == {kind.lower() for kind in COLUMNS}
    for line in script.splitlines()[2:]:
        assert line.endswith(";") and line.count("{") == line.count("}")


def test_a_label_ends_no_statement():
    script = load_script(["a`b' } RETURN 1; //", "line\nbreak", "plain", r"code\u0060]->() //"])
    assert "[r:`a``b' } RETURN 1; //`]" in script and r"row.label = 'a`b\' } RETURN 1; //'" in script
    assert "line" not in script and "u0060" not in script and "[r:`plain`]" in script


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_by_its_ending_and_one_that_does_not_fit(name, tmp_path):
    other = "turtle" if name != "turtle" else "nquads"
    with pytest.raises(OpenMIEError):
        build_graph(DOCUMENTS[:1], tmp_path / f"g{FORMATS[name].suffix}", [other])
    assert not list(tmp_path.iterdir())
    build_graph(DOCUMENTS[:1], tmp_path / f"g{FORMATS[name].suffix}")
    assert (tmp_path / f"g{FORMATS[name].suffix}").is_dir() == FORMATS[name].folder


def test_types_of_ones_own(tmp_path):
    (tmp_path / "types.json").write_text(
        '{"types": {"PER": "schema:Patient"}, "relations": {"couple": ["https://x.org/y"]}}'
    )
    found = read_mapping(tmp_path / "types.json")
    assert found.types == {"PER": ("schema:Patient",)} and found.relations == {"couple": ("https://x.org/y",)}
    assert read_mapping().types["PER"] == ("schema:Person", "wd:Q5")
    for text in ("[types]\nPER = 'no iri'", "[typos]", "[types]\nPER = 3", "types = 1", "[["):
        (tmp_path / "t.toml").write_text(text)
        with pytest.raises(OpenMIEError):
            read_mapping(tmp_path / "t.toml")
