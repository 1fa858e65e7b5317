"""Files without a header of PS3.10: what is one is found, what is none is refused, whatever its bytes are."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiers import examples

from gateway.transfer import bare, part10

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3.4"


def explicit(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 8, element, vr, len(value)) + value


def implicit(element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 8, element, len(value)) + value


def looked_at(path: Path, data: bytes) -> part10.Header:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bare.read(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("first", [b"", explicit(0, b"UL", b"\0\1\0\0"), explicit(5, b"CS", b"ISO_IR 192")])
def test_an_explicit_data_set_says_what_it_is(tmp_path: Path, first: bytes) -> None:
    data = first + explicit(0x16, b"UI", CLASS.encode() + b"\0") + explicit(0x18, b"UI", INSTANCE.encode() + b"\0")
    assert looked_at(tmp_path / "f", data + bytes(20)) == part10.Header(CLASS, INSTANCE, EXPLICIT, 0)


def test_an_implicit_one_too(tmp_path: Path) -> None:
    data = implicit(5, b"ISO_IR 192") + implicit(0x16, CLASS.encode() + b"\0") + implicit(0x18, INSTANCE.encode())
    assert looked_at(tmp_path / "f", data + bytes(20)) == part10.Header(CLASS, INSTANCE, IMPLICIT, 0)


@settings(max_examples=examples(500), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                explicit, st.integers(0, 0x19), st.sampled_from([b"UI", b"CS", b"SQ", b"UN"]), st.binary(max_size=20)
            ),
            st.builds(implicit, st.integers(0, 0x19), st.binary(max_size=20)),
            st.just(b"\2\0\0\0UL\4\0\xff\xff\xff\xff"),
        ),
        max_size=6,
    ).map(b"".join)
)
@example(b"\2\0")
@example(explicit(6, b"SQ", b"") + struct.pack("<I", 0xFFFFFFFF))
def test_any_other_bytes_are_refused_with_words(tmp_path: Path, data: bytes) -> None:
    try:
        found = looked_at(tmp_path / "f", data)
    except ValueError as error:
        assert str(error)
    else:
        assert all(set(uid) <= set("0123456789.") and uid for uid in found.identity)
        assert 0 <= found.offset <= len(data)
