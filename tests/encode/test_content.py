import pyarrow as pa
import pytest

from accord.core.errors import CannotFit, InputError
from accord.encode.content import Content, check, texts

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c"],
        "description": ["big\n\tand\x00 red", None, ""],
        "title": ["Bus", "Car", None],
        "tags": [["x", "y"], [], None],
        "year": [1999.0, None, float("nan")],
    }
)


def test_default_fields_come_title_first() -> None:
    assert texts(ITEMS, Content()) == ["Bus big and red", "Car", ""]


def test_a_template_places_the_columns() -> None:
    wanted = Content(template="{title} ({year}): {tags} {{}}")
    assert texts(ITEMS, wanted) == ["Bus (1999): x, y {}", "Car (): {}", ""]


def test_long_texts_are_cut() -> None:
    assert texts(pa.table({"title": ["word " * 10_000]}), Content(max_chars=7)) == ["word wo"]


@pytest.mark.parametrize(
    "template", ["{title.__class__}", "{title[0]}", "{no}", "{}", "{0}", "{title!r}", "{title:>9}", "{"]
)
def test_a_template_may_only_name_columns(template: str) -> None:
    with pytest.raises(InputError):
        check(ITEMS, Content(template=template))


def test_an_unknown_column_is_named_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"\['brand'\].*item_id, description, title"):
        check(ITEMS, Content(fields=("title", "brand")))


def test_a_text_in_braces_is_no_template() -> None:
    assert texts(pa.table({"title": ["{year}"], "year": ["1"]}), Content(template="{title}!")) == ["{year}!"]


def test_items_without_text_cannot_be_fitted() -> None:
    with pytest.raises(CannotFit):
        check(pa.table({"item_id": ["a"], "price": [3]}), Content())
    with pytest.raises(CannotFit):
        check(pa.table({"title": [None, " \n"]}), Content())


def test_columns_missing_later_count_as_empty() -> None:
    assert texts(pa.table({"title": ["t"]}), Content(fields=("title", "brand"))) == ["t"]
