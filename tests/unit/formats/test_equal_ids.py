"""Ids that came before are noted, as a set of them would tell."""

import random

from openmie.data.document import Document
from openmie.formats.equal_ids import _SeenIds, remark_equal_ids


def test_ids_are_known_as_by_a_set():
    ids, seen, known = random.Random(1), _SeenIds(), set()
    for _ in range(20_000):
        id = f"p{ids.randrange(9_000)}"
        assert seen.add(id) == (id not in known)
        known.add(id)
    assert len(seen._table) * 8 <= 24 * len(known)


def test_the_second_document_of_an_id_is_noted():
    found = list(remark_equal_ids(Document(id=id, text="x") for id in ("a", "b", "a", "a")))
    assert [len(d.errors) for d in found] == [0, 0, 1, 1] and found[2].errors[0].note
