"""Alignments: a contrastive loss between two modalities of the documents of a batch, before or after the fusion."""
