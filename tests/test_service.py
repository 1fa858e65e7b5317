"""A process tells systemd the truth about itself, and stops when asked."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import service
from gateway.service import Service, watchdog_period


class Systemd:
    """The other end of NOTIFY_SOCKET: a real datagram socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Everything said since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    pytest.importorskip("systemd.daemon")
    peer = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield peer
    peer.close()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def process(clock: Time) -> Iterator[Service]:
    process = Service("forward", clock)
    yield process
    process.close()


def test_ready_is_said_once_with_its_words(systemd: Systemd, process: Service) -> None:
    process.ready("1 device, 2 destinations")
    process._look()
    assert systemd.heard() == ["READY=1\nSTATUS=1 device, 2 destinations", "WATCHDOG=1", "WATCHDOG=1"]


def test_watchdog_is_pinged_while_every_heart_beats(systemd: Systemd, process: Service, clock: Time) -> None:
    hearts = [process.heart("intake", 10), process.heart("pacs", 60)]
    for _ in range(20):
        clock.now += 9
        for heart in hearts:
            heart.beat()
        process._look()
        assert systemd.heard() == ["WATCHDOG=1"]  # read at once: a full socket would block the sender


def test_one_stuck_thread_stops_the_watchdog_and_is_named_in_the_log_once(
    systemd: Systemd, process: Service, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    process.heart("intake", 10)
    alive = process.heart("pacs", 10)
    clock.now += 10.5
    alive.beat()
    process._look()
    process._look()
    assert systemd.heard() == []
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "forward: thread 'intake' has made no progress for 10 s; the watchdog restarts the service if that goes on"
    ]


def test_a_thread_that_recovers_or_has_ended_in_order_feeds_the_watchdog_again(
    systemd: Systemd, process: Service, clock: Time
) -> None:
    late, ended = process.heart("intake", 10), process.heart("copy", 10)
    clock.now += 11
    process._look()
    assert systemd.heard() == []
    late.beat()
    ended.end()
    process._look()
    assert systemd.heard() == ["WATCHDOG=1"]


def test_ready_waits_for_a_thread_that_is_stuck_from_the_beginning(
    systemd: Systemd, process: Service, clock: Time
) -> None:
    heart = process.heart("listener", 10)
    clock.now += 11
    process.ready("listening")
    assert systemd.heard() == []
    heart.beat()
    process._look()
    assert systemd.heard()[0] == "READY=1\nSTATUS=listening"


def test_a_resting_thread_beats_and_wakes_when_the_process_stops() -> None:
    process = Service("forward")
    try:
        heart = process.heart("poller", 0.02)
        assert heart.rest(0.1) is False
        threading.Timer(0.05, process.stopping.set).start()
        assert heart.rest(3600) is True
    finally:
        process.close()


def test_stopping_is_said_once(systemd: Systemd, process: Service) -> None:
    process.close()
    process.close()
    assert systemd.heard() == ["STOPPING=1"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, float("inf")),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "42"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "41"}, float("inf")),
        ({"WATCHDOG_USEC": "soon"}, float("inf")),
    ],
)
def test_the_watchdog_period_is_systemds(environment: dict[str, str], expected: float) -> None:
    assert watchdog_period(environment, 42) == expected


PROGRAM = """
import sys, threading
from gateway.service import Service, set_up_logging
set_up_logging(verbose=len(sys.argv) > 1)
process = Service("forward")
process.heart("work", 3600)
process.ready("working")
print("up", flush=True)
process.run()
process.close()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_end_a_process_in_order(number: signal.Signals) -> None:
    with _started() as child:
        child.send_signal(number)
        _out, said = child.communicate(timeout=30)
    assert child.returncode == 0
    assert f"forward: stopping ({number.name})" in said


def test_sighup_ends_a_process_once_it_is_idle_so_that_it_reads_its_configuration_anew() -> None:
    with _started() as child:
        child.send_signal(signal.SIGHUP)
        _out, said = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "forward: stopping, to start again with the configuration as it is now" in said


def test_sighup_waits_for_what_is_being_done_and_is_not_forgotten() -> None:
    process = Service("capture-ecg1")
    busy, asked = threading.Event(), threading.Event()
    busy.set()
    process.idle = lambda: asked.set() or not busy.is_set()
    running = threading.Thread(target=process.run)
    try:
        running.start()
        os.kill(os.getpid(), signal.SIGHUP)
        assert asked.wait(30)
        assert not process.stopping.is_set()
        busy.clear()
        assert process.stopping.wait(30)
    finally:
        process.stopping.set()
        running.join()
        process.close()


def test_the_watchdog_of_a_running_process_is_fed_within_its_period(systemd: Systemd) -> None:
    with _started(WATCHDOG_USEC="200000") as child:
        messages: list[str] = []
        while messages.count("WATCHDOG=1") < 5:  # the test's time-out is the failure
            messages += systemd.heard()
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
    assert messages[0] == "READY=1\nSTATUS=working"
    assert systemd.heard()[-1] == "STOPPING=1"


def test_the_checkouts_folder_of_units_is_not_taken_for_systemd_python(tmp_path: Path) -> None:
    (tmp_path / "systemd").mkdir()
    hide = "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]; import systemd; "
    say = "import logging; logging.basicConfig(level=0); import gateway.service as s; assert s.daemon is None; "
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{Path(service.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", hide + say + "s.Service('x').close()"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr.count("systemd-python is not installed")) == (0, 1), done.stderr


def test_the_journal_gets_a_priority_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("gateway.x", logging.WARNING, "", 0, "no answer\nfrom %s", ("PACS",), None)
    assert service._Lines(journal=True).format(record) == "<4>no answer\n<4>from PACS"
    assert service._Lines(journal=False).format(record).endswith("warning: no answer\nfrom PACS")


def test_a_library_tells_its_error_in_words_and_its_traceback_only_to_developers() -> None:
    try:
        raise ConnectionResetError(104, "Connection reset by peer")
    except ConnectionResetError as error:
        theirs, ours = (
            logging.LogRecord(name, logging.ERROR, __file__, 1, str(error), (), sys.exc_info())
            for name in ("pynetdicom.dul", "gateway.service")
        )
    assert service._Ours().filter(theirs)
    assert "Traceback" not in service._Lines(journal=False).format(theirs)
    assert "reset by peer" in service._Lines(journal=False).format(theirs)
    assert service._Ours().filter(ours)
    assert "Traceback" in service._Lines(journal=False).format(ours)


def test_the_journal_is_recognised_by_the_stream_and_not_by_a_left_over_variable() -> None:
    reader, writer = os.pipe()
    try:
        stream = os.fstat(writer)
        with _started(stderr=writer, JOURNAL_STREAM=f"{stream.st_dev}:{stream.st_ino}") as child:
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=30)
        assert os.read(reader, 4096).startswith(b"<6>forward: stopping")
        with _started(JOURNAL_STREAM="1:1") as child:
            child.send_signal(signal.SIGTERM)
            assert not child.communicate(timeout=30)[1].startswith("<")
    finally:
        os.close(reader)
        os.close(writer)


def test_libraries_that_may_quote_patient_data_are_silent_unless_asked() -> None:
    quoting = "import warnings, logging; warnings.warn('Doe^Jane'); logging.getLogger('pydicom').warning('Doe^Jane')"
    for verbose in (False, True):
        code = f"from gateway.service import set_up_logging; set_up_logging({verbose}); {quoting}"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert ("Doe" in done.stderr) is verbose


def _started(stderr: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=os.environ | environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child
