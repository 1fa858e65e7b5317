"""The few errors the gateway raises on purpose; each one says what follows from it.

Every message is one line that a biomedical engineer can act on: what is wrong, where, and, in ``fix``,
what to do. The class decides what the box does next and the exit code of a command:

    Misuse       wrong use or configuration: stop before anything starts         exit code 2
    Retry        a device, peer or medium did not answer: try again later        exit code 3
    Held         a person must look: keep everything, do nothing by guess        exit code 4
    Fatal        this process cannot go on without risking data: stop loudly     exit code 1
"""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})  # what a write is answered for want of room, or of inodes


class GatewayError(Exception):
    """Base of all errors that are answers, not bugs. ``fix`` says what a person can do about it."""

    exit_code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}" if self.fix else self.message


class Misuse(GatewayError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class Retry(GatewayError):
    """Something outside the box did not answer; the same attempt may succeed later."""

    exit_code = 3


class Held(GatewayError):
    """The box may not decide this alone; the data is kept and waits for a person."""

    exit_code = 4


class Unreadable(Held):
    """A file that a device left is not what it should be: it stays where it is, and nothing is made of it."""


class Fatal(GatewayError):
    """Going on would risk data (a failed fsync, a newer format, a second process on one spool)."""

    exit_code = 1


_FIXES = {
    errno.EACCES: "give the command as the user who owns the data: runuser -u gateway -- gateway ...",
    errno.ENOSPC: "the disk is full: gateway queue list shows what waits",
    errno.EDQUOT: "the disk quota is used up: gateway queue list shows what waits",
    errno.EROFS: "the file system is read-only: check the storage medium",
    errno.EIO: "check the storage medium",
}


def in_words(error: OSError) -> str:
    """What the system refused, where, and what to do about the usual causes."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}" + (f"; {fix}" if (fix := fix_of(error)) else "")


def fix_of(error: OSError) -> str:
    """What to do about an error of the system; "" if that is not known."""
    return _FIXES.get(error.errno or 0, "")
