"""What a log record tells beside its words: the journal's fields (systemd.journal-fields(7)), so that it can be asked.

``journalctl DEVICE=ecg1``, ``journalctl DESTINATION=pacs``, ``journalctl SOP_INSTANCE_UID=1.2.3``. No call to the log
names fields. They follow from how messages are worded in all of this program: "instance %s" is a SOP Instance UID,
"recording %s" an acquisition; from the thread that speaks, which is named after the peer it serves; and from the
process. MESSAGES gives what needs a person its MESSAGE_ID; systemd/catalog explains each (``journalctl -x``).
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator

SOCKET = "/run/systemd/journal/socket"  # the native protocol: one datagram for each entry
IDENTIFIER = "gateway"

_NAMED = re.compile(r"\b(instance|recording|kept|exam|medium) (%s)|%[-+#0 ]*[\d.]*[a-zA-Z]")
_FIELDS = {
    "instance": "SOP_INSTANCE_UID",
    "recording": "ACQUISITION",
    "kept": "ACQUISITION",
    "exam": "EXAM",
    "medium": "MEDIUM",
}
_THREADS = re.compile(r"(?:steps )?to (?P<destination>\S+)(?: \d+)?|worklist of (?P<ris>\S+)|(?P<media>media)")
_ACQUISITION = re.compile(r"\d{8}T\d{6}-(?P<device>.+)-[0-9a-f]{8}")
_PROCESS = re.compile(r"capture-(.+)")

# The beginning of a message as the code words it -> its id. An id is never used again for another message.
MESSAGES = {
    "instance %s is held for ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e001",
    "recording %s is held: ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e002",
    "the step of exam %s is held for ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e003",
    "%s: %s; tried again in %.0f s, then at longer intervals": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e004",
    "%s answers again": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e005",
    "instance %s: %s; %s; check the disk": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e006",
    "%s: thread %r has made no progress for ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e007",
    "the ledger was damaged ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e008",
    "%s ends in %.0f days, on ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e009",
    "%s was recording when the box lost its power ": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e00a",
    "the disk has taken nothing for too long": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e00b",
    "%s: %s%s; trying again until it answers": "6d7c1f0e3a5b4c0b9b1a1d0c52b3e00c",
}


def fields(record: logging.LogRecord, process: str = "") -> dict[str, str]:
    """Everything but MESSAGE. ``process`` is the service's name; that of a capture is its device's."""
    found: dict[str, str] = {}
    if (capture := _PROCESS.fullmatch(process)) is not None:
        found["DEVICE"] = capture[1]
    if (thread := _THREADS.fullmatch(record.threadName or "")) is not None:
        found["DESTINATION"] = next(name for name in thread.groups() if name)
    found.update(_of_words(record))
    if (recording := _ACQUISITION.fullmatch(found.get("ACQUISITION", ""))) is not None:
        found.setdefault("DEVICE", recording["device"])
    number = next((number for start, number in MESSAGES.items() if str(record.msg).startswith(start)), None)
    return found if number is None else found | {"MESSAGE_ID": number}


def _of_words(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """What stands where the message says "instance %s" and the like."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    for place, match in enumerate(_NAMED.finditer(str(record.msg).replace("%%", ""))):
        if match[1] and place < len(arguments):
            yield _FIELDS[match[1]], str(arguments[place])


class JournalHandler(logging.Handler):
    """Sends records to the journal with their fields; what it cannot send, ``fallback`` writes."""

    def __init__(self, fallback: logging.Handler, path: str = SOCKET) -> None:
        super().__init__()
        self.process = ""
        self._fallback, self._path = fallback, path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(entry({"MESSAGE": self.format(record), **self._all(record)}), self._path)
        except OSError:  # no journal yet or any more, or an entry larger than a datagram
            self._fallback.handle(record)

    def _all(self, record: logging.LogRecord) -> dict[str, str]:
        own = {"PRIORITY": str(priority(record.levelno)), "SYSLOG_IDENTIFIER": IDENTIFIER, "LOGGER": record.name}
        own |= {"CODE_FILE": record.pathname, "CODE_LINE": str(record.lineno), "THREAD": record.threadName or ""}
        return own | fields(record, self.process)


def entry(told: dict[str, str]) -> bytes:
    """One entry in the journal's native protocol: what holds a line feed goes with its length."""
    parts = []
    for name, value in told.items():
        data = value.encode(errors="replace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)


def priority(level: int) -> int:
    """The syslog severity of a logging level."""
    known = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
    return next(number for least, number in known if level >= least)
