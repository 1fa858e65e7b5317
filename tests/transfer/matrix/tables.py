"""All tables of the matrix in one.

``PYTHONPATH=tests .venv/bin/python -m transfer.matrix.tables`` prints them for people, as Markdown.
"""

from __future__ import annotations

import sys

from transfer.matrix import answers, associations, commitments, network
from transfer.matrix.case import Case

TABLES = {
    "Before DICOM, and under it": network.CASES,
    "The association": associations.CASES,
    "The answer to an instance": answers.CASES,
    "Storage commitment": commitments.CASES,
}
CASES: dict[str, Case] = {name: case for table in TABLES.values() for name, case in table.items()}


def shown() -> str:
    """Markdown: what the peer does, what the box does, what it says."""
    lines = []
    for title, table in TABLES.items():
        lines += [f"## {title}", "", "| The peer … | The box | It says |", "|---|---|---|"]
        lines += [f"| {name} | {case.then} | {case.says} |" for name, case in table.items()] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(shown())
