"""Offsets of other programs: code points, UTF-16 units, and CRLF counted as one."""

import json

from hypothesis import given
from hypothesis import strategies as st

from openmie.formats import registry
from openmie.text.offset_readings import best_reading, offset_readings


def test_a_text_of_plain_lines_has_one_reading():
    assert len(offset_readings("Mira sings\nTolk")) == 1 and len(offset_readings("Mira \U0001f600\r\nTolk")) == 4


@given(st.text("ab\r\n\U0001f600é", max_size=12))
def test_each_reading_counts_as_its_program_does(text):
    """Against what a browser would see: the text in UTF-16, and with CRLF turned into LF."""
    counts = (
        lambda prefix: len(prefix),
        lambda prefix: len(prefix.encode("utf-16-le")) // 2,
        lambda prefix: len(prefix.replace("\r\n", "\n")),
        lambda prefix: len(prefix.replace("\r\n", "\n").encode("utf-16-le")) // 2,
    )
    readings = offset_readings(text)
    for count in counts:
        ends = [n for n in range(len(text) + 1) if not (text[n - 1 : n] == "\r" and text[n : n + 1] == "\n")]
        assert any(all(reading(count(text[:n])) == n for n in ends) for reading in readings)


def test_the_reading_under_which_most_spans_fit():
    assert best_reading([[None, (0, 1)], [(2, 3), (0, 1)]]) == 1 and best_reading([[(0, 1)], [(1, 2)]]) == 0


def test_a_browser_that_counted_crlf_as_one(tmp_path):
    """Label Studio: both mentions are found by their own text."""
    text = "Hallo\r\nMira\r\nin Quend"
    shown = text.replace("\r\n", "\n")
    result = [
        {
            "id": name,
            "type": "labels",
            "from_name": "label",
            "to_name": "text",
            "value": {
                "start": shown.index(name),
                "end": shown.index(name) + len(name),
                "text": name,
                "labels": [label],
            },
        }
        for name, label in (("Mira", "PER"), ("Quend", "LOC"))
    ]
    (tmp_path / "export.json").write_text(
        json.dumps([{"id": 1, "data": {"text": text}, "annotations": [{"result": result}]}])
    )
    (found,) = registry.read(tmp_path / "export.json")
    assert [(m.text, m.label, m.start) for m in found.mentions] == [("Mira", "PER", 7), ("Quend", "LOC", 16)]
    assert found.errors == ()
