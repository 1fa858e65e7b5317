"""Certificates for the tests, made with the openssl command: a hospital's own CA, and whom it signs for."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from peers import need

CONFIGURATION = """
[ca]
default_ca = here
[here]
new_certs_dir = {0}
database = {0}/index.txt
serial = {0}/serial
certificate = {0}/ca.pem
private_key = {0}/ca.key
default_md = sha256
unique_subject = no
policy = policy
[policy]
commonName = supplied
"""


@dataclass(frozen=True)
class Signed:
    """Paths of PEM files."""

    certificate: str
    key: str


class Authority:
    """A CA in a folder of its own; ``name`` is its common name."""

    def __init__(self, folder: Path, name: str = "Hospital CA") -> None:
        folder.mkdir()
        self._folder = folder
        self.ca = str(folder / "ca.pem")
        (folder / "ca.conf").write_text(CONFIGURATION.format(folder))
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        subject = ["-subj", f"/CN={name}", "-keyout", str(folder / "ca.key"), "-out", self.ca]
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject)

    def sign(self, name: str, days: float = 100, alternative: str = "IP:127.0.0.1,DNS:localhost") -> Signed:
        """A certificate for ``name`` that began a year ago and ends in so many days; negative: it has ended."""
        key, request, certificate = (str(self._folder / f"{name}{s}") for s in (".key", ".csr", ".pem"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        now = datetime.now(UTC)
        start, end = ((now + timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in (-365, days))
        valid = ["-startdate", start, "-enddate", end, "-extfile", str(extensions)]
        paths = ["-config", str(self._folder / "ca.conf"), "-in", request, "-out", certificate]
        _openssl("ca", "-batch", "-notext", *paths, *valid)
        return Signed(certificate, key)


def _openssl(*arguments: str) -> None:
    subprocess.run([need("openssl"), *arguments], check=True, capture_output=True)
