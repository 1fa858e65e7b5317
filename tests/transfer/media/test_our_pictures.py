"""Our own stills, clips and reports on a stick: filed, judged by DCMTK, shown by the pages, or held by the profile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pydicom
import pytest
from peers import need
from pictures import Taken, access_units, h264, jpeg_of, noise, wrapped

from gateway.errors import Held
from gateway.model import InstanceRef, Picture
from gateway.profile import Profile
from gateway.transfer import media
from gateway.transfer.media.pdi.stills import still

ROWS, COLUMNS = 48, 64


def taken(number: int, encoding: str, *data: bytes) -> Taken:
    return Taken(Picture(encoding, COLUMNS, ROWS, 25 if len(data) > 1 else 0), number=number).frames(*data)


def ours(folder: Path) -> list[InstanceRef]:
    pixels = [noise(ROWS, COLUMNS, n) for n in range(3)]
    jpegs, raw = [jpeg_of(one) for one in pixels], [one.tobytes() for one in pixels]
    found = wrapped(folder / "a", taken(1, "MJPEG", jpegs[0]), iod="endoscopic")
    found += wrapped(folder / "b", taken(2, "MJPEG", *jpegs), iod="endoscopic")
    found += wrapped(folder / "c", taken(3, "RGB24", raw[0]), iod="ultrasound")
    found += wrapped(folder / "d", taken(4, "RGB24", *raw), iod="capture")
    return found + wrapped(folder / "e", Taken(Picture("PDF", 0, 0), number=5).frames(b"%PDF-1.4\n%%EOF"))


def test_they_are_filed_as_what_they_are_and_dcmtk_reads_the_dicomdir(tmp_path: Path, stick: Path) -> None:
    for instance in ours(tmp_path):
        media.add(stick, instance, "WARD")
    kinds = [r.DirectoryRecordType for r in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence]
    assert (kinds.count("IMAGE"), kinds.count("ENCAP DOC")) == (4, 1)
    subprocess.run([need("dcmdump"), "-q", str(stick / "DICOMDIR")], check=True, capture_output=True, timeout=60)


def test_the_pages_of_a_medium_show_our_stills(tmp_path: Path) -> None:
    for instance in ours(tmp_path)[:1]:
        descriptor = os.open(instance.path, os.O_RDONLY)
        try:
            shown = still(descriptor)
        finally:
            os.close(descriptor)
        assert shown is not None
        assert shown[0] in (".JPG", ".PNG")


@pytest.mark.parametrize("kind", ["H264", "JPEG-LS"])
def test_what_the_profile_of_a_stick_does_not_allow_is_refused_in_words(kind: str, tmp_path: Path, stick: Path) -> None:
    if kind == "H264":
        (made,) = wrapped(tmp_path, Taken(Picture("H264", 128, 96, 25)).frames(*access_units(h264())))
    else:
        clip = taken(1, "RGB24", noise(ROWS, COLUMNS).tobytes())
        (made,) = wrapped(tmp_path, clip, Profile(name="p", coding="jpeg-ls"))
    with pytest.raises(Held, match="has transfer syntax"):
        media.add(stick, made, "WARD")
