"""A still that a cart drops into a folder is kept, and becomes an image with the very bytes of the file."""

from __future__ import annotations

import time
from pathlib import Path

import pydicom
from pictures import jpeg_of, noise
from pydicom.encaps import generate_frames

from gateway import configuration, exam, fsops
from gateway.acquire.adapter import adapter_named
from gateway.acquire.collecting import Collecting
from gateway.acquire.recorder import read_facts
from gateway.clock import Clock
from gateway.dicom.check import check
from gateway.dicom.wrap import wrap
from gateway.model import Attributed

CONFIGURATION = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
port = 0
[spool]
reserve = 0
[[device]]
name = "cart"
adapter = "still_files"
folder = "{folder}/share"
settle = 0.1
iod = "photographic"
"""
PATIENT = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Anna"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
}


def test_a_file_of_a_cart_becomes_an_image_with_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIGURATION.format(folder=tmp_path))
    settings = configuration.load(file)
    adapter = adapter_named("still_files")
    process = Collecting(settings, "cart", adapter, adapter.decoder(settings.options["cart"]))
    process.recover()
    opened = exam.open_exam(settings.places, Clock("always"), ("cart",), Attributed.MANUAL, PATIENT)
    while not process.looks:
        process.turn(lambda: None)  # what lies there before the looking begins is nobody's
    picture = jpeg_of(noise(48, 64))
    (tmp_path / "share" / "IMG_0001.JPG").write_bytes(picture)
    deadline = time.monotonic() + 60
    while not (kept := list(settings.places.acquisitions.glob("*"))):
        assert time.monotonic() < deadline, "it was never taken"
        process.turn(lambda: None)
        time.sleep(0.02)
    assert read_facts(kept[0]).exam == opened.exam
    (made,) = wrap(kept[0], opened, settings, fsops.make_folder(tmp_path / "out"))
    assert check(Path(made.path)) == []
    found = pydicom.dcmread(made.path)
    assert found.SOPClassUID.name == "VL Photographic Image Storage"
    (sent,) = generate_frames(found.PixelData, number_of_frames=1)
    assert sent[: len(picture)] == picture
    assert str(found.PatientName) == "Test^Anna"
