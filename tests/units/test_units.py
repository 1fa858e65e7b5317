"""The units that systemd runs: understood by it, closed as far as they can be, and really started by it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from peers import need
from tiers import only_slow

import gateway
from gateway import configuration

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SERVICES = sorted(p.name for p in UNITS.glob("*.service"))
ROOT = "stick@.service"  # the one that mounts; all others run as the one user
OTHERS = [name for name in SERVICES if name != ROOT]
ONCE = ["gateway-check.service", "gateway-config.service"]  # they say something, and end
PROCESSES = [name for name in OTHERS if name not in ONCE]
MOST_EXPOSURE = dict.fromkeys(OTHERS, 2.0) | {ROOT: 4.2}  # it may not have a mount name space of its own
PACKAGES = "systemd,systemd-sysv,python3,python3-systemd,iproute2"


@pytest.fixture
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program exists on this machine; a template becomes an instance."""
    name: str = request.param
    path = tmp_path / name.replace("@", "@sdb1" if name == ROOT else "@ecg1")
    path.write_text((UNITS / name).read_text().replace("/usr/bin/gateway", "/bin/true"))
    return path


def test_there_is_one_unit_for_each_process() -> None:
    assert sorted({*SERVICES} - {*ONCE}) == ["capture@.service", "console.service", "forward.service", "stick@.service"]


@pytest.mark.parametrize("unit", SERVICES, indirect=True)
def test_systemd_understands_every_line(unit: Path) -> None:
    done = subprocess.run(
        [need("systemd-analyze"), "verify", "--man=no", unit], check=False, capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("unit", SERVICES, indirect=True)
def test_exposure_is_small(unit: Path) -> None:
    most = MOST_EXPOSURE[re.sub("@.*[.]", "@.", unit.name)]
    command = [need("systemd-analyze"), "security", "--no-pager", "--offline=true", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None, said
    print(unit.name, exposure[1])
    assert float(exposure[1]) <= most, said


@pytest.mark.parametrize("name", PROCESSES)
def test_every_unit_is_watched_runs_as_the_one_user_and_never_gives_up(name: str) -> None:
    text = (UNITS / name).read_text()
    verb = name.split("@", maxsplit=1)[0].removesuffix(".service")
    assert f"ExecStart=/usr/bin/gateway {verb}" in text
    for line in ("Type=notify", "User=gateway", "StartLimitIntervalSec=0", "ProtectSystem=strict", "UMask=0077"):
        assert f"\n{line}\n" in text
    assert re.search(r"\nWatchdogSec=\d+\n", text)
    assert "\nRuntimeDirectoryPreserve=yes\n" in text


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_hides_the_clocks_state_or_the_boot_id(name: str) -> None:
    """Both would change what the box believes: time never trusted, another boot's exams taken for this one's."""
    lines = (UNITS / name).read_text().splitlines()
    assert "ProtectClock=yes" not in lines
    assert "ProcSubset=pid" not in lines
    assert "SystemCallFilter=adjtimex clock_adjtime" in lines


def test_capture_outlives_its_device_and_has_no_network() -> None:
    text = (UNITS / "capture@.service").read_text()
    assert "BindsTo" not in text
    assert "\nPrivateNetwork=yes\n" in text
    assert "SYSTEMD_WANTS" not in (UNITS / "udev" / "70-gateway.rules").read_text()


def test_what_a_stick_is_mounted_for_is_seen_by_the_others() -> None:
    """A mount name space of its own would keep the mount to itself (systemd.exec(5), "propagation")."""
    private = "ProtectSystem ProtectHome PrivateTmp PrivateDevices PrivateMounts PrivateNetwork PrivateIPC ProtectProc"
    private += " ProtectKernelModules ProtectKernelTunables ProtectKernelLogs ProtectControlGroups ProtectHostname"
    private += " ReadWritePaths ReadOnlyPaths InaccessiblePaths BindPaths TemporaryFileSystem StateDirectory MountFlags"
    private += " RuntimeDirectory ProcSubset RootDirectory"
    set_ = {line.partition("=")[0] for line in (UNITS / ROOT).read_text().splitlines() if not line.startswith("#")}
    assert not set_ & set(private.split())
    assert "ReadWritePaths=-/run/gateway-sticks -/media/gateway" in (UNITS / "forward.service").read_text()


def test_the_process_that_mounts_lives_as_long_as_the_device_and_opens_no_other() -> None:
    text = (UNITS / ROOT).read_text()
    for line in ("BindsTo=dev-%i.device", "DevicePolicy=closed", "DeviceAllow=/dev/%i rw", "NoNewPrivileges=yes"):
        assert f"\n{line}\n" in text
    (bound,) = re.findall(r"\nCapabilityBoundingSet=(.*)\n", text)
    assert set(bound.split()) == {"CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_CHOWN"}
    assert "\n[Install]" not in text, "udev wants it, nobody enables it"


def test_udev_wants_it_for_usb_and_cards_only_and_after_it_knows_what_is_on_them() -> None:
    rules = (UNITS / "udev" / "71-gateway-sticks.rules").read_text()
    wants = [line for line in rules.splitlines() if line.startswith("KERNEL")]
    assert len(wants) == 2
    assert all('ENV{SYSTEMD_WANTS}+="stick@%k.service"' in line for line in wants)
    assert all('RUN+="/usr/bin/systemctl --no-block start stick@%k.service"' in line for line in wants)
    assert 'ENV{ID_BUS}=="usb"' in wants[0]
    assert 'ATTRS{type}=="SD"' in wants[1]
    assert "ENV{ID_FS_USAGE}!=" in rules


@pytest.mark.parametrize("name", ["console.socket", "gateway.target", "gateway-config.path"])
def test_systemd_understands_socket_and_target(name: str, tmp_path: Path) -> None:
    for path in (p for p in UNITS.iterdir() if p.suffix in {".service", ".socket", ".target", ".path"}):
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/gateway", "/bin/true"))
    command = [need("systemd-analyze"), "verify", "--man=no", tmp_path / name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if name in line]) == (0, []), done.stderr


def generated(tmp_path: Path, text: str) -> Path:
    """What the generator makes of a configuration."""
    path = UNITS / "generator" / "modality-gateway"
    loader = importlib.machinery.SourceFileLoader("generator", str(path))
    spec = importlib.util.spec_from_loader("generator", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    (tmp_path / "gateway.toml").write_text(text)
    (tmp_path / "units").mkdir()
    module.main(tmp_path / "units", tmp_path / "gateway.toml")
    return tmp_path / "units"


def test_each_device_of_the_configuration_gets_its_capture(tmp_path: Path) -> None:
    made = generated(tmp_path, '[[device]]\nname = "ecg1"\n[[device]]\nname = "a-b_2"\n[[device]]\nname = "../x"\n')
    wants = {path.name: str(path.readlink()) for path in (made / "gateway.target.wants").iterdir()}
    template = "/usr/lib/systemd/system/capture@.service"
    assert wants == {"capture@ecg1.service": template, "capture@a-b_2.service": template}


def test_what_the_configuration_has_written_elsewhere_may_be_written_to_by_who_must(tmp_path: Path) -> None:
    text = '[gateway]\ndata = "/srv/a \\"b\\" 5%"\n[media]\nfolder = "/srv/stick"\n'
    text += '[[device]]\nname = "edf"\nfolder = "/srv/in"\n'
    made = generated(tmp_path, text)
    everybodys = '[Service]\nReadWritePaths="-/srv/a \\"b\\" 5%%"\n'
    said = {str(p.relative_to(made)): p.read_text() for p in made.rglob("*-paths.conf")}
    assert said == {
        "capture@.service.d/50-paths.conf": everybodys,
        "console.service.d/50-paths.conf": everybodys,
        "forward.service.d/50-paths.conf": everybodys + 'ReadWritePaths="-/srv/stick"\n',
    }
    assert (made / "capture@edf.service.d/51-folder.conf").read_text() == '[Service]\nReadWritePaths="-/srv/in"\n'
    (tmp_path / "forward.service").write_text(
        (UNITS / "forward.service").read_text().replace("/usr/bin/gateway", "/bin/true")
        + said["forward.service.d/50-paths.conf"]
    )
    command = [need("systemd-analyze"), "verify", "--man=no", tmp_path / "forward.service"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "forward.service" in line] == []


@pytest.mark.parametrize(
    ("text", "listens"),
    [
        ('host = "127.0.0.1"\nport = 8105', "127.0.0.1:8105"),
        ("port = 8105", "127.0.0.1:8105"),
        ('host = "::1"\nport = 9', "[::1]:9"),
        ('host = "0.0.0.0"\nport = 9', ""),  # the console itself refuses it with words
        ('port = "many"', ""),
    ],
)
def test_the_page_listens_where_the_configuration_says_and_never_for_others(
    tmp_path: Path, text: str, listens: str
) -> None:
    made = generated(tmp_path, f"[console]\n{text}\n")
    path = made / "console.socket.d" / "50-configuration.conf"
    said = path.read_text() if path.exists() else ""
    assert said == (f"[Socket]\nListenStream=\nListenStream={listens}\n" if listens else "")


def test_a_page_that_is_turned_off_has_no_socket(tmp_path: Path) -> None:
    assert generated(tmp_path, "[console]\nport = 0\n").joinpath("console.socket").readlink() == Path("/dev/null")


@pytest.mark.parametrize("text", ["[[device", "device = 3", "[console]\nport = []\n[[device]]\nname = 4\n"])
def test_a_wrong_configuration_does_not_stop_the_boot(tmp_path: Path, text: str) -> None:
    made = generated(tmp_path, text)
    assert not (made / "gateway.target.wants").exists()


def test_the_sample_configuration_is_valid_and_so_is_what_it_has_commented_out() -> None:
    text = (UNITS / "gateway.toml").read_text()
    settings = configuration.parse(text, "gateway.toml")
    assert [d.name for d in settings.devices] == ["ecg1"]
    whole = configuration.parse(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text), "gateway.toml")
    assert [d.name for d in whole.devices] == ["ecg1", "cyton", "psg"]
    assert whole.media is not None
    assert whole.media.sticks == ("label:GATEWAY", "ask")
    assert (whole.ris[0].port, whole.destinations[0].policy) == (104, "commitment")


def test_sysusers_and_tmpfiles_are_understood(tmp_path: Path) -> None:
    for program, folder in (("systemd-sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles.d")):
        (tmp_path / "etc").mkdir(exist_ok=True)
        command = [need(program), f"--root={tmp_path}", str(UNITS / folder / "gateway.conf")]
        if program == "systemd-tmpfiles":
            command.insert(1, "--create")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert "Unknown" not in done.stderr + done.stdout
        assert not re.search(r"gateway\.conf:\d+", done.stderr), done.stderr
    assert "gateway:x:" in (tmp_path / "etc" / "passwd").read_text()


@only_slow
@pytest.mark.timeout(900)
def test_a_real_systemd_starts_watches_and_restarts_them(tmp_path: Path) -> None:
    """In a Debian 12 root of its own, made by mmdebstrap or taken from GATEWAY_ROOTFS, booted in namespaces."""
    if os.geteuid() != 0 or sys.version_info[:2] != (3, 11):
        pytest.skip("needs root, and the Python of Debian 12")
    root = Path(os.environ.get("GATEWAY_ROOTFS") or tmp_path / "root")
    if not root.exists():
        command = [need("mmdebstrap"), "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
        subprocess.run(command, check=True, capture_output=True)
    _install(root)
    here = Path(__file__).parent
    shutil.copy(here / "inside.sh", root / "usr/local/lib/inside.sh")
    command = ["bash", str(here / "boot.sh"), str(root), "bash", "/usr/local/lib/inside.sh"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.endswith((": ok", ": WRONG"))]
    assert len(lines) == 13, done.stdout + done.stderr
    assert not [line for line in lines if line.endswith("WRONG")], "\n".join(lines) + done.stderr


def _install(root: Path) -> None:
    """What a package would do: code, its dependencies, the command, the units, a configuration."""
    library = root / "usr/local/lib/python3.11/dist-packages"
    ours = Path(sysconfig.get_path("purelib"))
    for pattern in ("numpy*", "pydicom*", "pynetdicom*", "serial", "pyserial*", "modality_gateway*.dist-info"):
        for found in ours.glob(pattern):
            shutil.copytree(found, library / found.name, dirs_exist_ok=True)
    for package in ("gateway", "firmware_adapters"):
        shutil.rmtree(library / package, ignore_errors=True)
        shutil.copytree(Path(gateway.__file__).parents[1] / package, library / package)
    command = root / "usr/bin/gateway"
    command.write_text("#!/usr/bin/python3\nimport sys\nfrom gateway.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    for service in SERVICES:
        shutil.copy(UNITS / service, root / "etc/systemd/system" / service)
    for folder in ("sysusers.d", "tmpfiles.d"):
        shutil.copy(UNITS / folder / "gateway.conf", root / "usr/lib" / folder / "gateway.conf")
    (root / "etc/gateway").mkdir(exist_ok=True)
    sample = (UNITS / "gateway.toml").read_text()
    (root / "etc/gateway/gateway.toml").write_text(sample.replace('trust = "ntp"', 'trust = "always"'))
    for folder in ("var/lib/gateway", "run/gateway"):
        shutil.rmtree(root / folder, ignore_errors=True)
