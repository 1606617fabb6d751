"""Training: `fit` yields events; selection is on dev only; a checkpoint resumes to the same bits on CPU."""

from openmie.train.fit import Event, fit

__all__ = ["Event", "fit"]
