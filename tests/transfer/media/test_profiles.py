"""What a file-set of each application profile takes, and how an instance is made to fit (PS3.11 annex J)."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from peers import need
from pydicom.encaps import encapsulate
from transfer.media.foreign import by_dcmmkdir
from transfer.media.samples import PDF, SECONDARY_CAPTURE, TWELVE_LEAD, Make, data_set, write

from gateway.errors import Held
from gateway.model import InstanceRef
from gateway.transfer import media
from gateway.transfer.media import fitting, profiles
from gateway.transfer.media.fitting import fitted
from gateway.transfer.media.profiles import PROFILES

EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99", ".5"))
BASELINE, EXTENDED, LOSSLESS, LS, J2K_LOSSLESS, J2K, H264 = (
    f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 70, 80, 90, 91, 102)
)
USB = PROFILES["STD-GEN-USB-JPEG"]


def other(ref: InstanceRef, path: Path, syntax: str) -> InstanceRef:
    return dataclasses.replace(ref, path=str(path), transfer_syntax_uid=syntax, size=path.stat().st_size)


def still(bits: int = 8, samples: int = 1, **values: object) -> pydicom.Dataset:
    rng = np.random.default_rng(bits)
    pixels = rng.integers(0, (1 << (bits if bits == 8 else 12)) - 1, 40 * 30 * samples, dtype=f"u{bits // 8}").tobytes()
    more: dict[str, object] = {"PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"} if samples == 3 else {}
    more |= {} if bits == 8 else {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    more |= {"Rows": 40, "Columns": 30, "SamplesPerPixel": samples, "PixelData": pixels} | values
    return data_set(SECONDARY_CAPTURE, **more)


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("STD-GEN-USB-JPEG", {EXPLICIT, BASELINE, EXTENDED, LOSSLESS}),
        ("STD-GEN-SD-JPEG", {EXPLICIT, BASELINE, EXTENDED, LOSSLESS}),
        ("STD-GEN-USB-J2K", {EXPLICIT, J2K_LOSSLESS, J2K}),
        ("STD-GEN-SD-J2K", {EXPLICIT, J2K_LOSSLESS, J2K}),
        ("none", {EXPLICIT, BASELINE, EXTENDED, LOSSLESS, J2K_LOSSLESS, J2K, LS, RLE, H264}),
    ],
)
def test_a_profile_takes_the_transfer_syntaxes_of_its_table_and_no_other(name: str, takes: set[str]) -> None:
    asked = {EXPLICIT, IMPLICIT, BIG, DEFLATED, RLE, BASELINE, EXTENDED, LOSSLESS, LS, J2K_LOSSLESS, J2K, H264}
    assert {uid for uid in asked if PROFILES[name].allows(uid)} == takes


def test_every_kind_of_object_that_a_directory_can_name_fits_the_general_purpose_profiles(
    make: Make, stick: Path
) -> None:
    for sop_class in (TWELVE_LEAD, PDF, SECONDARY_CAPTURE):
        media.add(stick, make(sop_class), "WARD")
    assert media.verify(stick).sound


@pytest.mark.parametrize("syntax", [RLE, J2K, H264])
def test_an_instance_that_does_not_fit_is_held_with_the_profile_and_its_syntax_in_words(
    stick: Path, tmp_path: Path, syntax: str
) -> None:
    ref = write(tmp_path, still(PixelData=encapsulate([b"\0" * 8])), syntax)
    with pytest.raises(Held, match=rf"{re.escape(syntax)}, which STD-GEN-USB-JPEG does not allow"):
        media.add(stick, ref, "WARD")
    with pytest.raises(Held, match="does not allow"), fitted(ref, USB, "hold", tmp_path / "scratch"):
        pass
    assert not list(stick.iterdir())


def test_with_no_profile_claimed_the_same_instance_is_taken_and_the_directory_names_its_syntax(
    stick: Path, tmp_path: Path
) -> None:
    media.add(stick, write(tmp_path, still(PixelData=encapsulate([b"\0" * 8])), H264), "WARD", profile="none")
    (leaf,) = [r for r in pydicom.dcmread(stick / "DICOMDIR").DirectoryRecordSequence if "ReferencedFileID" in r]
    assert leaf.ReferencedTransferSyntaxUIDInFile == H264
    assert media.verify(stick).sound


def test_a_file_set_keeps_the_profile_it_began_with(make: Make, stick: Path, tmp_path: Path) -> None:
    media.add(stick, make(), "WARD", profile="STD-GEN-USB-J2K")
    jpeg = write(tmp_path, still(PixelData=encapsulate([b"\xff\xd8\xff\xd9"])), BASELINE)
    with pytest.raises(Held, match="STD-GEN-USB-J2K does not allow"):
        media.add(stick, jpeg, "WARD", profile="STD-GEN-USB-JPEG")
    assert profiles.of(stick, "none").name == "STD-GEN-USB-J2K"
    assert not profiles.of(tmp_path, "none").compressed


def test_what_fits_goes_as_it_is(make: Make, tmp_path: Path) -> None:
    ref = make()
    with fitted(ref, USB, "transcode", tmp_path / "scratch") as found:
        assert found is ref
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("option", ["+ti", "+tb", "+td"])
def test_another_encoding_becomes_explicit_little_endian_as_dcmtk_makes_it_and_lands_on_the_stick(
    make: Make, stick: Path, tmp_path: Path, judge: Callable[..., str], option: str
) -> None:
    for number, ref in enumerate(
        (make(PatientName="山田^太郎"), make(PDF), make(SECONDARY_CAPTURE, **_values(still(16))))
    ):
        path = tmp_path / f"{number}.dcm"
        judge("dcmconv", option, ref.path, str(path))
        unfit = other(ref, path, {"+ti": IMPLICIT, "+tb": BIG, "+td": DEFLATED}[option])
        with fitted(unfit, USB, "transcode", tmp_path / "scratch") as found:
            assert (found.sop_instance_uid, found.transfer_syntax_uid) == (ref.sop_instance_uid, EXPLICIT)
            assert found.size == Path(found.path).stat().st_size
            assert _dumped(found.path) == _dumped(ref.path)
            file_id = media.add(stick, found, "WARD").file_id
            assert (stick / file_id).read_bytes() == Path(found.path).read_bytes()
        assert not list((tmp_path / "scratch").iterdir())
    assert media.verify(stick).sound


@pytest.mark.parametrize(("bits", "samples"), [(8, 1), (8, 3), (16, 1)])
def test_rle_becomes_the_pixels_that_dcmtk_decodes(
    tmp_path: Path, judge: Callable[..., str], bits: int, samples: int
) -> None:
    ref = write(tmp_path, still(bits, samples))
    coded, decoded = tmp_path / "rle", tmp_path / "decoded"
    judge("dcmcrle", ref.path, str(coded))
    judge("dcmdrle", str(coded), str(decoded))
    with fitted(other(ref, coded, RLE), USB, "transcode", tmp_path / "scratch") as found:
        made, wanted = pydicom.dcmread(found.path), pydicom.dcmread(decoded)
        assert made.PixelData == wanted.PixelData == pydicom.dcmread(ref.path).PixelData
        assert made.SOPInstanceUID == ref.sop_instance_uid
        assert made.PhotometricInterpretation == wanted.PhotometricInterpretation


def test_what_cannot_be_decoded_without_loss_is_held_in_words(tmp_path: Path) -> None:
    cases = (
        (BASELINE, "its coding is lossy"),
        (H264, "its coding is lossy"),
        (LOSSLESS, "no decoder for it is installed"),
    )
    for syntax, words in cases:
        ref = write(tmp_path, still(PixelData=encapsulate([b"\xff\xd8\xff\xd9"])), syntax)
        with (
            pytest.raises(Held, match=words),
            fitted(ref, PROFILES["STD-GEN-USB-J2K"], "transcode", tmp_path / "scratch"),
        ):
            pass
    assert not list((tmp_path / "scratch").iterdir())


def test_a_damaged_file_is_held_in_words(make: Make, tmp_path: Path, judge: Callable[..., str]) -> None:
    ref, path = write(tmp_path, still()), tmp_path / "damaged"
    judge("dcmcrle", ref.path, str(path))
    path.write_bytes(path.read_bytes()[:-400])
    with (
        pytest.raises(Held, match=r"cannot be transcoded"),
        fitted(other(ref, path, RLE), USB, "transcode", tmp_path / "s"),
    ):
        pass


def test_a_value_that_would_come_out_otherwise_is_held(make: Make, tmp_path: Path, judge: Callable[..., str]) -> None:
    """A name that its character set cannot mean: pydicom would write a replacement."""
    ref, path = make(PatientName="Doe^Jane"), tmp_path / "implicit"
    judge("dcmconv", "+ti", ref.path, str(path))
    path.write_bytes(path.read_bytes().replace(b"Doe^Jane", b"D\xff\xfe^Jane"))
    with (
        pytest.raises(Held, match="cannot be transcoded"),
        fitted(other(ref, path, IMPLICIT), USB, "transcode", tmp_path / "scratch"),
    ):
        pass


def test_what_is_too_large_for_the_memory_is_held_before_it_is_read(
    tmp_path: Path, judge: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "LARGEST", 4096)
    large, flat = write(tmp_path, still(PixelData=bytes(5000), Rows=50, Columns=100)), tmp_path / "deflated"
    coded = tmp_path / "rle"
    judge("dcmconv", "+td", large.path, str(flat))  # zeros: a few bytes that unfold
    judge("dcmconv", "+ti", large.path, str(tmp_path / "implicit"))
    judge("dcmcrle", write(tmp_path, still(PixelData=bytes(5000), Rows=50, Columns=100)).path, str(coded))
    for ref in (
        other(large, flat, DEFLATED),
        other(large, tmp_path / "implicit", IMPLICIT),
        other(large, coded, RLE),
    ):
        with pytest.raises(Held, match="too large to be transcoded"), fitted(ref, USB, "transcode", tmp_path / "s"):
            pass


@pytest.mark.parametrize("option", ["+ti", "rle"])
def test_the_memory_stays_below_what_a_small_board_can_spare(
    tmp_path: Path, judge: Callable[..., str], option: str
) -> None:
    side = 4000
    pixels = np.arange(side * side, dtype="u2").tobytes()  # 32 MB, just below the largest
    ref = write(tmp_path, still(16, Rows=side, Columns=side, PixelData=pixels))
    path = tmp_path / "unfit"
    judge(*(("dcmcrle", "-q") if option == "rle" else ("dcmconv", option)), ref.path, str(path))
    program = (
        "import sys, pathlib\n"
        "from gateway.transfer.transcoding.explicit import to_explicit_little_endian as go\n"
        "with open(sys.argv[2], 'w+b') as target: go(pathlib.Path(sys.argv[1]), target)\n"
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    command = [sys.executable, "-c", program, str(path), str(tmp_path / "made")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 256 << 10, "KiB; pydicom and numpy alone are some 60 MiB"


def _values(ds: pydicom.Dataset) -> dict[str, object]:
    return {e.keyword: e.value for e in ds if e.tag.group in (0x0028, 0x7FE0)}


def _dumped(path: str) -> list[str]:
    """The data set as dcmdump prints it, without the file meta information and the kinds of length."""
    said = subprocess.run([need("dcmdump"), "-q", "+L", path], capture_output=True, text=True, check=True).stdout
    lines = [re.sub(r"\(Sequence.*|\(Item.*", "", line).split("#")[0] for line in said.splitlines()]
    return [line for line in lines if line.startswith(("(", " ")) and "(0002," not in line and "(fffe,e0" not in line]


def test_a_file_set_of_another_program_claims_no_profile_and_an_own_one_the_configured(
    make: Make, stick: Path, tmp_path: Path
) -> None:
    by_dcmmkdir(stick, {"F1": make(PatientID="F1").path})
    for _ in range(2):
        media.add(stick, make(), "WARD", profile="STD-GEN-SD-J2K")
    assert profiles.of(stick).name == "none", "nobody can speak for what lay there"
    (own := tmp_path / "own").mkdir()
    for profile in ("STD-GEN-SD-J2K", "STD-GEN-USB-JPEG"):
        media.add(own, make(), "WARD", profile=profile)
    assert profiles.of(own).name == "STD-GEN-SD-J2K", "it keeps the one it began with"
