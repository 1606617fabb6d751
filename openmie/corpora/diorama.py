"""The public names of `openmie.diorama`."""

from openmie.diorama import *  # noqa: F403
