"""``gateway check FILE|DIR…``: do files conform to the tables of their SOP classes?

For a person, findings that are alike are said once, with their number. For a program, ``--json`` says all of them. In
other people's builds: ``--strict`` lets warnings fail too, ``--ignore RULE`` accepts a kind of finding.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gateway.dicom.check import ERROR, RULES, Finding, check
from gateway.errors import Misuse
from gateway.verbs import tell

_NUMBER = re.compile(r"\[\d+\]")
_PREFIX = b"DICM"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE|DIR", help="a folder means every DICOM file in it")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every finding")
    parser.add_argument("--strict", action="store_true", help="exit code 1 for warnings too")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="RULE", help=f"a kind of finding to accept: {', '.join(RULES)}"
    )


def run(args: argparse.Namespace) -> int:
    """0 when no file has a finding of severity error (``--strict``: any finding), else 1."""
    if unknown := [rule for rule in args.ignore if rule not in RULES]:
        raise Misuse(f"{unknown[0]!r} is no rule", "gateway check --help lists them")
    if missing := [path for path in args.files if not path.exists()]:
        raise Misuse(f"{missing[0]} is not there", "name DICOM files, or folders of them")
    warnings.simplefilter("ignore")  # what pydicom warns about, the findings say in our words
    report = _Json() if args.json else _Words()
    for path in args.files:
        for file in _files(path):
            report.add(file, [f for f in check(file) if f.rule not in args.ignore])
    report.end()
    if not report.files and not args.json:
        tell.note("no DICOM file is there")
    return int(bool(report.errors or (args.strict and report.warnings)))


def _files(path: Path) -> Iterator[Path]:
    """A file as it is named, whatever it holds; of a folder only what looks like DICOM."""
    if not path.is_dir():
        yield path
        return
    for inner in sorted(path.rglob("*")):
        if inner.is_file() and inner.name != "DICOMDIR" and _is_dicom(inner):
            yield inner


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == _PREFIX
    except OSError:
        return True  # the check says why it cannot be read


class _Report:
    """Counts, and says each file as soon as it is checked: there may be many."""

    def __init__(self) -> None:
        self.files = self.errors = self.warnings = 0

    def add(self, path: Path, findings: list[Finding]) -> None:
        errors = sum(f.severity == ERROR for f in findings)
        self.say(path, findings, errors)
        self.files += 1
        self.errors += errors
        self.warnings += len(findings) - errors

    def say(self, path: Path, findings: list[Finding], errors: int) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError


class _Words(_Report):
    def say(self, path: Path, findings: list[Finding], errors: int) -> None:
        print(f"{path}: {_counted(errors, len(findings) - errors)}")
        alike = Counter((f.severity, f.rule, _NUMBER.sub("[]", f.where), f.message) for f in findings)
        for finding in findings:
            number = alike.pop((finding.severity, finding.rule, _NUMBER.sub("[]", finding.where), finding.message), 0)
            if number:
                print(f"  {finding}{f' (and {number - 1} alike)' if number > 1 else ''}")

    def end(self) -> None:
        if self.files > 1:
            print(f"{self.files} files: {_counted(self.errors, self.warnings)}")


class _Json(_Report):
    """One object, written as it grows."""

    def say(self, path: Path, findings: list[Finding], errors: int) -> None:
        entry = {"file": str(path), "errors": errors, "findings": [_as_json(f) for f in findings]}
        print('{"files": [' if not self.files else ",")
        print(json.dumps(entry, ensure_ascii=False, indent=1), end="")

    def end(self) -> None:
        print('{"files": [' if not self.files else "")
        print(f'], "errors": {self.errors}, "warnings": {self.warnings}}}')
        sys.stdout.flush()


def _counted(errors: int, warned: int) -> str:
    if not errors and not warned:
        return "conforms"
    return f"{errors} error{'s' * (errors != 1)}, {warned} warning{'s' * (warned != 1)}"


def _as_json(finding: Finding) -> dict[str, str]:
    names = ("severity", "where", "tag", "rule", "section", "message")
    return {name: str(getattr(finding, name)) for name in names}
