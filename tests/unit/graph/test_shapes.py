"""What is written satisfies the SHACL shapes, which refuse a graph with something missing."""

import pytest

from openmie.graph import build_graph
from tests.fixtures.graph_results import hostile, results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "graph"
    build_graph([*results(2, 2), hostile()], folder, ["turtle"])
    return folder


@pytest.fixture(scope="module")
def validate(folder):
    """Whether a graph, given as text, satisfies the shapes of the folder, and what is wrong."""
    import pyshacl
    import rdflib

    shapes = rdflib.Graph().parse(folder / "shapes.ttl")

    def run(text):
        conforms, _, told = pyshacl.validate(rdflib.Graph().parse(data=text, format="turtle"), shacl_graph=shapes)
        return conforms, told

    return run


def test_the_graph_satisfies_the_shapes(folder, validate):
    conforms, told = validate((folder / "graph.ttl").read_text(encoding="utf8"))
    assert conforms, told


PREFIX = "@prefix mie: <urn:openmie:vocabulary#> . @prefix oa: <http://www.w3.org/ns/oa#> . "
PREFIX += (
    "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . "
)


@pytest.mark.parametrize(
    "text",
    [
        "<x:m> a mie:Mention .",
        '<x:s> a oa:TextPositionSelector ; oa:start "5"^^xsd:nonNegativeInteger ; oa:end "5"^^xsd:nonNegativeInteger .',
        '<x:s> a oa:FragmentSelector ; rdf:value "xywh=percent:1,2,3,4" .',
        "<x:r> a mie:Relation ; rdf:subject <x:a> ; rdf:object <x:b> .",
        '<x:e> a mie:Entity ; mie:label "PER" .',
    ],
)
def test_something_missing_is_refused(text, validate):
    assert not validate(PREFIX + text)[0]
