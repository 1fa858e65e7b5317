"""``gateway plot FILE -o OUT.svg``: the waveform on millimetre paper, 25 mm/s, 10 mm/mV."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.dicom import plot
from gateway.errors import Misuse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.svg")
    parser.add_argument("--identify", action="store_true", help="write the patient's name and ID on the picture")


def run(args: argparse.Namespace) -> int:
    if not args.file.is_file():
        raise Misuse(f"{args.file} is no file", "name a DICOM waveform file")
    picture = plot.svg(args.file, identify=args.identify)
    try:
        args.out.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Misuse(f"{args.out} cannot be written ({error.strerror})", "choose another place") from error
    print(args.out)
    return 0
