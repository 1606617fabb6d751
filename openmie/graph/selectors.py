"""Boxes as Media Fragments (`xywh=pixel:15,14,349,495`), and back without loss.

Media Fragments URI 1.0 writes whole pixels. A box with fractions of pixels is written with decimals, which a strict
parser of the fragment refuses: rounding would lose where the box was. Width and height are exact decimal differences,
so that `parse_xywh(format_xywh(box)) == box` for all finite numbers.
"""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from openmie.data.document import Box
from openmie.errors import OpenMIEError

_EXACT = Context(prec=1600, Emax=MAX_EMAX, Emin=MIN_EMIN)  # digits from the largest float to the smallest
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_XYWH = re.compile(rf"xywh=(?:pixel:)?{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}")


def format_xywh(box: Box) -> str:
    """A box (x0, y0, x1, y1) in pixels as a fragment: left, top, width and height."""
    left, top, right, bottom = (Decimal(repr(float(x))) for x in box)
    sizes = (left, top, _EXACT.subtract(right, left), _EXACT.subtract(bottom, top))
    return "xywh=pixel:" + ",".join(map(_plain, sizes))


def parse_xywh(fragment: str) -> Box:
    """The box (x0, y0, x1, y1) of a fragment.

    Raises:
        OpenMIEError: no fragment of this kind, such as one in percent.
    """
    match = _XYWH.fullmatch(fragment)
    if not match:
        raise OpenMIEError(
            f"the fragment {fragment[:100]!r}",
            expected="xywh=pixel:LEFT,TOP,WIDTH,HEIGHT",
            remedy="write boxes in pixels",
        )
    left, top, width, height = map(Decimal, match.groups())
    right, bottom = _EXACT.add(left, width), _EXACT.add(top, height)
    return float(left), float(top), float(right), float(bottom)


def _plain(number: Decimal) -> str:
    """Without an exponent and without zeros behind the point."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
