"""``make deb-test``: the package in clean Debian 12 and 13 roots, under their own systemd; one line per requirement."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from images.deb.build import ROOT, CannotBuild, build
from tests.package import roots
from tests.vm.rootfs import NoMachine

HERE = Path(__file__).resolve().parent
BEFORE = "0.0.9"  # what is upgraded from


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.package", description="the package in clean roots")
    parser.add_argument("suite", nargs="*", default=list(roots.SUITES), help="bookworm, trixie")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="gateway-deb-"))
    try:
        old, new = build(work / "old", BEFORE), build(work / "new")
        wrong = [] if _lint(new) else ["lintian"]
        for codename in args.suite:
            wrong += _try(codename, old, new, work / codename)
    except FileNotFoundError as error:
        print(f"deb: {error.filename} is missing: .ci/system-packages deb installs it", file=sys.stderr)
        return 2
    except (CannotBuild, NoMachine) as error:
        print(f"deb: {error}", file=sys.stderr)
        return 2
    shutil.rmtree(work)
    print(f"deb: {len(wrong)} wrong" if wrong else "deb: all is well", flush=True)
    return 1 if wrong else 0


def _lint(deb: Path) -> bool:
    """Debian's own judge: no error and no warning."""
    command = ["lintian", "--fail-on", "error,warning", "--allow-root", str(deb)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    print(f"deb: lintian finds nothing: {'ok' if done.returncode == 0 else 'WRONG'}", flush=True)
    if said:
        print(said, file=sys.stderr)
    return done.returncode == 0


def _try(codename: str, old: Path, new: Path, root: Path) -> list[str]:
    """The requirements that do not hold there."""
    began = time.monotonic()
    roots.unpack(roots.tar(codename, roots.depends(new)), root)
    place = root / "usr/local/lib/package"
    place.mkdir(parents=True)
    for source, name in ((old, "old.deb"), (new, "new.deb"), (HERE / "inside.sh", "inside.sh")):
        shutil.copy(source, place / name)
    with tarfile.open(ROOT / "tests/spool/older/version-1.tar.xz") as older:
        older.extractall(place / "older", filter="data")
    inside = "/usr/local/lib/package"
    command = ["bash", str(ROOT / "tests/units/boot.sh"), str(root), "bash", f"{inside}/inside.sh"]
    done = subprocess.run(
        [*command, f"{inside}/old.deb", f"{inside}/new.deb"], check=False, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    for line in lines:
        print(f"deb: {codename}: {line}", flush=True)
    wrong = [line for line in lines if line.endswith(": WRONG")]
    if wrong or not any(line == "and leaves nothing: ok" for line in lines):
        log = Path(tempfile.gettempdir(), f"gateway-deb-{codename}.log")
        log.write_text(done.stderr)
        print(f"deb: what was said is in {log}", file=sys.stderr)
        wrong = wrong or ["it did not get to its end"]
    print(f"deb: {codename}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=False)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
