"""What the header table says of an attribute: whether it is there, and where its value comes from (PS3.2 annex A)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    MWL = "MWL"
    USER = "USER"
    DEVICE = "DEVICE"
    CONFIG = "CONFIG"
    AUTO = "AUTO"
    FIXED = "FIXED"
    COPY = "COPY"


MEANING = {
    Source.MWL: "the worklist item that the exam is for",
    Source.USER: "a person: typed in, scanned or chosen when the exam was started or corrected",
    Source.DEVICE: "the device: what it says of itself, and what it measured (AUTO in the words of PS3.2)",
    Source.CONFIG: "the configuration file of the box",
    Source.AUTO: "made by the gateway",
    Source.FIXED: "the same in every instance of the class",
    Source.COPY: "the instance that it is about",
}


class Presence(StrEnum):
    ALWAYS = "ALWAYS"
    VNAP = "VNAP"
    ANAP = "ANAP"
    EMPTY = "EMPTY"


PRESENCE = {
    Presence.ALWAYS: "always present with a value",
    Presence.VNAP: "value not always present: zero length if there is none",
    Presence.ANAP: "attribute not always present",
    Presence.EMPTY: "always present without a value",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """``path``: keywords, sequences by '/'. ``sources``: the first that has a value gives it, unless ``words`` differ.

    ``whole``: the items of a sequence come as they are from the same source. ``fallback``: what stands there if no
    source has a value; "" = by ``presence`` nothing, or zero length.
    """

    path: str
    presence: Presence
    sources: tuple[Source, ...]
    words: str = ""
    fallback: str = ""
    whole: bool = False
