"""A box with two destinations and a device for trials, on the fastest disk there is: for thousands of power cuts."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from spooling import DESTINATION

from gateway import configuration
from gateway.settings import Settings

CONFIGURATION = """
[gateway]
ae_title = "GATEWAY"
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "{trust}"
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "simulated"
{device}
[[device]]
name = "ecg2"
adapter = "simulated"
[[device]]
name = "trial"
adapter = "simulated"
test = true
"""


@contextlib.contextmanager
def fast_folder(otherwise: Path) -> Iterator[Path]:
    """In memory where that is possible: what is durable is the model's affair, not the real disk's."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield otherwise
        return
    made = Path(tempfile.mkdtemp(dir=memory, prefix="crash-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def a_box(folder: Path, trust: str = "always", device: str = "") -> Settings:
    """``device``: further lines of ecg1's section."""
    text = CONFIGURATION.format(folder=folder, trust=trust, device=device)
    for name in ("pacs", "archive"):
        text += DESTINATION.format(name=name, port=104, policy="commitment")
    path = folder / "gateway.toml"
    path.write_text(text)
    return configuration.load(path)


DAYS: dict[str, Callable[[Path], Settings]] = {
    "whole": a_box,
    "clock_set_later": lambda folder: a_box(folder, "ntp", 'iod = "general-32"\nrefused_class = "rewrap"'),
    "two_instances": a_box,
    "imported": a_box,
}
