"""Sixteen bytes that say whether a row's content changed."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mappings.hashing import content_hash
from mappings.model import ORDER, Field, Type

A, B, N = Field("a", "a"), Field("b", "b"), Field("n", "n", Type.MONEY)
FIELDS = (A, B, N)
TYPES = {"a": pl.String, "b": pl.String, "n": pl.Int64}


def digests(*rows, fields=FIELDS):
    frame = pl.DataFrame(list(rows), schema=TYPES, orient="row")
    return content_hash(frame, fields).to_list()


def test_the_digest_never_changes_from_one_version_of_ours_or_of_a_library_to_the_next():
    rows = [("x", None, 125_000), ("", "张三", None), (None, None, None)]
    assert [digest.hex() for digest in digests(*rows)] == [
        "b3299c857bf991989ec173f4f2f99cc2",
        "23a2e10d1e82ea0bb509a839e3a4d7bb",
        "cae66941d9efbd404e4d88758ea67670",
    ]


def test_null_is_not_empty_text_and_columns_do_not_run_into_each_other():
    rows = [("", None, None), (None, "", None), (None, None, None), ("ab", "", 1), ("a", "b", 1), ("a=b", None, 1)]
    rows += [("x", "y", None), ("x\0b=y", None, None), ("x\1ab=y", None, None)]
    assert len(set(digests(*rows))) == len(rows)


@given(
    st.lists(st.tuples(*[st.none() | st.text("\0\1ab=", max_size=4)] * 2, st.none() | st.integers(-9, 9)), max_size=9)
)
def test_digests_are_equal_exactly_where_contents_are(rows):
    found = digests(*rows)
    assert len(set(found)) == len(set(rows))
    assert found == [digests(row)[0] for row in rows]


def test_a_column_that_the_model_gains_changes_nothing_while_it_is_empty():
    frame = pl.DataFrame({"a": ["x"], "new": [None]}, schema={"a": pl.String, "new": pl.String})
    assert content_hash(frame, (A,)).equals(content_hash(frame, (A, Field("new", "新"))))
    assert content_hash(frame, (A,)).equals(content_hash(frame.drop("new"), (A, Field("new", "新"))))


def test_the_order_of_columns_in_the_frame_does_not_matter():
    frame = pl.DataFrame({"a": ["x"], "b": ["y"]})
    assert content_hash(frame, FIELDS).equals(content_hash(frame.select("b", "a"), FIELDS))


def test_digests_are_16_bytes_for_any_number_of_rows():
    frame = pl.DataFrame(schema={field.name: pl.String for field in ORDER.content()})
    assert content_hash(frame, ORDER.content()).dtype == pl.Binary
    assert content_hash(frame, ORDER.content()).len() == 0
    assert {len(digest) for digest in digests(("x", "y", 1), (None, None, None))} == {16}
