"""The bytes of an ECG do not change from one version to the next: a damaged instance is made anew from its recording.

What the version itself writes is held still. A digest that differs means that instances which hospitals have can no
longer be restored: that needs a reason, and a line in the release notes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from acquisitions import EIGHT, Recording, an_exam, settings_of

from gateway.dicom import encode, header
from gateway.dicom.iods import TABLE
from gateway.dicom.wrap import wrap
from gateway.events import Gap, Marker
from gateway.model import Kind
from gateway.sop_classes import BY_KIND

COUNTS = (np.arange(3000 * 6) * 7919 % 80_001 - 40_000).reshape(-1, 6)  # whole numbers: the same on every machine
DIGESTS = {
    "twelve-lead": "511de94f5c7ec8899f8e117c67bd20af1248c1d39875d5ca5cb7f1b295d96fce",
    "general": "c90ca70278ba1b2dcc64f1faa37bc85827b583f8412a8894b63cc6fa392e5a21",
    "ambulatory": "f44ddc9757289a191533c7bd405bac7204464c51ea06c8eaa86e68239d3e77db",
    "general-32": "170ed75745814aa2abf5fa890102db6a1875233714c40f4ddf5aadb9598cd81e",
}


@pytest.fixture(autouse=True)
def held_still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(header, "__version__", "1")
    monkeypatch.setattr(encode, "IMPLEMENTATION_VERSION", "MODGATEWAY_1")
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "UTC-1")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("key", BY_KIND[Kind.ECG].every)
def test_an_ecg_is_the_same_to_the_byte(key: str, tmp_path: Path, out: Path) -> None:
    recording = Recording(labels=EIGHT[:6], interrupted=True, test=True).with_samples(COUNTS[:2000])
    recording.events += [Gap("2 packets lost", 1002.0, 50, 0.1), Marker("event button", 1002.0, 0, 100)]
    folder = recording.with_samples(COUNTS[2000:]).folder(tmp_path / "acq")
    (made,) = wrap(folder, an_exam(), settings_of(tmp_path), out, key)
    assert TABLE[key].settled
    assert hashlib.sha256(Path(made.path).read_bytes()).hexdigest() == DIGESTS[key]
