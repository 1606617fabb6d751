"""Merging across documents by rules with reasons, and the table that undoes or adds merges."""

import csv

import numpy as np
import pytest

from openmie.data.document import Chain, Document, Mention
from openmie.errors import OpenMIEError
from openmie.graph import GraphOptions, build_graph, query_graph
from tests.fixtures.graph_results import HOSTILE, hostile


def named(id, *names, label="PER", chain=True):
    """A document whose mentions are these names, in one chain or each alone."""
    text, mentions = " ".join(names), []
    for i, name in enumerate(names):
        start = len(" ".join(names[:i])) + (i > 0)
        mentions.append(Mention(id=f"m{i}", start=start, end=start + len(name), label=label))
    chains = (Chain(id="c", mentions=tuple(m.id for m in mentions), label=label),) if chain else ()
    return Document(id=id, text=text, mentions=tuple(mentions), chains=chains)


def table(path):
    with open(path, encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def entities(documents, tmp_path, **options):
    """Entity of each (document, member), and the rule of the merge."""
    out = tmp_path / f"g{len(list(tmp_path.iterdir()))}.ttl"
    build_graph(documents, out, options=GraphOptions(**options), table=tmp_path / "t.csv")
    return {(r["document"], r["member"]): (r["entity"], r["rule"]) for r in table(tmp_path / "t.csv")}


def test_equal_names_of_one_type(tmp_path):
    documents = [named("a", "Ada"), named("b", "ADA", chain=False), named("c", "Ada", label="LOC"), named("d", "he")]
    found = entities([*documents, named("e", "he")], tmp_path)
    assert found[("a", "c")] == found[("b", "m0")] == ("PER/ada", "name")
    assert found[("c", "c")] == ("LOC/ada", "")
    assert found[("d", "c")][0] != found[("e", "c")][0]  # two pronouns are no name
    assert len({e for e, _ in entities(documents, tmp_path, rules=()).values()}) == 4


def test_an_alias_of_one_chain_merges_and_one_of_two_does_not(tmp_path):
    documents = [named("a", "Eileen Collins", "she", "Collins"), named("b", "Collins")]
    found = entities(documents, tmp_path)
    assert found[("b", "c")] == ("PER/eileen collins", "alias") and found[("a", "c")] == ("PER/eileen collins", "")
    assert "'Collins' is an alias in chain c of document a" in table(tmp_path / "t.csv")[1]["reason"]
    found = entities([*documents, named("c", "Phil Collins", "Collins")], tmp_path)
    assert found[("b", "c")] == ("PER/collins", "")
    assert entities(documents, tmp_path, rules=("name",))[("b", "c")] == ("PER/collins", "")


def test_similar_names(tmp_path):
    vectors = {"Sao Paulo": (1, 0), "São Paulo": (0.99, 0.1), "Turin": (0, 1)}
    documents = [named(str(i), name) for i, name in enumerate(vectors)]
    found = entities(documents, tmp_path, similarity=0.95, embed=lambda names: np.array([vectors[n] for n in names]))
    assert found[("1", "c")] == ("PER/sao paulo", "similarity") and found[("2", "c")] == ("PER/turin", "")
    assert "0.995" in table(tmp_path / "t.csv")[1]["reason"]


def test_edited_and_read_back(tmp_path):
    """A row moved off, two entities made one, and an unedited table that changes nothing."""
    documents = [
        named("a", "Ada"),
        named("b", "Ada"),
        named("c", "Bo"),
        named("d", "Eve Bly", "Bly"),
        named("e", "Bly"),
    ]
    before = entities(documents, tmp_path)
    assert entities(documents, tmp_path, merges=tmp_path / "t.csv") == before
    rows = table(tmp_path / "t.csv")
    for row in rows:
        row["entity"] = {"b": "PER/ada 2", "c": "PER/ada", "e": "PER/bly"}.get(row["document"], row["entity"])
    edited = tmp_path / "edited.csv"
    with edited.open("w", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = entities([*documents, named("f", "Bly"), named("g", "Ada")], tmp_path, merges=edited)
    assert found == {
        ("a", "c"): ("PER/ada", "name"),
        ("b", "c"): ("PER/ada 2", "edited"),
        ("c", "c"): ("PER/ada", "edited"),
        ("d", "c"): ("PER/eve bly", ""),
        ("e", "c"): ("PER/bly", "edited"),
        ("f", "c"): ("PER/bly", "name"),
        ("g", "c"): ("PER/ada", "name"),
    }
    same = """SELECT ?name ?l { ?e a mie:Entity ; rdfs:label ?name ; owl:sameAs ?l } ORDER BY ?name ?l"""
    build_graph(documents, tmp_path / "again.nq", options=GraphOptions(merges=edited))
    names = [(r["name"], r["l"].rpartition("/")[2]) for r in query_graph(tmp_path / "again.nq", same)]
    assert names == [
        ("Ada", "a#chain-c"),
        ("Ada", "b#chain-c"),
        ("Ada", "c#chain-c"),
        ("Bly", "e#chain-c"),
        ("Eve Bly", "d#chain-c"),
    ]


def test_hostile_names_come_back_from_the_table(tmp_path):
    """No cell runs in a spreadsheet, and none is changed by the way there and back."""
    documents = [
        hostile(),
        *(named(f"{i}{HOSTILE}", name) for i, name in enumerate(("=1+1 x", "'=1", "@a", "-b", HOSTILE))),
    ]
    before = entities(documents, tmp_path)
    for row in table(tmp_path / "t.csv"):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row.values())
    build_graph(documents, tmp_path / "h.ttl", options=GraphOptions(merges=tmp_path / "t.csv"))
    built = build_graph(documents, tmp_path / "h.ttl", options=GraphOptions(merges=tmp_path / "t.csv"))
    assert (built.edited, built.unknown) == (0, 0)
    assert entities(documents, tmp_path, merges=tmp_path / "t.csv") == before


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"entity,document,reading,member\nx,a,one,c\n", b"\xff\xfe\x00"])
def test_another_table_is_an_error(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(OpenMIEError) as error:
        entities([named("a", "Ada")], tmp_path, merges=tmp_path / "t.csv")
    assert "t.csv" in str(error.value)


def test_options_that_do_not_fit():
    for options in ({"rules": ("alias",)}, {"rules": ("nam",)}, {"similarity": 0.9}, {"base": "no iri"}):
        with pytest.raises(OpenMIEError):
            GraphOptions(**options)
