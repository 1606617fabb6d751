"""Documents through RDF and back, and the three serialisations against each other and against rdflib."""

import os
import time
from io import BytesIO
from pathlib import Path

import pyoxigraph
import pytest

from openmie.data.document import Document, Image, Mention
from openmie.errors import OpenMIEError
from openmie.graph import GraphOptions, build_graph, read_graph
from openmie.graph.iris import PREFIXES, Iri, expand_iri
from openmie.graph.query import open_store
from openmie.graph.rdf_writing import write_turtle
from openmie.graph.resources import Resource
from tests.fixtures.graph_results import hostile, results, scored, without_crops

DOCUMENTS = [*results(6, 6), hostile()]
OF_SUFFIX = (".ttl", ".nq", ".jsonld")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    for suffix in OF_SUFFIX:
        build_graph(DOCUMENTS, folder / f"g{suffix}")
    return folder


def layers(document):
    """Equality with the scores, which `==` leaves out."""
    return document.model_dump(exclude={"source"})


@pytest.mark.parametrize("suffix", OF_SUFFIX)
def test_documents_come_back(files, suffix):
    found = list(read_graph(files / f"g{suffix}"))
    assert [layers(d) for d in found] == [layers(without_crops(d)) for d in DOCUMENTS]


def test_rdflib_reads_the_same_triples(tmp_path):
    import rdflib

    for suffix in OF_SUFFIX:
        build_graph([DOCUMENTS[-2], DOCUMENTS[-1]], tmp_path / f"g{suffix}")
    graphs = [set(rdflib.Graph().parse(tmp_path / f"g{suffix}")) for suffix in (".ttl", ".jsonld")]
    quads = rdflib.Dataset()
    quads.parse(tmp_path / "g.nq", format="nquads")
    graphs.append({(s, p, o) for s, p, o, _ in quads.quads()})
    assert len(graphs[0]) > 150 and graphs[0] == graphs[1] == graphs[2]


def test_a_named_graph_holds_what_one_document_says(files):
    store = open_store(files / "g.nq")
    graphs = {g.value for g in store.named_graphs()}
    assert len(graphs) == len(DOCUMENTS) + 1 and "urn:openmie:graph" in graphs


def test_two_results_for_one_document(tmp_path):
    """Facts of both, one document; a document with the same id and another text is another."""
    one = Document(id="d", text="Ada", mentions=(Mention(id="m", start=0, end=3, label="PER"),))
    two = one.replace(mentions=(Mention(id="m", start=0, end=3, label="MISC"),))
    three = Document(id="d", text="Bo", mentions=(Mention(id="m", start=0, end=2, label="PER"),))
    build_graph([one, two, three], tmp_path / "g.ttl")
    found = list(read_graph(tmp_path / "g.ttl"))
    assert sorted((d.text, d.mentions[0].label) for d in found) == [("Ada", "MISC"), ("Ada", "PER"), ("Bo", "PER")]
    text = (tmp_path / "g.ttl").read_text(encoding="utf8")
    assert text.count('schema:text "Ada"') == 2 and text.count("<urn:openmie:document/d>\n  a schema:CreativeWork") == 2
    assert "<urn:openmie:document/d/3>\n  a schema:CreativeWork" in text


def test_a_graph_without_texts(tmp_path):
    build_graph(DOCUMENTS[:1], tmp_path / "g.ttl", options=GraphOptions(text=False, base="https://example.org/g/"))
    text = (tmp_path / "g.ttl").read_text(encoding="utf8")
    assert "schema:text" not in text and "<https://example.org/g/document/diorama" in text
    assert [m.text for d in read_graph(tmp_path / "g.ttl") for m in d.mentions] == [
        m.text for m in DOCUMENTS[0].mentions
    ]


def test_image_paths_are_relative_to_the_graph(tmp_path):
    (tmp_path / "graphs").mkdir()
    document = Document(id="d", images=(Image(path=str(tmp_path / "photos" / "a.jpg"), id="i"),))
    build_graph([document], tmp_path / "graphs" / "g.ttl")
    assert next(read_graph(tmp_path / "graphs" / "g.ttl")).images[0].path == "../photos/a.jpg"


def test_provenance_of_each_fact(files):
    """Model, version and time of every mention, relation and region."""
    from openmie.graph import query_graph

    query = """SELECT (COUNT(DISTINCT ?f) AS ?n) ?name ?version ?when {
      ?f prov:wasGeneratedBy ?a ; prov:wasDerivedFrom ?d .
      ?a prov:wasAssociatedWith ?m ; prov:startedAtTime ?when . ?m rdfs:label ?name ; schema:softwareVersion ?version }
      GROUP BY ?name ?version ?when"""
    kept = [without_crops(d) for d in DOCUMENTS[:-1]]
    facts = sum(len(x) for d in kept for x in (d.mentions, d.relations, d.regions))
    facts += sum(len(d.chains) or len(d.mentions) for d in kept)  # entities
    assert query_graph(files / "g.nq", query) == [
        {"n": facts, "name": "openmie-base", "version": "1.0", "when": "2026-11-30T10:40:12Z"}
    ]


@pytest.mark.parametrize(("name", "data"), [("a.ttl", "no turtle"), ("a.xml", ""), ("missing.ttl", None)])
def test_what_is_no_graph_is_an_error(tmp_path, name, data):
    if data is not None:
        (tmp_path / name).write_text(data)
    with pytest.raises(OpenMIEError):
        list(read_graph(tmp_path / name))


def test_nothing_is_left_beside_the_graph(tmp_path):
    """Nor what a killed process left there an hour ago."""
    left = tmp_path / ".g.ttl.0123abcd.tmp"
    left.mkdir()
    (left / "facts").write_bytes(b"")
    os.utime(left, (time.time() - 3600,) * 2)
    build_graph([scored(DOCUMENTS[0])], tmp_path / "g.oxigraph")
    build_graph([scored(DOCUMENTS[0])], tmp_path / "g.ttl")
    assert {p.name for p in Path(tmp_path).iterdir()} == {"g.oxigraph", "g.ttl"}


def test_rdf_type_is_short_as_a_predicate_only():
    """`a` is no term of its own: as an object, as of a mapping to `rdf:type`, the name is written out."""
    said = [("rdf:type", Iri("mie:Relation")), ("rdf:predicate", Iri("rdf:type")), ("rdfs:label", 'a "b"\\\n\x01')]
    write_turtle([Resource("urn:x", said, "urn:g")], file := BytesIO(), PREFIXES)
    found = {triple.object.value for triple in pyoxigraph.parse(file.getvalue(), pyoxigraph.RdfFormat.TURTLE)}
    assert found == {expand_iri("mie:Relation"), expand_iri("rdf:type"), 'a "b"\\\n\x01'}
