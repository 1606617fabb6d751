"""Ten SPARQL questions to a graph of Diorama, answered as loops over the Documents answer them.

The loops merge by their own reading of the corpus: each word of a name there begins with a capital or a digit ("The
famous teacher" is none), and equal names of one type are one entity; so the graph is built with the rule `name` alone.
"""

from collections import Counter

import pytest

from openmie.graph import GraphOptions, build_graph
from openmie.graph.query import ask, graph_names, open_store, rows
from tests.fixtures.graph_results import results

DOCUMENTS = results(16, 40)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "g.oxigraph"
    build_graph(DOCUMENTS, path, options=GraphOptions(rules=("name",)))
    return open_store(path)


class Gold:
    """Entities of a document: id of each mention and chain -> (type, name in lower case, or the document and id)."""

    def __init__(self, document):
        self.document, self.of, self.title = document, {}, {}
        texts = {m.id: m.text for m in document.mentions}
        groups = [(c.id, c.label, c.mentions) for c in document.chains]
        chained = {m for _, _, members in groups for m in members}
        groups += [(m.id, m.label, (m.id,)) for m in document.mentions if m.id not in chained]
        for id, label, members in groups:
            words = {m: texts[m].split() for m in members}
            names = [texts[m] for m in members if all(w[0].isupper() or w[0].isdigit() for w in words[m])]
            name = max(names, key=len, default="")
            key = (label, name.lower()) if name else (label, document.id, id)
            self.of |= dict.fromkeys((id, *members), key)
            self.title[key] = name or texts[members[0]]
        self.entities = set(self.of.values())

    def seen(self):
        """Image -> entities."""
        found = {}
        for r in self.document.regions:
            if r.of:
                found.setdefault(r.image, set()).add(self.of[r.of])
        return found

    def relations(self):
        return {(self.of[r.head], r.label, self.of[r.tail]) for r in self.document.relations if r.label != "None"}


GOLD = [Gold(d) for d in DOCUMENTS]
TITLES = {key: title for gold in reversed(GOLD) for key, title in gold.title.items()}


def lower(*keys):
    return tuple(TITLES[key].lower() for key in keys)


def beside():
    return {
        lower(p, c) for g in GOLD for s in g.seen().values() for p in s for c in s if (p[0], c[0]) == ("PER", "ORG")
    }


def documents_of_places():
    return set(Counter(lower(e)[0] for g in GOLD for e in g.entities if e[0] == "LOC").items())


def members():
    found = {(h, t) for g in GOLD for h, label, t in g.relations() if label in ("PER-ORG_member", "member_of")}
    return {lower(h, t) for h, t in found}


def images_of_persons():
    found = Counter(e for g in GOLD for s in g.seen().values() for e in s if e[0] == "PER")
    return {(*lower(e), n) for e, n in found.items() if n > 1}


def kinds_of_relations():
    return set(Counter(label for g in GOLD for h, label, t in g.relations() if h[0] == t[0] == "PER").items())


def never_seen():
    seen = {e for g in GOLD for s in g.seen().values() for e in s}
    return set(Counter(e[0] for e in {e for g in GOLD for e in g.entities} - seen).items())


def first_words():
    return {(d.id, m.text, m.start, m.end) for d in DOCUMENTS for m in d.mentions if m.start < 12}


def long_chains():
    return {(d.id, c.id, len(c.mentions)) for d in DOCUMENTS for c in d.chains if len(c.mentions) > 3}


def empty_images():
    kinds = ("main", "frame", "generated")
    shown = {(d.id, r.image) for d in DOCUMENTS for r in d.regions}
    return {(d.id, i.id) for d in DOCUMENTS for i in d.images if i.kind in kinds} - shown


def friends_of_friends():
    pairs = {frozenset((h, t)) for g in GOLD for h, label, t in g.relations() if h[0] == t[0] == "PER"}
    near = {(a, b) for pair in pairs if len(pair) == 2 for a in pair for b in pair - {a}}
    return {lower(a, c) for a, b in near for x, c in near if b == x and a != c and (a, c) not in near}


QUESTIONS = {
    "which persons are seen beside which company": (
        """SELECT DISTINCT ?person ?company { ?p mie:seenIn ?i ; mie:label "PER" ; rdfs:label ?person .
           ?c mie:seenIn ?i ; mie:label "ORG" ; rdfs:label ?company }""",
        beside,
    ),
    "how many documents mention each place": (
        """SELECT ?name (COUNT(DISTINCT ?d) AS ?n) { ?e a schema:Place ; rdfs:label ?name ; mie:mentionedIn ?d }
           GROUP BY ?e ?name""",
        documents_of_places,
    ),
    "who is a member of what": (
        """SELECT DISTINCT ?a ?b { ?p rel:PER-ORG_member|rel:member_of ?o . ?p rdfs:label ?a . ?o rdfs:label ?b }""",
        members,
    ),
    "who is seen in several images": (
        """SELECT ?name (COUNT(DISTINCT ?i) AS ?n) { ?e mie:label "PER" ; rdfs:label ?name ; mie:seenIn ?i }
           GROUP BY ?e ?name HAVING (COUNT(DISTINCT ?i) > 1)""",
        images_of_persons,
    ),
    "which relations hold between persons, and how often": (
        """SELECT ?label (COUNT(?r) AS ?n) { ?r a mie:Relation ; mie:label ?label ; rdf:subject/mie:label "PER" ;
           rdf:object/mie:label "PER" } GROUP BY ?label""",
        kinds_of_relations,
    ),
    "how many entities of each type are never seen": (
        """SELECT ?type (COUNT(?e) AS ?n) { ?e a mie:Entity ; mie:label ?type FILTER NOT EXISTS { ?e mie:seenIn ?i } }
           GROUP BY ?type""",
        never_seen,
    ),
    "who is named in the first words, and where exactly": (
        """SELECT ?id ?text ?start ?end { ?m a mie:Mention ; oa:hasTarget ?t .
           ?t oa:hasSource/schema:identifier ?id ; oa:hasSelector/oa:exact ?text ;
           oa:hasSelector ?s . ?s oa:start ?start ; oa:end ?end FILTER(?start < 12) }""",
        first_words,
    ),
    "which chains have more than three mentions": (
        """SELECT ?id ?chain (COUNT(?m) AS ?n) { ?c a mie:Chain ; mie:id ?chain ; mie:mention ?m ;
           mie:inDocument/schema:identifier ?id } GROUP BY ?c ?id ?chain HAVING (COUNT(?m) > 3)""",
        long_chains,
    ),
    "in which images nothing was found": (
        """SELECT ?id ?image { ?i a schema:ImageObject ; schema:identifier ?image ;
           schema:isPartOf/schema:identifier ?id
           FILTER NOT EXISTS { ?t oa:hasSource ?i } }""",
        empty_images,
    ),
    "who knows somebody who knows whom": (
        """SELECT DISTINCT ?a ?c { ?x mie:label "PER" ; rdfs:label ?a . ?z mie:label "PER" ; rdfs:label ?c .
           ?y mie:label "PER" . { ?r1 rdf:subject ?x ; rdf:object ?y } UNION { ?r1 rdf:subject ?y ; rdf:object ?x }
           { ?r2 rdf:subject ?y ; rdf:object ?z } UNION { ?r2 rdf:subject ?z ; rdf:object ?y }
           FILTER(?x != ?z && ?x != ?y && ?y != ?z)
           FILTER NOT EXISTS {
             { ?r3 rdf:subject ?x ; rdf:object ?z } UNION { ?r3 rdf:subject ?z ; rdf:object ?x } } }""",
        friends_of_friends,
    ),
}


def test_there_are_ten():
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_graph_answers_as_the_documents_do(question, store):
    query, gold = QUESTIONS[question]
    found = [tuple(row.values()) for row in rows(ask(store, query, graph_names(store).prefixes()))]
    if gold not in (first_words, long_chains, empty_images, kinds_of_relations, never_seen):
        found = [tuple(v.lower() if isinstance(v, str) else v for v in row) for row in found]
    assert sorted(found) == sorted(gold()) != []
