"""TABLE of the units that a channel may be measured in: UCUM codes (CID 82) and their meanings."""

from __future__ import annotations

from gateway.model import Code

_MEANINGS = {
    "nV": "nanovolt",
    "uV": "microvolt",
    "mV": "millivolt",
    "V": "volt",
    "Ohm": "ohm",
    "mOhm": "milliohm",
    "kOhm": "kiloohm",
    "mA": "milliampere",
    "W": "watt",
    "mm[Hg]": "millimeter of mercury",
    "cm[H2O]": "centimeter of water",
    "Pa": "pascal",
    "hPa": "hectopascal",
    "kPa": "kilopascal",
    "L": "liter",
    "mL": "milliliter",
    "L/s": "liter per second",
    "L/min": "liter per minute",
    "mL/s": "milliliter per second",
    "%": "percent",
    "[ppm]": "part per million",
    "deg": "degree",
    "Cel": "degree Celsius",
    "K": "kelvin",
    "m/s2": "meter per square second",
    "[g]": "standard acceleration of free fall",
    "{beats}/min": "beats per minute",
    "{breaths}/min": "breaths per minute",
    "s": "second",
    "ms": "millisecond",
    "dB": "decibel",
    "1": "no units",
}
UNITS: dict[str, Code] = {code: Code(code, "UCUM", meaning) for code, meaning in _MEANINGS.items()}
