"""``gateway support-bundle``: what support needs, without patient data.

The bundle holds versions, the configuration (which never holds secrets), the processes' status, what the journal has
of them, and a listing of the data folder: names, sizes and times only. Names are ids and UIDs; no file that names a
patient is opened. What is logged above DEBUG names none either; debug lines are left out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gateway import configuration, local
from gateway.errors import GatewayError, Misuse
from gateway.journal import IDENTIFIER
from gateway.settings import Settings
from gateway.verbs import tell

PACKAGES = ("modality-gateway", "numpy", "pydicom", "pynetdicom", "pyserial", "systemd-python")
MOST_LISTED = 20_000  # lines; a full spool is listed from its newest entries' folders as the file system gives them


def arguments(parser: argparse.ArgumentParser) -> None:
    default = Path(time.strftime("gateway-support-%Y%m%d-%H%M%S.tar.gz"))
    parser.add_argument("-o", "--out", type=Path, default=default, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    try:
        descriptor = os.open(args.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Misuse(f"{args.out} cannot be made ({error.strerror})", "name another file with -o") from error
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        for name, text in _parts(args.config):
            entry = tarfile.TarInfo(f"gateway-support/{name}")
            data = text.encode()
            entry.size, entry.mtime = len(data), int(time.time())
            bundle.addfile(entry, io.BytesIO(data))
    tell.note("no patient data is in it; look for yourself before you send it on")
    print(args.out)
    return 0


def _parts(config: Path) -> Iterator[tuple[str, str]]:
    yield "versions.txt", "\n".join(_versions()) + "\n"
    yield "journal.txt", _journal()
    try:
        settings = configuration.load(config)
    except GatewayError as error:
        yield "configuration-error.txt", f"{error}\n"
        return
    yield "gateway.toml", config.read_text(encoding="utf-8")
    yield "status.json", json.dumps(dict(_statuses(settings)), indent=1)
    yield "data.txt", "\n".join(_listing(settings.places.data)) + "\n"


def _versions() -> Iterator[str]:
    yield f"python {sys.version.split()[0]} on {platform.platform()}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} missing"


def _journal() -> str:
    """The last lines of all processes, if this user may read them (root, and members of systemd-journal)."""
    command = ["journalctl", f"--identifier={IDENTIFIER}", "--priority=info", f"--lines={MOST_LISTED}"]
    try:
        done = subprocess.run(
            [*command, "--no-pager", "--output=short-iso"], check=False, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"journalctl: {error}\n"
    return (done.stdout + done.stderr).decode(errors="replace")


def _statuses(settings: Settings) -> Iterator[tuple[str, object]]:
    for name in ("forward", *(f"capture-{d.name}" for d in settings.devices)):
        try:
            answer = local.ask(settings.places.socket(name), {"do": "status"})
            yield name, {key: value for key, value in answer.items() if key != "file"}  # it may name a patient
        except GatewayError as error:
            yield name, {"error": str(error)}


def _listing(folder: Path) -> Iterator[str]:
    for lines, (place, _folders, files) in enumerate(os.walk(folder)):
        if lines > MOST_LISTED:
            yield "... and more"
            return
        for name in sorted(files):
            path = Path(place, name)
            found = path.lstat()
            yield f"{found.st_size:>12} {tell.when(found.st_mtime)} {path.relative_to(folder)}"
