"""What the check has to say: one line each, for a person."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """``where`` is a path of keywords, items counted from 1; ``rule`` the section of PS3.3 or what was checked."""

    severity: str
    where: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message} [{self.rule}]"
