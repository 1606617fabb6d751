"""The columns of a post: one value, which options become and which becomes options again."""

import inspect

import pytest

from openmie.errors import CorpusError
from openmie.formats import jsonl, registry
from openmie.formats.post_columns import USUAL, PostColumns, option_names, with_columns

OPTIONS = ("text_column", "image_column", "id_column", "id_prefix")


@pytest.mark.parametrize(
    "given",
    [{}, {"text_column": "tweet"}, {"image_column": "a,b", "id_column": "n"}, {"id_prefix": "x:", "text_column": "t"}],
)
def test_options_and_columns_are_an_inverse_pair(given):
    columns = PostColumns.of({**given, "images": "photos"})
    assert columns.options() == given and PostColumns.of(columns.options()) == columns
    assert columns.are_usual == (not {*given} - {"id_prefix"}) and (columns == USUAL) == (not given)


def test_no_reader_spells_the_options_out_but_all_that_read_rows_take_them(tmp_path):
    rows = {"jsonl", "json", "parquet", "csv"}
    for name, row in registry.FORMATS.items():
        parameters = inspect.signature(row.function(row.reader)).parameters
        assert not {*OPTIONS[:3]} & {*parameters}
        assert ("columns" in parameters) == (name in rows)
        assert {*OPTIONS} <= {*registry.accepted_options(name)} or name not in rows
    assert option_names(jsonl.read) == ("images", *OPTIONS)
    assert with_columns(jsonl.read, {"images": "x", "text_column": "t"}) == {
        "images": "x",
        "columns": PostColumns(text="t"),
    }
    assert with_columns(registry.FORMATS["conll"].function("read"), {"images": "x"}) == {"images": "x"}
    (tmp_path / "a.jsonl").write_text('{"tweet": "Ada"}\n', encoding="utf8")
    (found,) = registry.read(tmp_path / "a.jsonl", text_column="tweet", id_prefix="a:")
    assert (found.id, found.text) == ("a:1", "Ada")
    (found,) = jsonl.read(tmp_path / "a.jsonl", columns=PostColumns(text="tweet"))
    assert (found.id, found.text) == ("1", "Ada")
    with pytest.raises(CorpusError, match="Unknown options 'columns'"):
        next(registry.read(tmp_path / "a.jsonl", columns="tweet"))
