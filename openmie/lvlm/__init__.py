"""Large vision-language models: what makes pictures of texts, for the systems that read them."""

from openmie.lvlm.translation import Paint, translate

__all__ = ["Paint", "translate"]
