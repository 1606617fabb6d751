"""Tasks: the six outputs of a recipe, each an inverse pair between a layer of documents and a head's tensors."""
