"""``gateway check FILE…``: does a file conform to the tables of its SOP class?"""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.dicom.check import Finding, check
from gateway.errors import Misuse
from gateway.verbs import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 when no file has a finding of severity error, else 1."""
    found = {}
    for path in args.files:
        if not path.is_file():
            raise Misuse(f"{path} is no file", "name DICOM files")
        found[path] = check(path)
    if args.json:
        tell.as_json({"files": [{"file": str(p), "findings": [_as_json(f) for f in fs]} for p, fs in found.items()]})
    else:
        for path, findings in found.items():
            print(f"{path}: {_verdict(findings)}")
            for finding in findings:
                print(f"  {finding}")
    return int(any(f.severity == "error" for findings in found.values() for f in findings))


def _verdict(findings: list[Finding]) -> str:
    errors = sum(f.severity == "error" for f in findings)
    warnings = len(findings) - errors
    return "conforms" if not findings else f"{errors} errors, {warnings} warnings"


def _as_json(finding: Finding) -> dict[str, str]:
    return {name: str(getattr(finding, name)) for name in ("severity", "where", "rule", "message")}
