"""Codec: inverse pairs between annotation and integers."""
