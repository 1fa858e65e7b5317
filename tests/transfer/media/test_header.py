"""The header reader, which never loads pydicom, reads what pydicom reads."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.filereader import read_dataset
from transfer.media.samples import Make, data_set, write

from gateway.errors import Held
from gateway.transfer.media.dicomdir.elements import Window, encode
from gateway.transfer.media.dicomdir.header import header_in, read_header
from gateway.transfer.media.dicomdir.records_table import WANTED

FIXED = {0x00080016, 0x00080018, 0x00080005}


def _item(name: str, *below: Dataset) -> Dataset:
    item = Dataset()
    item.CodeMeaning = name
    if below:
        item.PurposeOfReferenceCodeSequence = below
    item.is_undefined_length_sequence_item = bool(len(name) % 2)
    return item


TEXT = st.text("ABCxyz 019^=.-", max_size=14)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "PN": st.sampled_from(["", "Doe^Jane", "Doe^Jane=X^Y", "Doe"]),
    "DA": st.sampled_from(["", "20261123", "19000101"]),
    "TM": st.sampled_from(["", "093000", "0930", "093000.123456"]),
    "DT": st.sampled_from(["", "20261123093100", "20261123093100.5+0100"]),
    "UI": st.sampled_from(["", "1.2.3", "1.2.840.10008.1.2.1", "2.25.99"]),
    "IS": st.sampled_from(["", "0", "-12", "2147483647"]),
    "DS": st.lists(st.sampled_from(["1", "-0.5", "1e-3"]), max_size=6),
    "CS": st.lists(st.sampled_from(["ORIGINAL", "PRIMARY", "Y"]), max_size=3),
    "US": st.integers(0, 0xFFFF),
    "SQ": st.lists(st.builds(_item, TEXT), max_size=2),
}
# What stands between the keys and must be stepped over: private, long, nested, of any length.
BETWEEN: dict[int, tuple[str, st.SearchStrategy[object]]] = {
    0x00080070: ("LO", TEXT),
    0x00081110: ("SQ", st.lists(st.builds(lambda name: _item(name, _item(name)), TEXT), max_size=2)),
    0x00090010: ("LO", st.just("TESTS")),
    0x00091001: ("OB", st.binary(max_size=70_000).map(lambda data: data + b"\0" * (len(data) % 2))),
    0x00091002: ("UN", st.binary(max_size=8).map(lambda data: data + b"\0" * (len(data) % 2))),
    0x00104000: ("LT", TEXT),
    0x00189073: ("FD", st.floats(allow_nan=False)),
    0x00280106: ("US", st.integers(0, 0xFFFF)),
    0x00400555: ("SQ", st.just([])),
    0x5400_0100: ("SQ", st.just([])),
}


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    ds = data_set()
    for tag in sorted(WANTED - FIXED):
        if draw(st.booleans()):
            vr = dictionary_VR(tag)
            ds.add_new(tag, vr, draw(VALUES.get(vr, TEXT)))
    for tag, (vr, values) in BETWEEN.items():
        if draw(st.booleans()):
            ds.add_new(tag, vr, draw(values))
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = draw(st.booleans())
    return ds


@given(data_sets())
def test_it_reads_of_any_data_set_what_pydicom_reads(tmp_path_factory: pytest.TempPathFactory, ds: Dataset) -> None:
    path = Path(write(tmp_path_factory.getbasetemp(), ds).path)
    try:
        found, expected = _read(path), pydicom.dcmread(path)
    finally:
        path.unlink()
    event("refused" if isinstance(found, str) else "read")
    if isinstance(found, str):  # refused in words: then a key that is required is empty
        assert "lacks" in found, found
        return
    assert set(found) == {tag for tag in WANTED if tag in expected}
    for tag, value in found.items():
        raw = expected.get_item(tag).value  # as encoded, but for what pydicom needs while it reads
        if dictionary_VR(tag) == "SQ":
            back = read_dataset(io.BytesIO(encode(tag, b"SQ", value)), is_implicit_VR=False, is_little_endian=True)
            assert back[tag].value == expected[tag].value
        elif dictionary_VR(tag) == "US":
            assert int.from_bytes(value, "little") == expected[tag].value
        else:
            assert value == (raw.encode() if isinstance(raw, str) else raw or b"").strip(b" \0")


def _read(path: Path) -> dict[int, bytes] | str:
    try:
        return read_header(path).values
    except Held as error:
        return error.message


def test_it_reads_the_same_of_a_file_that_was_read_already(make: Make) -> None:
    path = Path(make().path)
    data = path.read_bytes()
    assert header_in(Window(None, data), path) == read_header(path)
    with path.open("rb") as stream:
        for known in (0, 4, 140, 1000):
            assert header_in(Window(stream.fileno(), data[:known]), path) == read_header(path)
