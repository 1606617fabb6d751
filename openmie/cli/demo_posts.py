"""Three posts for the end of the demo: texts of our own, with photographs that the package scikit-image carries.

The photographs are in the public domain: `astronaut` is NASA's, `chelsea` and `coffee` are given by their makers under
CC0. They are read from the installed package, which is not imported; nothing is fetched.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from openmie.data.document import Document, Image

PACKAGE = "skimage"
POSTS = {  # photograph -> text
    "astronaut.png": "Eileen Collins in 1992. Three years later she flew on Discovery, the first woman to pilot a "
    "Space Shuttle for NASA, from the Kennedy Space Center in Florida.",
    "chelsea.png": "Chelsea ignores the new basket from Ikea and sleeps in the box it came in. Happy Caturday from "
    "Berlin!",
    "coffee.png": "Espresso with Marta Lindqvist in Lisbon, on the last day of the Web Summit. Back to Rotterdam on "
    "Friday.",
}


def demo_posts() -> tuple[list[Document], str]:
    """The posts, and what is to be said of their photographs; "" where they are all there."""
    spec = find_spec(PACKAGE)
    folders = [Path(at) / "data" for at in (spec.submodule_search_locations or ())] if spec else []
    found = {name: next((at / name for at in folders if (at / name).is_file()), None) for name in POSTS}
    posts = [
        Document(
            id=name.removesuffix(".png"),
            text=text,
            images=(Image(path=str(at), id="main"),) if (at := found[name]) else (),
        )
        for name, text in POSTS.items()
    ]
    if all(found.values()):
        return posts, ""
    missing = ", ".join(name for name, at in found.items() if at is None)
    return posts, f"Without photographs ({missing}), which scikit-image carries: pip install 'openmie[demo]'"
