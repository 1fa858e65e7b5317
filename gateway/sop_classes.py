"""TABLE of the SOP classes that this box writes, by the word that the configuration has for each (PS3.6 annex A)."""

from __future__ import annotations

WRITTEN: dict[str, str] = {
    "twelve-lead": "1.2.840.10008.5.1.4.1.1.9.1.1",
    "general": "1.2.840.10008.5.1.4.1.1.9.1.2",
    "ambulatory": "1.2.840.10008.5.1.4.1.1.9.1.3",
    "general-32": "1.2.840.10008.5.1.4.1.1.9.1.4",
}
AUTO = ("twelve-lead", "general", "ambulatory")  # what iod = "auto" chooses from
