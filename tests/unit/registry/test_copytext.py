"""The text format of COPY, read back by a slow parser of the format's definition."""

from hypothesis import given
from hypothesis import strategies as st

from registry.copytext import NULL, copy_bytes, copy_text, copy_text_array

texts = st.text(st.characters(exclude_categories=["Cs"]))


def parse_column(column: str) -> str | None:
    """A text column by the rules of PostgreSQL's manual, one character at a time."""
    if column == "\\N":
        return None
    meanings = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
    read, rest = [], iter(column)
    for character in rest:
        if character == "\\":
            character = next(rest)
            character = meanings.get(character, character)
        read.append(character)
    return "".join(read)


@given(st.none() | texts)
def test_a_column_reads_back_and_holds_no_separator(value: str | None) -> None:
    column = copy_text(value)
    assert "\t" not in column
    assert "\n" not in column
    assert "\r" not in column
    assert parse_column(column) == (None if value is None else value.replace("\0", "\ufffd"))


@given(st.just("\\N") | st.just("N") | texts.map(lambda rest: "\\" + rest))
def test_no_text_reads_back_as_null(value: str) -> None:
    assert copy_text(value) != NULL
    assert parse_column(copy_text(value)) is not None


@given(st.binary())
def test_bytes_are_hexadecimal(value: bytes) -> None:
    assert parse_column(copy_bytes(value)) == "\\x" + value.hex()


def test_an_array_is_quoted_then_escaped() -> None:
    assert parse_column(copy_text_array(['a"b', "c\\d", "e,f"])) == r'{"a\"b","c\\d","e,f"}'
    assert copy_text_array([]) == "{}"
