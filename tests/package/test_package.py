"""What goes into the package, without installing it (``make deb-test`` does that, in clean Debian 12 and 13 roots)."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest
from peers import need

from gateway import __version__, cli
from images.deb import completion, manual, tree
from images.deb.build import HERE, ROOT, SCRIPTS, build, newest


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("dpkg-deb")
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def content(deb: Path) -> dict[str, tarfile.TarInfo]:
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    (deb.parent / "data.tar").write_bytes(unpacked)
    with tarfile.open(deb.parent / "data.tar") as tar:
        return {member.name.removeprefix("./"): member for member in tar}


@pytest.mark.skipif(os.environ.get("GATEWAY_SLOW") != "1", reason="slow: GATEWAY_SLOW=1; make deb-test does it, too")
def test_the_same_inputs_give_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "elsewhere")
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(deb.read_bytes()).hexdigest()


def test_one_package_serves_all_architectures(content: dict[str, tarfile.TarInfo]) -> None:
    assert "Architecture: all" in (HERE / "control").read_text()
    assert not [name for name in content if name.endswith((".so", ".a", ".pyc"))]


def test_every_module_and_table_of_the_checkout_is_in_it(content: dict[str, tarfile.TarInfo]) -> None:
    for package in ("gateway", "firmware_adapters"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md":
                assert f"usr/lib/modality-gateway/{path.relative_to(ROOT)}" in content


def test_everything_is_roots_and_nothing_is_open_to_others(content: dict[str, tarfile.TarInfo]) -> None:
    for name, member in content.items():
        assert (member.uid, member.gid) == (0, 0), name
        runs = member.isdir() or name == "usr/bin/gateway" or "generators/" in name or name.endswith(".rtupdate")
        assert member.mode == (0o755 if runs else 0o644), name


def test_every_unit_rule_and_configuration_is_in_it(content: dict[str, tarfile.TarInfo]) -> None:
    for path in (ROOT / "systemd").rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert any(Path(name).name == path.name for name in content), path


def test_the_changelog_speaks_of_this_version() -> None:
    assert newest(HERE / "changelog")[0] == __version__


def test_the_libraries_are_those_that_the_pins_name(content: dict[str, tarfile.TarInfo]) -> None:
    pins = dict(re.findall(r"(?m)^(\w+)==(\S+)", (ROOT / "requirements/run.txt").read_text()))
    for name in ("pydicom", "pynetdicom"):
        assert f"usr/lib/modality-gateway/{name}-{pins[name]}.dist-info/METADATA" in content


def test_each_dependency_is_in_it_or_debians() -> None:
    debian = {"numpy": "python3-numpy", "pyserial": "python3-serial", "systemd-python": "python3-systemd"}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    control = (HERE / "control").read_text()
    for name in set(asked) - {"pydicom", "pynetdicom"}:
        assert debian[name] in control


@pytest.mark.parametrize("name", [*SCRIPTS, "rtupdate"])
def test_the_maintainer_scripts_are_plain_shell(name: str) -> None:
    done = subprocess.run([need("dash"), "-n", HERE / name], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_manual_page_tells_every_verb_and_option_and_is_sound(tmp_path: Path) -> None:
    text = manual.page(0)
    for command in tree.walk(tree.commands()):
        for word in command.words:
            assert all(flag.replace("-", r"\-") in text for flag in word.flags)
    for verb in cli.VERBS:
        assert f'.SS "{verb}"'.replace("support-bundle", r"support\-bundle") in text
    (tmp_path / "gateway.1").write_text(text)
    command = [need("groff"), "-man", "-Tutf8", "-ww", "-z", tmp_path / "gateway.1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_in_the_package_has_no_time_in_it(deb: Path, content: dict[str, tarfile.TarInfo]) -> None:
    assert content["usr/share/man/man1/gateway.1.gz"].mtime == newest(HERE / "changelog")[1]
    with tarfile.open(deb.parent / "data.tar") as tar:
        packed = tar.extractfile("./usr/share/man/man1/gateway.1.gz")
        assert packed is not None
        assert gzip.decompress(packed.read()).decode() == manual.page(newest(HERE / "changelog")[1])


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("st", {"status", "stick"}),
        ("exam sto", {"stop"}),
        ("exam start --em", {"--emergency"}),
        ("exam stop --reason do", {"doctor"}),
        ("-v queue re", {"retry", "release", "rewrap"}),
        ("echo --timeout 1", set()),
    ],
)
def test_the_shell_completes(tmp_path: Path, typed: str, offered: set[str]) -> None:
    (tmp_path / "gateway").write_text(completion.script())
    asked = f". {tmp_path}/gateway; COMP_WORDS=(gateway {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _gateway"
    done = subprocess.run(
        [need("bash"), "-c", asked + '; printf "%s\\n" "${COMPREPLY[@]}"'], check=True, capture_output=True, text=True
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")
