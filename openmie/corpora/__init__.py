"""Corpora: one public format per file, and the built-in generated corpus."""
