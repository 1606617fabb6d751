"""The names of the columns that hold a post: one value, from the options of a command to the readers of rows.

People write options (`text_column=tweet`, in a command, a spec or a call); a reader has one argument, `columns`.
`PostColumns.of` and `PostColumns.options` turn one into the other, `option_names` and `with_columns` do so for a
reader.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

_OPTIONS = {"text_column": "text", "image_column": "image", "id_column": "id", "id_prefix": "prefix"}


@dataclass(frozen=True)
class PostColumns:
    """Names of the columns that hold a post.

    Args:
        text: column of the text.
        image: column of the image's path, or of a list of paths; several, one image each, are parted by commas.
        id: column of the id; rows without one are numbered.
        prefix: of the numbers, such as `posts:`, where posts come from several files.
        layers: whether other fields of a Document may be columns; the cells of a table are texts and hold none.
    """

    text: str = "text"
    image: str = "image"
    id: str = "id"
    prefix: str = ""
    layers: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """The columns that options name: `text_column`, `image_column`, `id_column`, `id_prefix`.

        Args:
            options: of a reader; others are not looked at, and an empty one is as none.
        """
        given = {field: str(options[name]) for name, field in _OPTIONS.items() if options.get(name)}
        return replace(cls(), **given)  # type: ignore[arg-type]

    @property
    def images(self) -> tuple[str, ...]:
        """The image columns."""
        return tuple(name for name in self.image.split(",") if name) or ("image",)

    @property
    def roles(self) -> dict[str, str]:
        """Column -> what it holds: text, image or id."""
        return {self.text: "text", **dict.fromkeys(self.images, "image"), self.id: "id"}

    @property
    def are_usual(self) -> bool:
        """Whether the columns are called as the fields of a Document are."""
        return (self.text, self.image, self.id) == ("text", "image", "id")

    def options(self) -> dict[str, str]:
        """As options of a reader, where they are not as usual: `text_column` and so on."""
        return {
            name: value for name, field in _OPTIONS.items() if (value := getattr(self, field)) != getattr(USUAL, field)
        }


USUAL = PostColumns()


def option_names(reader: Callable[..., Any]) -> tuple[str, ...]:
    """The keyword options of a reader; `columns` is written as the options that name them."""
    parameters = inspect.signature(reader).parameters.values()
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return tuple(option for name in names for option in (_OPTIONS if name == "columns" else (name,)))


def with_columns(reader: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a reader takes them: those that name columns as its one argument `columns`, where it has that."""
    if "columns" not in inspect.signature(reader).parameters:
        return dict(options)
    others = {name: value for name, value in options.items() if name not in _OPTIONS}
    return {**others, "columns": PostColumns.of(options)}
