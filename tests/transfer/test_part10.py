"""The header of a DICOM file is read without a DICOM library, and what is no DICOM file is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from tiers import examples

from gateway.errors import Misuse
from gateway.model import InstanceRef
from gateway.transfer import part10

Ecg = Callable[..., InstanceRef]


def test_the_header_agrees_with_pydicom(ecg: Ecg) -> None:
    instance = ecg()
    read = dcmread(instance.path)
    assert instance.sop_class_uid == read.SOPClassUID
    assert instance.sop_instance_uid == read.SOPInstanceUID
    assert instance.transfer_syntax_uid == read.file_meta.TransferSyntaxUID
    assert instance.size == Path(instance.path).stat().st_size
    header = part10.parse(Path(instance.path).read_bytes(), instance.size)
    assert header is not None
    assert Path(instance.path).read_bytes()[header.offset :][:4] == b"\x08\x00\x05\x00"


@given(cut=st.integers(0, 300))
@settings(max_examples=examples(50))
def test_a_header_cut_anywhere_is_refused(cut: int) -> None:
    def element(number: int, text: bytes) -> bytes:
        return b"\x02\x00" + number.to_bytes(2, "little") + b"UI" + len(text).to_bytes(2, "little") + text

    whole = bytes(128) + b"DICM" + element(2, b"1.2.3\0") + element(3, b"1.2.4\0") + element(16, b"1.2.5\0")
    if cut < len(whole):
        with pytest.raises(ValueError, match=r"header|DICM"):
            part10.parse(whole[:cut], cut)
    else:
        assert part10.parse(whole, len(whole)) == part10.Header("1.2.3", "1.2.4", "1.2.5", len(whole))


@given(st.binary(max_size=300))
@settings(max_examples=examples(100))
def test_noise_after_the_prefix_is_refused(noise: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        part10.parse(bytes(128) + b"DICM" + noise, 132 + len(noise))


def test_what_is_no_dicom_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(Misuse, match=r"letter\.txt is no DICOM file: no DICM"):
        part10.instance(tmp_path / "letter.txt")
    with pytest.raises(Misuse, match="cannot be read: No such file"):
        part10.instance(tmp_path / "nothing")
    with pytest.raises(Misuse, match="cannot be read: Is a directory"):
        part10.instance(tmp_path)
