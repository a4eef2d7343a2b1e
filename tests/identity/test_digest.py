"""Digests compare identifiers without revealing them; sealed values come back only with the key."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity.digest import Keys
from mappings.problems import LiukeError

KEYS = Keys(bytes(range(32)))
OTHER = Keys(bytes(32))


def test_the_same_identifier_has_the_same_digest_only_under_the_same_key():
    assert KEYS.digest("phone", "", "+8613800010001") == KEYS.digest("phone", "", "+8613800010001")
    assert KEYS.digest("phone", "", "+8613800010001") != OTHER.digest("phone", "", "+8613800010001")


def test_digests_of_this_version_never_change():
    assert KEYS.digest("phone", "", "+8613800010001").hex() == "d307be36529fd9f380e705784bd96ee2"


@given(
    st.tuples(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4)),
    st.tuples(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4)),
)
def test_kind_scope_and_value_cannot_run_into_each_other(one, other):
    assert (KEYS.digest(*one) == KEYS.digest(*other)) == (one == other)


@given(st.text(max_size=8), st.text(max_size=8), st.text())
def test_a_sealed_value_opens_again_and_is_the_same_bytes_every_time(kind, scope, value):
    sealed = KEYS.seal(kind, scope, value)
    assert sealed == KEYS.seal(kind, scope, value)
    assert KEYS.open(kind, scope, KEYS.digest(kind, scope, value), sealed) == value


def test_a_sealed_value_does_not_show_the_value():
    assert b"13800010001" not in KEYS.seal("phone", "", "+8613800010001")


def test_nothing_opens_with_another_key_or_beside_another_identifier():
    digest, sealed = KEYS.digest("phone", "", "+8613800010001"), KEYS.seal("phone", "", "+8613800010001")
    wrong = [
        (OTHER, "phone", "", digest, sealed),
        (KEYS, "phone", "shop", digest, sealed),
        (KEYS, "email", "", digest, sealed),
        (KEYS, "phone", "", KEYS.digest("phone", "", "+8613900010002"), sealed),
        (KEYS, "phone", "", digest[:12] + b"\0\0\0\0", sealed),
        (KEYS, "phone", "", digest, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEYS, "phone", "", digest, b"\x02" + sealed[1:]),
    ]
    for keys, kind, scope, its_digest, its_sealed in wrong:
        with pytest.raises(ValueError, match="seal"):
            keys.open(kind, scope, its_digest, its_sealed)


def test_columns_are_protected_like_single_values_and_blanks_stay_blank():
    rows = pl.DataFrame(
        {
            "record_no": [1, 2, 3, 4],
            "kind": ["phone", "phone", "openid", "phone"],
            "scope": ["", "", "oa", ""],
            "value": ["+8613800010001", None, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", "+8613800010001"],
        }
    )
    protected = KEYS.protect(rows)
    assert protected.select(rows.columns).equals(rows)
    for (_, kind, scope, value), digest, sealed in zip(
        rows.rows(), protected["digest"], protected["value_enc"], strict=True
    ):
        assert digest == (value and KEYS.digest(kind, scope, value))
        assert sealed == (value and KEYS.seal(kind, scope, value))


def test_no_rows_are_protected_too():
    none = pl.DataFrame(schema={"kind": pl.String, "scope": pl.String, "value": pl.String})
    assert KEYS.protect(none).schema["digest"] == pl.Binary


def test_a_key_file_comes_back_as_it_was_written():
    keys = Keys.generate()
    assert Keys.from_bytes(keys.to_bytes()) == keys
    assert Keys.generate() != keys


def test_a_damaged_key_file_is_refused_instead_of_making_every_identifier_new():
    content = KEYS.to_bytes()
    for damaged in (b"", content[:-3], content.replace(b"A", b"B", 1), b"x" * 32, content.replace(b"-1 ", b"-2 ")):
        with pytest.raises(LiukeError) as error:
            Keys.from_bytes(damaged)
        assert error.value.problems[0].code == "identity.key-damaged"


def test_a_key_never_shows_itself():
    assert KEYS.secret.hex() not in repr(KEYS)
    assert str(KEYS.secret) not in repr(KEYS)
    assert KEYS.id not in ("", OTHER.id)
