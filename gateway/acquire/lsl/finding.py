"""Finding a stream, and saying in words why there is none. Only here pylsl is loaded, when a device runs."""

from __future__ import annotations

import time
from typing import Any

from gateway.acquire.lsl.options import Options
from gateway.errors import Retry

_POLL = 0.02  # seconds between two looks at what has answered
_OTHERS = 1.0  # seconds that others may answer after the first that fits: liblsl asks some 0.5 s after the rest


def library() -> Any:
    """pylsl. Raises Retry if it, or liblsl, is not there: a device that cannot run yet, and says why."""
    try:
        import pylsl.util  # noqa: PLC0415  an extra, and its threads and sockets are for those who use it
    except ImportError:
        raise Retry(
            "pylsl is not installed, and LSL streams cannot be received without it",
            "pip install pylsl, or install the gateway with the extra [lsl]",
        ) from None
    except (RuntimeError, OSError) as error:  # pylsl's own words are many lines
        raise Retry(
            f"pylsl is installed, but not the library liblsl that it needs ({str(error).strip().splitlines()[0]})",
            "install liblsl (its project's releases, or conda-forge) and name its file in the environment's PYLSL_LIB",
        ) from None
    return pylsl


def found(lsl: Any, options: Options, known: str) -> Any:
    """The one stream that fits. ``known``: source_id of the one that was lost, which is taken if it is there again.

    Not by pylsl's resolve functions: they may take seconds longer than they are given.
    """
    looking = lsl.ContinuousResolver()
    until, first = time.monotonic() + options.look, True
    while True:
        time.sleep(_POLL)
        seen = looking.results()
        fitting = [one for one in seen if _fits(one, options)]
        again = [one for one in fitting if known and one.source_id() == known]
        if len(again) == 1:
            return again[0]
        if options.source_id and len(fitting) == 1:  # a person said which: there is no other to wait for
            return fitting[0]
        if fitting and first:
            until, first = time.monotonic() + _OTHERS, False
        if time.monotonic() > until:
            break
    if not fitting:
        raise _none(options, seen)
    if len(fitting) > 1:
        raise Retry(
            f"several LSL streams fit: {_names(fitting)}",
            "say which one: set 'stream', 'stream_type' or 'source_id' of the device",
        )
    return fitting[0]


def _asked(options: Options) -> dict[str, str]:
    asked = {"name": options.stream, "type": options.stream_type, "source_id": options.source_id}
    return {key: value for key, value in asked.items() if value}


def _fits(one: Any, options: Options) -> bool:
    return all(getattr(one, key)() == value for key, value in _asked(options).items())


def _none(options: Options, seen: list[Any]) -> Retry:
    wanted = ", ".join(f"{key} {value!r}" for key, value in _asked(options).items())
    return Retry(
        f"no LSL stream with {wanted or 'any name'} is there",
        f"seen: {_names(seen)}; correct the device's settings"
        if seen
        else "no other one is seen: start the program that sends it, and see that LSL may use the network "
        "(liblsl's lsl_api.cfg, the firewall, the capture unit)",
    )


def _names(streams: list[Any]) -> str:
    named = sorted({f"{one.name()!r} ({one.type()}, {one.source_id() or 'no source_id'})" for one in streams})
    return ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else "")
