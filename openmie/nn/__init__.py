"""Tensors only: no Document, no path, no tokenizer, no network. Parts take Streams and return Streams."""
