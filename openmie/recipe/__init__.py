"""A recipe says which parts a system is made of and how it is trained: frozen configs, written down as JSON.

`{"kind": "Cross", "heads": 8}` resolves against the closed unions of `parts.py`: no registry, no dotted path. A part of
the user's own is a config object in the recipe; it is saved under its class name and found again through `parts=`, or
through `load_parts`, which reads it from a Python file.
"""

from openmie.recipe.check import check, check_part
from openmie.recipe.own_parts import load_parts
from openmie.recipe.parts import KINDS, Group, Recipe, Training
from openmie.recipe.renamed import with_new_names
from openmie.recipe.serialization import difference, dump, load, set_field

__all__ = [
    "KINDS",
    "Group",
    "Recipe",
    "Training",
    "check",
    "check_part",
    "difference",
    "dump",
    "load",
    "load_parts",
    "set_field",
    "with_new_names",
]
