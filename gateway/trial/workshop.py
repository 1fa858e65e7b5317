"""Everything the demo and the end-to-end tests stand on: a folder, a configuration, a device, real processes.

The processes are the ones systemd runs, started by hand. They end with the workshop, even if it is killed
(PR_SET_PDEATHSIG): nothing is left running.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import gateway
from gateway import configuration, fsops, local
from gateway.errors import Misuse, Retry
from gateway.settings import Settings

MARK = ".made-by-gateway-demo"
_PR_SET_PDEATHSIG = 1
TO_START = 30.0  # seconds a process may take until it answers
TO_STOP = 15.0


class Process:
    """One of the gateway's processes, with its output in a log file."""

    def __init__(
        self,
        arguments: list[str],
        config: Path,
        answers_at: Path | None,
        log: Path,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = " ".join(arguments)
        self.log = log
        self._answers_at = answers_at
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, fsops.FILE_MODE)
        with os.fdopen(descriptor, "ab") as stream:
            self._process = subprocess.Popen(
                [*before, sys.executable, "-m", "gateway", "--config", str(config), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=_here() | dict(environment or {}),
                start_new_session=True,  # Ctrl-C reaches the workshop, which stops its processes in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509  no threads touch this before exec
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> None:
        """Raises Retry with the end of its log if it does not answer in time."""
        deadline = time.monotonic() + TO_START
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers_at is None or local.is_served(self._answers_at, 2.0):
                return
            time.sleep(0.05)
        said = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise Retry(f"the process '{self.name}' did not start: {' | '.join(said) or 'no word'}", f"see {self.log}")

    def ended(self) -> int | None:
        """Its exit code, minus the signal that killed it; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """kill -9, as the kernel or a test would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, as systemd would; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.returncode


class Workshop:
    """The folder ``out`` with a configuration, and the processes started on it.

    ``before`` stands before their command (nsenter, to run them on another file system), ``environment`` beside theirs.
    """

    def __init__(self, out: Path, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self._before = before
        self._environment = environment
        self.out = fresh_folder(out)
        self.config = self.out / "gateway.toml"
        self._log = fsops.make_folder(self.out / "log")
        self._stack = contextlib.ExitStack()
        # Unix socket paths are short (108 bytes), the demo's folder may be deep.
        self.runtime = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-")))
        self.processes: dict[str, Process] = {}
        self.settings: Settings | None = None

    def configure(self, text: str) -> Settings:
        """Write the configuration and read it back, checked."""
        fsops.write_file(self.config, text.encode())
        self.settings = configuration.load(self.config)
        return self.settings

    def start(self, *arguments: str) -> Process:
        """Start ``gateway ARGUMENTS``, one of the three processes."""
        name = "-".join(arguments)
        answers_at = None if arguments[0] == "console" else self.runtime / f"{name}.sock"
        log = self._log / f"{name}.log"
        process = Process(list(arguments), self.config, answers_at, log, self._before, self._environment)
        self.processes[name] = process
        return process

    def stop(self) -> None:
        """Stop the processes, capture first, so that what it holds is still taken in."""
        for name in sorted(self.processes):
            self.processes[name].stop()
        self.processes.clear()

    def close(self) -> None:
        self.stop()
        self._stack.close()


@contextlib.contextmanager
def workshop(out: Path, before: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Iterator[Workshop]:
    """A workshop that is closed whatever happens."""
    made = Workshop(out, before, environment)
    try:
        yield made
    finally:
        made.close()


def fresh_folder(out: Path) -> Path:
    """``out``, empty. Only what an earlier demo made is removed; anything else is refused."""
    out = out.absolute()
    if out.exists() and any(out.iterdir()):
        if not (out / MARK).exists():
            raise Misuse(f"{out} is not empty and no earlier demo made it", "choose another folder with --out")
        fsops.remove_folder(out)
    fsops.make_folder(out)
    fsops.write_file(out / MARK, b"")
    return out


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _here() -> dict[str, str]:
    """This environment, in which ``-m gateway`` is this code; a package may keep it where only its command looks."""
    code = str(Path(gateway.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH"))))}
