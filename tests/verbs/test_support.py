"""The support bundle tells what support needs, and nothing of any patient."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest
from spooling import CLOCK, ITEM, record, somebodys_exam

from gateway import configuration, fsops, local
from gateway.cli import main
from gateway.forward import Forward
from gateway.places import IDENTIFIED
from gateway.service import Service
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.verbs import support
from gateway.worklists import Worklist, keep_worklist


def item(number: int) -> dict[str, object]:
    """A worklist item whose every value could be told from any other text."""
    values = {
        "00100010": f"Leakname{number}^Given{number}",
        "00100020": f"LEAKID-{number}",
        "00100030": f"1911122{number}",
    }
    values |= {"00080050": f"LEAKACC-{number}", "00080090": f"Leakdoctor{number}^D"}
    made = {tag: {**ITEM.get(tag, {"vr": "LO"}), "Value": [value]} for tag, value in values.items()}
    for tag in ("00100010", "00080090"):
        made[tag] = {"vr": "PN", "Value": [{"Alphabetic": values[tag]}]}
    return ITEM | made


LEAKS = [b"Leakname", b"LEAKID", b"LEAKACC", b"Leakdoctor", b"1911122", b"Given"]


@pytest.fixture
def full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A box with patients everywhere: worklist, exam, what a device said, recordings that are wrapped and held."""
    here = settings.places
    keep_worklist(here.worklist, Worklist("ris", CLOCK.wall(), tuple(ScheduledStep(item(n)) for n in (1, 2))))
    monkeypatch.setattr("spooling.ITEM", item(1))
    whose = somebodys_exam(settings).exam
    record(settings, whose, 1000)
    named = record(settings, whose, 1000)
    said = [["patient_id", "LEAKID-2"], ["patient_name", "Leakname2^Given2"], ["accession_number", "LEAKACC-2"]]
    fsops.write_json(here.acquisition(named) / IDENTIFIED, {"version": 1, "said": said})
    record(settings, None, 500)
    return settings


def bundled(config: Path, out: Path) -> dict[str, bytes]:
    assert main(["--config", str(config), "support-bundle", "-o", str(out)]) == 0
    with tarfile.open(out) as bundle:
        found = {m.name.removeprefix("gateway-support/"): bundle.extractfile(m) for m in bundle}
        return {name: stream.read() for name, stream in found.items() if stream is not None}


def test_no_patient_of_a_full_box_is_in_it(full: Settings, config: Path, tmp_path: Path) -> None:
    service = Service("forward")
    forward = Forward(full, service)
    try:
        forward.start()
        while (
            forward.ledger.query("SELECT count(*) FROM acquisitions WHERE state = 'WRAPPED' OR held IS NOT NULL")[0][0]
            < 3
        ):
            service.stopping.wait(0.05)
        found = bundled(config, tmp_path / "bundle.tar.gz")
    finally:
        forward.close()
        service.close()
    assert b'"queue"' in found["status.json"]
    assert b"facts.json" in found["data.txt"]
    there = b"".join(p.read_bytes() for p in full.box.data.rglob("*") if p.is_file())
    for leak in LEAKS:
        assert leak in there, f"the box does not hold {leak!r}: the test proves nothing"
        assert not [name for name, data in found.items() if leak in data], leak


def test_the_name_of_a_file_that_a_device_dropped_is_not_in_it(
    settings: Settings, config: Path, tmp_path: Path
) -> None:
    answer = {"problem": "the file of 9 bytes cannot be taken", "file": "'Leakname^Given.edf'"}
    server = local.Server(settings.places.socket(f"capture-{settings.devices[0].name}"), {"status": lambda _: answer})
    try:
        found = bundled(config, tmp_path / "bundle.tar.gz")["status.json"]
    finally:
        server.close()
    assert b"the file of 9 bytes" in found
    assert b"Leakname" not in found


def test_it_is_for_its_owner_only_and_never_overwrites(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar.gz"
    bundled(config, out)
    assert out.stat().st_mode & 0o777 == 0o600
    before = out.read_bytes()
    assert main(["--config", str(config), "support-bundle", "-o", str(out)]) == 2
    assert out.read_bytes() == before


def test_a_wrong_configuration_is_told_and_not_copied(config: Path, tmp_path: Path) -> None:
    config.write_text("[nonsense]\n")
    found = bundled(config, tmp_path / "bundle.tar.gz")
    assert b"[nonsense] is unknown" in found["configuration-error.txt"]
    assert "gateway.toml" not in found
    with pytest.raises(configuration.Misuse):
        configuration.load(config)


def test_the_journal_is_asked_for_the_gateways_words_and_no_debug(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "journalctl"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint('asked:', *sys.argv[1:])\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = bundled(config, tmp_path / "bundle.tar.gz")["journal.txt"].decode()
    assert "--identifier=gateway" in said
    assert "--priority=info" in said
    assert f"--lines={support.MOST_LISTED}" in said


def test_it_can_be_made_where_there_is_no_journal(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert b"journalctl" in bundled(config, tmp_path / "bundle.tar.gz")["journal.txt"]
