"""Explicit to Implicit VR as a stream: the same bytes as pydicom and DCMTK write, or held with words."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
import pytest
from ecg_files import TWELVE_LEAD, write_ecg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers import need
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from tiers import examples
from transfer.media.samples import BASIC_TEXT, PDF, SECONDARY_CAPTURE, data_set

from gateway.errors import Held
from gateway.transfer import part10
from gateway.transfer.transcoding import implicit
from gateway.transfer.transcoding.implicit import to_implicit_little_endian

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def explicit_file(path: Path, ds: Dataset) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", TWELVE_LEAD)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2.3")
    ds.save_as(path, enforce_file_format=True)
    return path


def converted(path: Path, folder: Path) -> bytes:
    """The data set in Implicit VR, without a header."""
    with path.open("rb") as source, (folder / "made").open("w+b") as made:
        to_implicit_little_endian(source, part10.read(source.fileno(), "it").offset, made)
        made.seek(0)
        return made.read()


def read_implicit(data: bytes) -> Dataset:
    return pydicom.filereader.read_dataset(io.BytesIO(data), True, True)


def as_pydicom_writes_it(ds: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = stream.is_implicit_VR = True
    write_dataset(stream, ds)
    return bytes(stream.getvalue())


TAGS = {  # one of each kind of value, and some under the same tags in different VRs
    "SpecificCharacterSet": st.just("ISO_IR 192"),
    "PatientName": st.text("aÄ山^ ", max_size=20).map(str.strip),
    "PatientID": st.text("AB1", max_size=16),
    "StudyDate": st.just("20260101"),
    "SeriesNumber": st.integers(0, 9999),
    "PatientWeight": st.floats(1, 300).map(lambda x: round(x, 3)),
    "Rows": st.integers(0, 65535),
    "PixelRepresentation": st.integers(0, 1),
    "SimpleFrameList": st.lists(st.integers(0, 2**32 - 1), max_size=4),
    "ReferencePixelX0": st.integers(-(2**31), 2**31 - 1),
    "EventElapsedTimes": st.lists(st.floats(0, 1e6).map(lambda x: round(x, 2)), max_size=3),
    "RealWorldValueIntercept": st.floats(allow_nan=False, width=64),
    "TrackPointIndexList": st.binary(max_size=64).map(lambda b: b * 4),
    "FrameIncrementPointer": st.just(0x00181063),
    "TextValue": st.text("abc\n", max_size=200),
    "RetrieveURL": st.just("http://pacs.example/x"),
    "PixelData": st.binary(max_size=300).map(lambda b: b + b"\0" * (len(b) % 2)),
}
FILLED = st.fixed_dictionaries({}, optional=TAGS)


def _dataset(values: dict[str, Any], items: list[Dataset], undefined: bool, private: bytes | None) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        vr = dictionary_VR(pydicom.datadict.tag_for_keyword(keyword) or 0).split(" or ")[-1]
        ds.add_new(keyword, vr, value)
    if items:
        ds.ReferencedSeriesSequence = Sequence(items)
        ds["ReferencedSeriesSequence"].is_undefined_length = undefined
        for item in items:
            item.is_undefined_length_sequence_item = undefined
    if private is not None:
        block = ds.private_block(0x0029, "GATEWAY TEST", create=True)
        block.add_new(1, "OB", private + b"\0" * (len(private) % 2))
        block.add_new(2, "UN", private + b"\0" * (len(private) % 2))
        block.add_new(3, "SQ", [Dataset()])
    return ds


DATASETS = st.recursive(
    st.builds(_dataset, FILLED, st.just([]), st.just(False), st.none() | st.binary(max_size=9)),
    lambda inner: st.builds(
        _dataset, FILLED, st.lists(inner, max_size=3), st.booleans(), st.none() | st.binary(max_size=9)
    ),
    max_leaves=8,
)


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ds=DATASETS)
def test_any_data_set_comes_out_as_pydicom_would_write_it(tmp_path: Path, ds: Dataset) -> None:
    path = explicit_file(tmp_path / "explicit.dcm", ds)
    assert converted(path, tmp_path) == as_pydicom_writes_it(pydicom.dcmread(path))


@pytest.mark.parametrize("sop_class", [TWELVE_LEAD, PDF, SECONDARY_CAPTURE, BASIC_TEXT])
@pytest.mark.parametrize("lengths", ["+e", "-e"])
def test_what_dcmtk_wrote_comes_out_as_dcmtk_would_convert_it(tmp_path: Path, sop_class: str, lengths: str) -> None:
    """With lengths of both kinds; ``+g``: with group lengths, which are left out."""
    path, theirs = tmp_path / "explicit.dcm", tmp_path / "theirs.dcm"
    explicit_file(tmp_path / "first.dcm", data_set(sop_class))
    subprocess.run([need("dcmconv"), "+te", lengths, "+g", str(tmp_path / "first.dcm"), str(path)], check=True)
    subprocess.run([need("dcmconv"), "+ti", lengths, "-g", str(path), str(theirs)], check=True)
    with theirs.open("rb") as stream:
        wanted = theirs.read_bytes()[part10.read(stream.fileno(), "it").offset :]
    assert converted(path, tmp_path) == wanted


def raw(*elements: tuple[int, bytes, bytes]) -> bytes:
    found = bytes(128) + b"DICM"
    for tag, uid in ((2, TWELVE_LEAD), (3, "1.2.3.4"), (0x10, EXPLICIT)):
        value = uid.encode() + b"\0" * (len(uid) % 2)
        found += struct.pack("<HH2sH", 2, tag, b"UI", len(value)) + value
    for tag, vr, value in elements:
        head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
        long = vr in (b"OB", b"OW", b"SQ", b"UN")
        found += head + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value
    return found


SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + raw((0x00080060, b"CS", b""))[-8:]


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ([(0x00280010, b"IS", b"12")], r"\(0028,0010\) is written as IS, and nobody could tell"),
        ([(0x00080060, b"CS", b"ECG"), (0xFFFEE00D, b"\0\0", b"")], "a delimiter where an element should start"),
        ([(0x00081115, b"SQ", SEQUENCE[:-4])], "an item says 8 bytes, that is beyond"),
        ([(0x00080060, b"??", b"EC")], "no known value representation"),
    ],
)
def test_what_would_mean_something_else_or_is_damaged_is_held(
    tmp_path: Path, elements: list[tuple[int, bytes, bytes]], words: str
) -> None:
    path = tmp_path / "explicit.dcm"
    path.write_bytes(raw(*elements))
    with pytest.raises(Held, match=words):
        converted(path, tmp_path)


@settings(max_examples=examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_data_set_is_held_or_comes_out_as_what_it_is(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed, cut off or put in anywhere: nothing but Held, and what went through pydicom reads alike."""
    if not (original := tmp_path / "original.dcm").exists():
        explicit_file(original, data_set(TWELVE_LEAD))
    whole = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(400, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))])
    try:
        made = converted(path, tmp_path)
    except Held as error:
        assert error.message
    else:
        assert sorted(read_implicit(made).keys()) == [t for t in sorted(pydicom.dcmread(path).keys()) if t.element]


def test_text_under_another_text_vr_and_an_unknown_one_go_through(tmp_path: Path) -> None:
    path = tmp_path / "explicit.dcm"
    path.write_bytes(raw((0x00100010, b"LO", b"Doe^Jane"), (0x00280010, b"UN", b"\1\0"), (0x00290010, b"UN", b"ME")))
    ds = read_implicit(converted(path, tmp_path))
    assert (ds.PatientName, ds.Rows) == ("Doe^Jane", 1)


def test_any_difference_between_the_two_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte that could be written wrongly, one after the other: the judge would say so."""
    path = explicit_file(tmp_path / "explicit.dcm", _dataset({"PatientID": "A"}, [Dataset()], True, b"xy"))
    good = converted(path, tmp_path)
    for at in range(len(good)):
        (tmp_path / "made").write_bytes(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :])
        with path.open("rb") as source, (tmp_path / "made").open("rb") as made, pytest.raises(implicit.Malformed):
            offset = part10.read(source.fileno(), "it").offset
            implicit._Judge(source, made, lambda: None).data_set(offset, path.stat().st_size, 0, 0)


def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from gateway.transfer import part10\n"
        "from gateway.transfer.transcoding.implicit import to_implicit_little_endian as go\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "import re\n"
        "for name in sys.argv[1:]:\n"
        "    with open(name, 'rb') as source, open(name + '.made', 'w+b') as made:\n"
        "        go(source, part10.read(source.fileno(), name).offset, made)\n"
        "    print(peak())\n"
    )
    files = [write_ecg(tmp_path / "ecg", samples).path for samples in (50_000, 4_000_000)]  # 1.2 and 96 MB
    said = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True).stdout
    short, long = map(int, re.findall(r"\d+", said))
    assert long < short + (8 << 10), "KiB"
