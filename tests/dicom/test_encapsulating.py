"""A PDF report that a device exports becomes an Encapsulated PDF with the bytes of the file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from acquisitions import an_exam, named
from peers import need
from pictures import Taken, settings_for, wrapped

from firmware_adapters.still_files import Decoder, Options
from gateway import fsops
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.errors import Held
from gateway.events import Frame
from gateway.model import Picture
from gateway.profile import Profile

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF"
Judge = Callable[[Path], list[str]]


def taken(data: bytes = PDF) -> Taken:
    return Taken(Picture("PDF", 0, 0)).frames(data)


@pytest.mark.parametrize("data", [PDF, PDF + b"\n"], ids=["odd length", "even length"])
def test_the_document_is_in_it_byte_for_byte(data: bytes, tmp_path: Path, dciodvfy: Judge) -> None:
    (made,) = wrapped(tmp_path, taken(data))
    assert check(Path(made.path)) == []
    assert [line for line in dciodvfy(Path(made.path)) if "Laterality" not in line] == []
    found = pydicom.dcmread(made.path)
    assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == data
    assert (found.Modality, found.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert found.BurnedInAnnotation == "YES", "reports name their patient unless somebody knows better"


def test_dcmtk_gives_the_document_back(tmp_path: Path) -> None:
    (made,) = wrapped(tmp_path, taken())
    subprocess.run([need("dcm2pdf"), made.path, str(tmp_path / "back.pdf")], check=True, timeout=60)
    assert (tmp_path / "back.pdf").read_bytes().rstrip(b"\0") == PDF


def test_a_name_beyond_ascii_survives_on_both_sides_of_the_document(tmp_path: Path) -> None:
    exam = an_exam(item=named({"Alphabetic": "Müller^Jörg"}), operator="Ångström^Eva")  # she stands in no module of it
    out = fsops.make_folder(tmp_path / "out")
    settings = settings_for(tmp_path, Profile(name="p", burned_in="no"))
    (made,) = wrap(taken().folder(tmp_path / "a"), exam, settings, out)
    found = pydicom.dcmread(made.path)
    assert str(found.PatientName) == "Müller^Jörg"
    assert found.BurnedInAnnotation == "NO"
    assert check(Path(made.path)) == []


@pytest.mark.parametrize("data", [b"", b"MZ not a document"])
def test_what_is_no_document_is_held(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(Held, match="does not hold one PDF document"):
        wrapped(tmp_path, taken(data))


def test_the_adapter_for_picture_files_takes_documents_too() -> None:
    decoder = Decoder(Options())
    events = [*decoder.start(0.0), *decoder.feed(PDF, 1.0), *decoder.stop(1.0)]
    (frame,) = (e for e in events if isinstance(e, Frame))
    assert (frame.encoding, frame.data) == ("PDF", PDF)
