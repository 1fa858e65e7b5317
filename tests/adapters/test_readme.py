"""The adapter in the README is a real one: it keeps the contract that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import firmware_adapters
from gateway.acquire.contract import AdapterContract

README = Path(firmware_adapters.__file__).parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
NAMES: dict[str, Any] = {}
exec("\n".join(BLOCKS), NAMES)


class TestTheExample(NAMES["TestAcmeOne"]):
    pass


def test_the_example_is_short_and_its_contract_is_the_shipped_one():
    assert len(BLOCKS[0].splitlines()) < 60
    assert issubclass(TestTheExample, AdapterContract)
    assert TestTheExample.expected is not None
