"""The PDI pages as a person sees them: a real browser, straight from the file system, read-only, no server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, browser
from ecg_files import write_ecg
from transfer.media.pages import page_of, study_pages
from transfer.media.samples import PDF, SECONDARY_CAPTURE, data_set, write

from gateway.transfer import media
from gateway.transfer.media import pdi

HOSTILE = "<script>document.title='run'</script><img src='http://evil.example/x' onerror=\"document.title='run'\">"
KEEP = os.environ.get("GATEWAY_PICTURES")  # a folder: what the browser showed is kept there, to be looked at


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ECG, a red and blue still, a document, and a hostile patient; then carried elsewhere, read-only."""
    made, spool, root = (tmp_path_factory.mktemp(name) for name in ("made", "spool", "E drive"))
    media.add(made, write_ecg(spool, samples=5000, name="Hofmann^Anna"), "WARD_3")
    rgb = np.zeros((300, 400, 3), np.uint8)
    rgb[:, :200, 0] = rgb[:, 200:, 2] = 255
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    still = data_set(SECONDARY_CAPTURE, Rows=300, Columns=400, PixelData=rgb.tobytes(), **colour)
    still.PatientName, still.PatientID = "Still^Jo", "P-STILL"
    media.add(made, write(spool, still), "WARD_3")
    bad = {"PatientName": HOSTILE, "PatientID": HOSTILE[:64], "StudyDescription": HOSTILE[:64]}
    media.add(made, write(spool, data_set(PDF, DocumentTitle=HOSTILE, **bad)), "WARD_3")
    pdi.refresh(made, pdi.About("City Hospital", "Cardiology", "ECG_ROOM3", "+49 30 1234567"))
    carried = root / "stick"
    shutil.copytree(made, carried)
    shutil.rmtree(made)
    for path in carried.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return carried


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def open_page(seen: Browser, page: Path) -> None:
    """Open it; it may ask for nothing but files, and the browser may not complain."""
    seen.open(page.as_uri())
    asked = seen.asked_for()
    assert asked
    assert all(url.startswith("file://") for url in asked), asked
    assert not seen.complaints()
    assert all(seen.ask("[...document.images].map(i => i.complete && i.naturalWidth > 100)")), "a picture is missing"
    assert seen.ask("document.styleSheets.length") == 1
    assert seen.ask("document.scripts.length") == 0
    assert seen.ask("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


def kept(name: str) -> Path | None:
    return Path(KEEP) / name if KEEP else None


def test_index_htm_lists_every_study_and_leads_to_its_page(seen: Browser, stick: Path) -> None:
    open_page(seen, stick / "INDEX.HTM")
    seen.picture(kept("index.png"))
    assert seen.ask("[...document.querySelectorAll('td.name')].length") == 3
    links = seen.ask("[...document.querySelectorAll('td.name a')].map(a => a.href)")
    assert len(set(links)) == 3
    for link in links:
        seen.open(link)
        assert not seen.complaints()
        assert seen.ask("document.querySelector('h1').innerText")
        assert seen.ask("[...document.querySelectorAll('a')][0].href").endswith("/stick/INDEX.HTM")


def test_an_ecg_looks_like_ecg_paper(seen: Browser, stick: Path) -> None:
    open_page(seen, page_of(stick, "Hofmann"))
    box = seen.ask("(r => [r.x, r.y, r.width, r.height])(document.images[0].getBoundingClientRect())")
    picture = seen.picture(kept("ecg.png"))
    x, y, width, height = (int(v) for v in box)
    assert width > 1000, "large enough to read"
    paper = picture[y + height // 6 : y + height * 5 // 6, x + width // 20 : x + width * 19 // 20].astype(int)
    red, green, blue = (paper[..., n] for n in range(3))
    pink = (red > 200) & (red - green > 8) & (red - blue > 8)
    ink = paper.max(axis=2) < 80
    assert 0.2 < pink.mean() < 0.95, "the grid"
    assert 0.005 < ink.mean() < 0.5, "the traces"
    rows = pink.mean(axis=1)
    assert rows.max() > 0.3, "lines from side to side"


def test_a_still_shows_its_colours(seen: Browser, stick: Path) -> None:
    open_page(seen, page_of(stick, "Still"))
    box = seen.ask("(r => [r.x, r.y, r.width, r.height])(document.images[0].getBoundingClientRect())")
    assert box[2] >= 400
    picture = seen.picture(kept("still.png"))
    x, y, width, height = (int(v) for v in box)
    assert tuple(picture[y + height // 2, x + width // 4]) == (255, 0, 0)
    assert tuple(picture[y + height // 2, x + width * 3 // 4]) == (0, 0, 255)


def test_hostile_values_run_nothing_and_ask_for_nothing(seen: Browser, stick: Path) -> None:
    for page in [stick / "INDEX.HTM", *study_pages(stick)]:
        open_page(seen, page)
        assert seen.ask("document.title") != "run"
    open_page(seen, page_of(stick, "evil.example"))
    assert "<script>" in seen.ask("document.querySelector('h1').innerText")


def test_a_printed_page_has_the_patient_and_no_links(seen: Browser, stick: Path) -> None:
    open_page(seen, page_of(stick, "Hofmann"))
    seen.call("Emulation.setEmulatedMedia", media="print")
    try:
        seen.picture(kept("printed.png"))
        said = seen.ask("document.body.innerText")
        assert "Hofmann, Anna" in said
        assert "PAT-0005" in said
        assert "Contents of this medium" not in said
    finally:
        seen.call("Emulation.setEmulatedMedia", media="")
