"""``gateway send``: all that is named is sent or told of, in words and in the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from authority import Authority
from dcmtk import storescp
from ecg_files import GENERAL_32, write_ecg
from hostile import Line
from peers import need
from pydicom import dcmread

from gateway import cli
from gateway.trial.hospital import Hospital
from gateway.trial.ports import free_port

IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as there:
        yield there


@pytest.fixture(scope="module")
def implicit_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with storescp(tmp_path_factory.mktemp("scp") / "store", "+xi") as port:
        yield port


class Said:
    """What one command did, run within this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        self._capsys = capsys
        self._config = str(tmp_path / "no.toml")

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        code = cli.main(["--config", self._config, "send", *map(str, arguments)])
        captured = self._capsys.readouterr()
        assert not captured.out
        return code, captured.err

    def json(self, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        code = cli.main(["--config", self._config, "send", "--json", *map(str, arguments)])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def send(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Said:
    return Said(capsys, tmp_path)


def to(port: int) -> tuple[str, str]:
    return "--to", f"HOSPITAL@127.0.0.1:{port}"


def test_a_folder_is_sent_whole_and_the_summary_says_how_many_how_much_and_of_what(
    tmp_path: Path, send: Said, hospital: Hospital
) -> None:
    made = [write_ecg(tmp_path / "exams", 5000) for _ in range(3)]
    (tmp_path / "exams" / "notes.txt").write_text("no DICOM")
    code, said = send(*to(hospital.port), tmp_path / "exams")
    assert code == 0
    assert (
        f"3 of 3 sent to HOSPITAL at 127.0.0.1:{hospital.port} in " in said
        and f": {sum(i.size for i in made) / 1e6:.1f} MB" in said
    )
    assert "3 12-Lead ECG (Explicit VR Little Endian): sent\n" in said
    assert "1 no DICOM, skipped: " in said and "notes.txt" in said
    assert all(hospital.file(i.sop_instance_uid) for i in made)


def test_what_cannot_be_read_in_a_folder_is_told_of_and_is_exit_code_1(
    tmp_path: Path, send: Said, hospital: Hospital
) -> None:
    """A damaged header, a link to nothing, and (unless root runs this) a file without permission."""
    folder = tmp_path / "exams"
    write_ecg(folder)
    (folder / "cut.dcm").write_bytes(Path(write_ecg(tmp_path / "other").path).read_bytes()[:180])
    (folder / "gone.dcm").symlink_to(tmp_path / "nothing")
    (folder / "secret").mkdir()
    secret = Path(write_ecg(folder / "secret").path)
    secret.chmod(0)
    code, said = send.json(*to(hospital.port), folder)
    unreadable = {Path(row["file"]).name: row["words"] for row in said["unreadable"]}
    assert code == 1
    assert "cut short" in unreadable["cut.dcm"] or "missing in the header" in unreadable["cut.dcm"]
    assert unreadable["gone.dcm"] == "it cannot be read: No such file or directory"
    if os.getuid():
        assert unreadable[secret.name] == "it cannot be read: Permission denied"
    assert said["sent"] == (2 if os.getuid() == 0 else 1)
    _, words = send(*to(hospital.port), folder)
    assert f"{folder / 'gone.dcm'}: it cannot be read" in words


def test_a_named_path_that_is_nothing_or_no_dicom_stops_before_anything_is_sent(
    tmp_path: Path, send: Said, hospital: Hospital
) -> None:
    good, text = write_ecg(tmp_path / "one"), tmp_path / "notes.txt"
    text.write_text("no DICOM")
    for bad in (text, tmp_path / "none", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        code, said = send(*to(hospital.port), *((bad,) if bad.is_dir() else (good.path, bad)))
        assert code == 2, said
        assert str(bad) in said or "there is no DICOM file to send" in said
    assert good.sop_instance_uid not in hospital.stored


def test_a_refusal_is_exit_code_1_and_names_file_and_reason(tmp_path: Path, send: Said, implicit_only: int) -> None:
    write_ecg(tmp_path / "exams")
    refused = write_ecg(tmp_path / "exams", sop_class_uid=GENERAL_32)
    code, said = send(*to(implicit_only), tmp_path / "exams")
    assert code == 1
    assert "1 of 2 sent" in said and "1 General 32-bit ECG (Explicit VR Little Endian): refused (class-refused)" in said
    assert f"{refused.path}: HOSPITAL at 127.0.0.1:{implicit_only} does not take General 32-bit ECG" in said


def test_what_was_transcoded_is_said_and_can_be_forbidden(tmp_path: Path, send: Said, implicit_only: int) -> None:
    made = write_ecg(tmp_path / "exams")
    code, said = send(*to(implicit_only), tmp_path / "exams")
    assert code == 0
    assert "1 12-Lead ECG (Explicit VR Little Endian): sent as Implicit VR Little Endian, without loss" in said
    code, found = send.json(*to(implicit_only), made.path)
    assert [(row["file"], row["syntax"]) for row in found["transcoded"]] == [(made.path, IMPLICIT)]
    code, found = send.json(*to(implicit_only), "--refused-syntax", "hold", made.path)
    assert (code, found["sent"], found["refused"][0]["code"]) == (1, 0, "syntax-refused")


def test_a_peer_that_is_not_there_is_exit_code_3(tmp_path: Path, send: Said) -> None:
    write_ecg(tmp_path / "exams")
    code, said = send(*to(free_port()), tmp_path / "exams")
    assert code == 3 and "nothing listens at that port" in said and "0 of 1 sent" in said


@pytest.mark.parametrize("form", ["no preamble", "explicit", "implicit"])
def test_files_without_the_header_of_part_10_are_sent(
    tmp_path: Path, send: Said, hospital: Hospital, form: str
) -> None:
    made = write_ecg(tmp_path / "whole", 5000)
    bare = tmp_path / "bare"
    if form == "no preamble":
        bare.write_bytes(Path(made.path).read_bytes()[132:])
    else:
        option = "+te" if form == "explicit" else "+ti"
        subprocess.run([need("dcmconv"), "-F", option, made.path, str(bare)], check=True)
    code, said = send(*to(hospital.port), bare)
    assert code == 0, said
    got = dcmread(hospital.file(made.sop_instance_uid))
    assert got.to_json_dict() == dcmread(made.path).to_json_dict()


@pytest.mark.parametrize(
    "start", [b"", b"\2\0", b"\2\0\0\0UL\4\0\xff\xff\xff\xff", b"\x08\0\x16\0UI\xff\xff", b"\x08\0\5\0CS"]
)
def test_what_only_begins_like_such_a_file_is_none(tmp_path: Path, send: Said, start: bytes) -> None:
    (tmp_path / "file").write_bytes(start + b"ISO_IR 192" * 40)
    code, said = send(*to(1), tmp_path / "file")
    assert code == 2 and "is no DICOM file" in said


def test_a_dicomdir_that_is_named_stands_for_the_files_it_names(tmp_path: Path, send: Said, hospital: Hospital) -> None:
    made = [write_ecg(tmp_path / "exams") for _ in range(3)]
    medium = tmp_path / "medium"
    medium.mkdir()
    for number, one in enumerate(made):
        (medium / f"ECG{number}").write_bytes(Path(one.path).read_bytes())
    (medium / "OTHER").write_bytes(Path(write_ecg(tmp_path / "exams").path).read_bytes())
    names = [f"ECG{n}" for n in range(3)]
    subprocess.run([need("dcmmkdir"), "+D", "DICOMDIR", "-Pgp", "+I", *names], cwd=medium, check=True)
    (medium / "ECG2").unlink()
    code, said = send.json(*to(hospital.port), medium / "DICOMDIR")
    assert (code, said["sent"]) == (1, 2)
    assert said["unreadable"] == [{"file": str(medium / "ECG2"), "words": "DICOMDIR names it, and it is not there"}]
    code, said = send.json(*to(hospital.port), medium)
    assert (code, said["sent"], said["unreadable"]) == (0, 3, [])


def test_a_dry_run_says_what_would_be_proposed_and_calls_nobody(tmp_path: Path, send: Said) -> None:
    write_ecg(tmp_path / "exams")
    code, said = send(*to(1), "--dry-run", tmp_path / "exams")
    assert code == 0
    assert "1 instances, 0.0 MB, would be sent to HOSPITAL at 127.0.0.1:1" in said
    assert "12-Lead ECG in Explicit VR Little Endian\n  12-Lead ECG in Implicit VR Little Endian\n" in said
    assert "12-Lead ECG in Implicit" not in send(*to(1), "--dry-run", "--refused-syntax", "hold", tmp_path / "exams")[1]


def test_tls_and_the_own_title_are_options_of_the_command(tmp_path: Path, send: Said) -> None:
    authority = Authority(tmp_path / "ca")
    pacs, box = authority.sign("pacs"), authority.sign("box")
    write_ecg(tmp_path / "exams")
    with storescp(tmp_path / "store", "+tls", pacs.key, pacs.certificate, "+cf", authority.ca) as port:
        own = ["--certificate", os.path.relpath(box.certificate), "--key", box.key]
        assert send(*to(port), "--ca", authority.ca, *own, "--aet", "ME", tmp_path / "exams")[0] == 0
        code, said = send(*to(port), "--tls", *own, tmp_path / "exams")
        assert code == 3 and "name that CA as ca" in said
        code, said = send(*to(port), tmp_path / "exams")
        assert code == 3 and "does that port want TLS" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--associations", "9"], "--associations may not be '9'; allowed: a whole number from 1 to 4"),
        (["--operations", "many"], "--operations may not be 'many'"),
        (["--refused-syntax", "guess"], 'allowed: one of "transcode", "hold"'),
        (["--key", "k.pem"], "--key needs --certificate"),
        (["--user", "u", "--passcode", "p"], "--passcode needs --tls"),
        (["--aet", "MUCH TOO LONG A TITLE"], "is no AE title"),
    ],
)
def test_options_are_checked_as_settings_are(tmp_path: Path, send: Said, options: list[str], words: str) -> None:
    write_ecg(tmp_path / "exams")
    code, said = send(*to(1), *options, tmp_path / "exams")
    assert code == 2 and words in said


def test_who_stops_it_learns_what_the_peer_has_by_now(tmp_path: Path) -> None:
    """SIGINT while the second of two instances is on its way to a peer that does not answer."""
    for _ in range(2):
        write_ecg(tmp_path / "exams")
    second = threading.Event()

    def script(line: Line) -> None:
        line.accept()
        first = line.message()
        assert first is not None
        line.respond(first)
        assert line.message() is not None
        second.set()
        line.hear()

    with hostile.peer(script) as port:
        command = [sys.executable, "-m", "gateway", "send", *to(port), str(tmp_path / "exams")]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert second.wait(30)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "1 of 2 sent to HOSPITAL at " in said and said.endswith("gateway: stopped\n")


def test_a_whole_address_needs_neither_configuration_nor_adapters(tmp_path: Path) -> None:
    code = (
        "import sys; from gateway import cli; code = cli.main(sys.argv[1:])\n"
        "print(code, sorted({'gateway.configuration', 'importlib.metadata', 'pydicom', 'tomllib'} & set(sys.modules)))"
    )
    path = write_ecg(tmp_path / "exams").path
    with storescp(tmp_path / "store") as port:
        command = [sys.executable, "-c", code, "--config", str(tmp_path / "none"), "send", *to(port), path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "0 []"


def test_a_destination_is_named_by_its_name_and_called_as_configured_unless_an_option_says_otherwise(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str], implicit_only: int
) -> None:
    to_pacs = f'[[destination]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = {implicit_only}\n'
    config.write_text(config.read_text() + to_pacs + 'refused_syntax = "hold"\n')
    made = write_ecg(tmp_path / "exams")
    base = ["--config", str(config), "send", made.path]
    assert cli.main(base) == 1, "the only one that is configured"
    assert cli.main([*base, "--to", "pacs"]) == 1
    assert cli.main([*base, "--to", "pacs", "--refused-syntax", "transcode"]) == 0
    assert "1 of 1 sent to PACS at " in capsys.readouterr().err
    assert cli.main([*base, "--to", "nobody"]) == 2
    assert "no destination 'nobody' is configured; configured: pacs" in capsys.readouterr().err
