"""How vision-language models write boxes: adapters by family, the words of a prompt, a probe for unknown models."""
