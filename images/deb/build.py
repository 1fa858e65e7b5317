"""``make deb``: the Debian package, one for amd64 and arm64, Debian 12 and 13. images/README.md says why it is so.

Everything in it comes from this checkout and from ``.venv``, where pip checked each wheel against ``requirements/``;
no network is spoken to. The same inputs give the same bytes: names are sorted, owners root's, and every time is that
of the newest entry in ``changelog`` (SOURCE_DATE_EPOCH, reproducible-builds.org).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib.metadata import distribution
from pathlib import Path

import gateway
from images.deb import completion, manual

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAME = "modality-gateway"
LIBRARY = f"usr/lib/{NAME}"
VENDORED = ("pydicom", "pynetdicom")  # pure Python; Debian 12 has them too old, or not at all
# What no gateway runs: the libraries' own tests, their test data, command-line programs and pictures.
LEFT_OUT = re.compile(r"\.\./|.*\.pyc$|pydicom/data/(test_files|charset_files)/|pynetdicom/(tests|apps)/|.*\.md$")
METADATA = re.compile(
    r"[^/]+\.dist-info/(METADATA|entry_points\.txt)$"
)  # for importlib.metadata; no licences: copyright
UNITS = {
    "usr/lib/systemd/system": ("*.service", "*.socket", "*.target", "*.path"),
    "usr/lib/systemd/system-generators": ("generator/*",),
    "usr/lib/systemd/catalog": ("catalog/*",),
    "usr/lib/sysusers.d": ("sysusers.d/*",),
    "usr/lib/tmpfiles.d": ("tmpfiles.d/*",),
    "usr/lib/udev/rules.d": ("udev/*.rules",),
    f"usr/share/{NAME}/prometheus": ("prometheus/*",),
    "etc/gateway": ("gateway.toml",),
}
PROGRAMS = ("usr/bin/gateway", "usr/lib/systemd/system-generators/*", "usr/share/python3/runtime.d/*")
SCRIPTS = ("postinst", "prerm", "postrm")


class CannotBuild(Exception):
    """Says what is missing or differs, and what to do."""


def build(out: Path, version: str = gateway.__version__) -> Path:
    """Write ``modality-gateway_VERSION_all.deb`` to the folder ``out``."""
    said, epoch = newest(HERE / "changelog")
    if version == gateway.__version__ != said:
        raise CannotBuild(f"images/deb/changelog speaks of {said}, gateway/__init__.py of {version}: add an entry")
    out.mkdir(parents=True, exist_ok=True)
    deb = out / f"{NAME}_{version}_all.deb"
    with tempfile.TemporaryDirectory(prefix="gateway-deb-") as work:
        tree = Path(work, "tree")
        _fill(tree, Path(work), epoch)
        _control(tree, version)
        _settle(tree, epoch)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--threads-max=1", "--build", str(tree), str(deb)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise CannotBuild(f"dpkg-deb: {done.stderr.strip()}")
    return deb


def newest(changelog: Path) -> tuple[str, int]:
    """Version and time (seconds since 1970) of its first entry (deb-changelog(5))."""
    text = changelog.read_text()
    version, stamp = re.search(r"^\S+ \((\S+)\)", text), re.search(r"^ -- .*>  (.*)$", text, re.M)
    if version is None or stamp is None:
        raise CannotBuild(f"{changelog} has no entry")
    return version[1], int(parsedate_to_datetime(stamp[1]).timestamp())


def _fill(tree: Path, work: Path, epoch: int) -> None:
    """Everything but DEBIAN/."""
    library = tree / LIBRARY
    _own_code(library, work, epoch)
    for name in VENDORED:
        _vendored(name, library)
    for folder, patterns in UNITS.items():
        for source in sorted(p for pattern in patterns for p in (ROOT / "systemd").glob(pattern)):
            _put(tree / folder / source.name, source.read_bytes())
    _put(tree / "usr/bin/gateway", (HERE / "gateway").read_bytes())
    _put(tree / f"usr/share/python3/runtime.d/{NAME}.rtupdate", (HERE / "rtupdate").read_bytes())
    _put(tree / "usr/share/bash-completion/completions/gateway", completion.script().encode())
    _put(tree / "usr/share/man/man1/gateway.1.gz", _gzip(manual.page(epoch).encode()))
    documents = tree / f"usr/share/doc/{NAME}"
    _put(documents / "changelog.gz", _gzip((HERE / "changelog").read_bytes()))
    _put(documents / "copyright", "".join(_copyright()).encode())


def _own_code(library: Path, work: Path, epoch: int) -> None:
    """By way of a wheel, so that pyproject.toml alone says which files belong to it."""
    source = work / "source"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("gateway", "firmware_adapters"):
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
    ]
    command += ["--no-build-isolation", "--wheel-dir", str(work / "wheel"), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise CannotBuild(f"pip wheel: {done.stderr.strip()}")
    (wheel,) = (work / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".dist-info/" not in name or METADATA.match(name):
                _put(library / name, archive.read(name))


def _vendored(name: str, library: Path) -> None:
    """A library as pip installed it here; each file must still be what its wheel's RECORD says."""
    for file in distribution(name).files or ():
        path = file.as_posix()
        if LEFT_OUT.match(path) or (".dist-info/" in path and not METADATA.match(path)):
            continue
        data = file.read_binary()
        if file.hash is None or file.hash.mode != "sha256":
            raise CannotBuild(f"{path} has no hash in RECORD: make clean, then make setup")
        if urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode() != file.hash.value:
            raise CannotBuild(f"{path} is not as its wheel had it: make clean, then make setup")
        _put(library / path, data)


def _control(tree: Path, version: str) -> None:
    """The control folder (deb-control(5))."""
    files = sorted(p for p in tree.rglob("*") if p.is_file())
    size = sum(-(-p.stat().st_size // 1024) for p in files)
    sums = "".join(f"{hashlib.md5(p.read_bytes()).hexdigest()}  {p.relative_to(tree)}\n" for p in files)
    control = (HERE / "control").read_text().replace("@VERSION@", version).replace("@SIZE@", str(size))
    _put(tree / "DEBIAN/control", control.encode())
    _put(tree / "DEBIAN/md5sums", sums.encode())
    for name in (*SCRIPTS, "conffiles"):
        _put(tree / "DEBIAN" / name, (HERE / name).read_bytes())


def _settle(tree: Path, epoch: int) -> None:
    """Modes and times that do not come from this checkout's umask and this hour."""
    for path in sorted(tree.rglob("*"), reverse=True):
        place = path.relative_to(tree)
        runs = any(place.match(p) for p in PROGRAMS) or (place.parent.name == "DEBIAN" and place.name in SCRIPTS)
        path.chmod(0o755 if path.is_dir() or runs else 0o644)
        os.utime(path, (epoch, epoch))
    tree.chmod(0o755)
    os.utime(tree, (epoch, epoch))


def _copyright() -> Iterator[str]:
    """Ours, and what the vendored libraries ask to be told with every copy."""
    yield (HERE / "copyright").read_text().replace("@LICENSE@", _indented((ROOT / "LICENSE").read_text()))
    for name in VENDORED:
        (file,) = [f for f in distribution(name).files or () if "/licenses/" in f.as_posix()]
        text = file.read_text(encoding="utf-8")
        holders = re.findall(r"^ *(Copyright \(c\) .*)$", text, re.M)
        yield f"\nFiles: {LIBRARY}/{name}/*\nCopyright: " + "\n ".join(
            h.removeprefix("Copyright (c) ") for h in holders
        )
        yield f"\nLicense: {name}\n{_indented(text)}\n"


def _indented(text: str) -> str:
    return "\n".join(f" {line.rstrip() or '.'}" for line in text.strip().splitlines())


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m images.deb.build", description="the Debian package")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR")
    args = parser.parse_args()
    try:
        deb = build(args.out)
    except CannotBuild as error:
        print(f"deb: {error}", file=sys.stderr)
        return 1
    print(f"deb: {deb} ({deb.stat().st_size / 1e6:.1f} MB), sha256 {hashlib.sha256(deb.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
