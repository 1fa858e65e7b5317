"""What a person may set of an LSL stream. A site with one EEG stream need set nothing."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import fields
from gateway.fields import setting

_WORD = r"[^'\"\x00-\x1f]*"  # the marker stream's name stands between quotes in a query


@dataclass(frozen=True, slots=True)
class Options:
    """A stream of the Lab Streaming Layer (extra `[lsl]`). Where it is looked for (this box, the site's network) is
    liblsl's own configuration: the file that the environment's LSLAPICFG names.
    """

    stream: str = setting("", fields.text(128), "its name; empty: whatever it is called")
    stream_type: str = setting("EEG", fields.text(64), "its type, as its program says it; empty: any")
    source_id: str = setting("", fields.text(128), "its source_id, where several have the same name")
    markers: str = setting("", fields.text(128, _WORD), "name of a stream of type Markers beside it; empty: none")
    look: float = setting(2.0, fields.number(0.5, 10, "seconds"), "how long one attempt to find it takes")
    jitter: float = setting(
        0.1,
        fields.number(0, 10, "seconds"),
        "a time stamp that is so much later than it should be: samples are missing",
    )
    step: float = setting(
        0.0,
        fields.number(0, 1e6),
        "what one count of float samples is kept as: uV for voltages, else the channel's unit; 0 = 0.01 uV, 0.0001",
    )
    unit: str = setting(
        "", fields.text(16, r"\S*"), 'of channels whose stream does not tell, as UCUM: "uV"; empty: it is refused'
    )
    leave_out: tuple[str, ...] = setting(
        (), fields.many(fields.text(64)), "labels of channels that are not recorded: triggers, counters"
    )
