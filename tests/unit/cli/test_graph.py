"""`openmie graph` as a person runs it."""

import json

import pytest
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.errors import OpenMIEError
from tests.fixtures.graph_results import results


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    documents = results(2, 4)
    corpora.write(documents[:3], folder / "a.jsonl")
    corpora.write(documents[3:], folder / "b.jsonl")
    (folder / "broken.jsonl").write_text("no json\n" + documents[0].to_json() + "\n")
    return folder


def run(*arguments):
    return CliRunner().invoke(cli.app, ["graph", *map(str, arguments)])


def test_build_query_and_page(work, tmp_path):
    built = run("build", work / "a.jsonl", work / "b.jsonl", "--out", tmp_path / "g", "--format", "oxigraph")
    assert built.exit_code == 0, built.output
    assert "6 documents" in built.output and "merged by name" in built.output
    assert {p.name for p in (tmp_path / "g").iterdir()} == {"graph.oxigraph", "merges.csv", "shapes.ttl"}
    query = 'SELECT ?e ?name { ?e a mie:Entity ; mie:label "PER" ; rdfs:label ?name } ORDER BY ?name'
    shown = run("query", tmp_path / "g", query)
    assert shown.exit_code == 0 and shown.output.splitlines()[2].startswith("entity:PER/")
    lines = run("query", tmp_path / "g", query, "--format", "json").output.splitlines()
    found = [json.loads(line) for line in lines]
    assert found[0]["e"].startswith("urn:openmie:entity/PER/") and len(found) == len(shown.output.splitlines()) - 2
    assert run("query", tmp_path / "g", query, "--format", "csv").output.startswith('"e","name"\n')
    assert run("query", tmp_path / "g", "ASK { ?x a mie:Region }", "--format", "json").output == '{"answer": true}\n'
    page = run("page", tmp_path / "g", found[0]["name"], "--out", tmp_path / "p.html")
    assert page.exit_code == 0 and "entities" in page.output and (tmp_path / "p.html").stat().st_size > 10_000


def test_a_corpus_and_what_cannot_be_read(work, tmp_path):
    assert run("build", "diorama:test=3#test", "--out", tmp_path / "g.ttl").exit_code == 0
    broken = run("build", work / "broken.jsonl", "--out", tmp_path / "h.ttl")
    assert broken.exit_code == 3 and "broken.jsonl:1" in broken.output and "1 documents" in broken.output


@pytest.mark.parametrize(
    "query",
    ["SELECT nothing", "SELECT * { SERVICE <http://localhost:9/> { ?s ?p ?o } }", "select * { service silent ?x {} }"],
)
def test_a_query_that_is_refused(work, tmp_path, query):
    run("build", work / "a.jsonl", "--out", tmp_path / "g.ttl")
    failed = run("query", tmp_path / "g.ttl", query)
    assert isinstance(failed.exception, OpenMIEError)
    assert run("query", tmp_path / "g.ttl", 'ASK { ?service ?p "SERVICE" } # SERVICE').exit_code == 0


def test_what_is_no_graph(tmp_path):
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.ttl"):
        assert isinstance(run("query", path, "ASK {}").exception, OpenMIEError)
