"""Training: `fit` yields events; selection is on dev only; a checkpoint resumes to the same bits on CPU."""

from openmie.train.fit import fit
from openmie.train.loop import Event

__all__ = ["Event", "fit"]
