"""Boxes as media fragments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmie.errors import OpenMIEError
from openmie.graph.selectors import format_xywh, parse_xywh

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("box", "fragment"),
    [
        ((15, 14, 364, 509), "xywh=pixel:15,14,349,495"),
        ((50.5, 39.0, 97.0, 117.0), "xywh=pixel:50.5,39,46.5,78"),
        ((0.1, 0, 0.3, 1), "xywh=pixel:0.1,0,0.2,1"),
        ((-3, -0.0, 3, 1e22), "xywh=pixel:-3,0,6,10000000000000000000000"),
    ],
)
def test_known_boxes(box, fragment):
    assert format_xywh(box) == fragment and parse_xywh(fragment) == box


@given(st.tuples(FINITE, FINITE, FINITE, FINITE))
def test_no_box_is_changed(box):
    assert parse_xywh(format_xywh(box)) == box


@pytest.mark.parametrize("fragment", ["xywh=percent:1,2,3,4", "xywh=1,2,3", "t=10", "", "xywh=pixel:1,2,3,nan"])
def test_other_fragments_are_errors(fragment):
    with pytest.raises(OpenMIEError):
        parse_xywh(fragment)
