"""The command line: honest exit codes, one line for a mistake, data on standard output and words on the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli, configuration
from gateway.settings import Settings
from gateway.step import ScheduledStep
from gateway.trial.ports import free_port
from gateway.worklists import Worklist, keep_worklist


def gateway(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_command_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    assert stop.value.code == 0
    assert cli.VERBS[verb][1].split()[0].lower() in capsys.readouterr().out.lower()


def test_help_lists_every_command_without_loading_one() -> None:
    code = "import sys; from gateway import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted(m for m in sys.modules if m.split('.')[0] in ('pydicom', 'pynetdicom', 'numpy')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert all(verb in done.stdout for verb in cli.VERBS)
    assert done.stdout.strip().endswith("[]")


def test_a_configuration_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[gateway]\nae_title = "FAR TOO LONG A TITLE"\n')
    done = gateway("--config", str(path), "config", "check")
    assert done.returncode == 2
    assert f"{path}, line 2: [gateway] key 'ae_title'" in one_line(done)


def test_a_missing_configuration_says_how_to_name_one(tmp_path: Path) -> None:
    done = gateway("status", "--config", str(tmp_path / "none.toml"))
    assert (done.returncode, "--config" in one_line(done)) == (2, True)


def test_the_reference_names_every_section_and_every_adapter() -> None:
    out = gateway("config", "reference").stdout
    assert all(f"`[[{name}]]`" in out for name in ("device", "ris", "destination"))
    assert all(f'adapter = "{name}"' in out for name in ("openbci_cyton", "ads1292r", "simulated"))


def test_a_closed_port_is_exit_code_3_and_says_where() -> None:
    port = free_port()
    done = gateway("echo", f"PACS@127.0.0.1:{port}")
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in one_line(done)


@pytest.mark.parametrize("address", ["PACS", "PACS@host", "PACS@host:0", "PACS@host:99999", "@host:104"])
def test_an_address_that_is_none_is_exit_code_2(address: str, config: Path) -> None:
    done = gateway("--config", str(config), "send", "--to", address, str(config))
    assert done.returncode == 2, done.stderr


def test_a_file_that_is_no_dicom_is_named(config: Path) -> None:
    done = gateway("send", "--to", "PACS@127.0.0.1:104", str(config))
    assert (done.returncode, str(config) in one_line(done)) == (2, True)


def test_a_whole_exam_from_start_to_stop(config: Path, settings: Settings) -> None:
    scheduled = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]},
        "00100020": {"vr": "LO", "Value": ["P7"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.840.99"]},
        "00400100": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["S7"]}}]},
    }
    keep_worklist(settings.places.worklist, Worklist("ris", 0.0, (ScheduledStep(scheduled),)))
    base = ["--config", str(config)]
    assert "Müller^Jörg" in gateway(*base, "worklist").stdout
    opened = json.loads(gateway(*base, "exam", "start", "ecg1", "--step", "S7", "--json").stdout)
    assert opened["study_uid"] == "1.2.840.99"
    busy = gateway(*base, "exam", "start", "ecg1", "--emergency")
    assert (busy.returncode, opened["exam"] in one_line(busy)) == (4, True)
    kept = gateway(*base, "acquire", "ecg1", "--seconds", "1", "--json")
    assert kept.returncode == 0, kept.stderr
    assert json.loads(kept.stdout)["exam"] == opened["exam"]
    closed = json.loads(gateway(*base, "exam", "stop", "--json").stdout)
    assert closed["closed"]["status"] == "COMPLETED"


def test_a_recording_without_a_patient_is_refused_before_it_starts(config: Path) -> None:
    done = gateway("--config", str(config), "acquire", "ecg1", "--seconds", "1")
    assert (done.returncode, "--emergency" in one_line(done)) == (2, True)


def test_a_support_bundle_names_no_patient(config: Path, settings: Settings, tmp_path: Path) -> None:
    base = ["--config", str(config)]
    gateway(*base, "exam", "start", "ecg1", "--patient-id", "SECRET-ID", "--patient-name", "Secret^Name")
    done = gateway(*base, "support-bundle", "-o", str(tmp_path / "bundle.tar.gz"))
    assert done.returncode == 0, done.stderr
    listing = subprocess.run(
        ["tar", "-xzOf", str(tmp_path / "bundle.tar.gz")], capture_output=True, check=True
    ).stdout.decode()
    assert "exam.json" in listing
    assert "SECRET" not in listing.upper()


@pytest.mark.parametrize(
    "verb", [("status",), ("queue", "list"), ("exam", "list"), ("send", "--to", "A@127.0.0.1:1", "x")]
)
def test_a_command_that_touches_no_device_does_not_load_its_adapter(config: Path, verb: tuple[str, ...]) -> None:
    code = "import sys; from gateway import cli; cli.main(sys.argv[1:]); print('numpy' in sys.modules)"
    command = [sys.executable, "-c", code, "--config", str(config), *verb]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.splitlines()[-1] == "False"


def test_a_folder_of_another_user_is_one_line_with_what_to_do(config: Path, settings: Settings) -> None:
    code = (
        # What is loaded later is loaded first: nobody may read root's Python, where it is one.
        "import importlib.metadata, locale, os, sys; from gateway import cli; import gateway.verbs.exams; "
        "os.setgid(65534); os.setuid(65534); sys.exit(cli.main(sys.argv[1:]))"
    )
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    settings.box.data.mkdir(mode=0o700)
    for place in (config.parent, *list(config.parent.parents)[:3]):
        place.chmod(0o755)
    config.chmod(0o644)
    command = [sys.executable, "-c", code, "--config", str(config), "exam", "start", "ecg1", "--emergency"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "runuser -u gateway" in one_line(done)


def test_options_may_stand_before_or_behind_every_verb(config: Path) -> None:
    assert gateway("config", "check", "--config", str(config)).returncode == 0
    assert gateway("exam", "--config", str(config), "list").returncode == 0
    assert gateway("--config", str(config), "exam", "list").returncode == 0


def test_an_exam_is_not_closed_while_a_command_records_in_it_by_itself(config: Path) -> None:
    base = [sys.executable, "-m", "gateway", "--config", str(config)]
    opened = json.loads(gateway("--config", str(config), "exam", "start", "ecg1", "--emergency", "--json").stdout)
    recording = subprocess.Popen([*base, "acquire", "ecg1", "--seconds", "60"], stderr=subprocess.PIPE, text=True)
    try:
        here = configuration.load(config).places
        while not list(here.acquisitions.glob("*/records")):
            assert recording.poll() is None
        refused = gateway("--config", str(config), "exam", "stop")
        assert (refused.returncode, "still records" in one_line(refused)) == (3, True)
        assert (
            json.loads(gateway("--config", str(config), "exam", "show", opened["exam"], "--json").stdout)["closed"]
            is None
        )
    finally:
        recording.send_signal(signal.SIGINT)
        recording.communicate(timeout=30)
    assert gateway("--config", str(config), "exam", "stop").returncode == 0


def test_media_verify_of_a_folder_that_is_no_file_set_is_refused(tmp_path: Path) -> None:
    for what in ("verify", "repair"):
        done = gateway("media", what, str(tmp_path))
        assert (done.returncode, "no DICOMDIR" in one_line(done)) == (2, True)
    assert list(tmp_path.iterdir()) == []
