"""Alignments: a loss on two sides of the documents of a batch, tapped before or after the fusion."""
