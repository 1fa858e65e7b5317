"""One box and every PACS that runs here at once, plain and under TLS: each gets each instance, in a form that it takes.

orthanc    takes what comes, and commits
strict     Orthanc under mutual TLS that takes Implicit VR only, and commits
storescp   DCMTK, takes Implicit VR only
secure     DCMTK under mutual TLS
archive    dcmqrscp, takes Implicit VR only (it knows no TLS)
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from dcmtk import dcmqrscp, storescp
from orthanc import Orthanc, orthanc
from pydicom import Dataset, dcmread
from spooling import CLOCK, record, somebodys_exam
from waiting import eventually

from gateway import configuration, exam, local
from gateway.forward import Forward
from gateway.service import Service
from gateway.settings import Settings
from gateway.trial.ports import free_port

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
TWELVE_LEAD, GENERAL_32 = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.4"
COMMITS, STORES = ("orthanc", "strict"), ("storescp", "secure", "archive")
IMPLICIT_ONLY = ("strict", "storescp", "archive")

BOX = """
[gateway]
data = "{folder}/data"
runtime = "{folder}/run"
[clock]
trust = "always"
[listener]
host = "127.0.0.1"
port = {listen}
[spool]
reserve = 0
[[device]]
name = "ecg1"
adapter = "simulated"
[[device]]
name = "ecg2"
adapter = "simulated"
iod = "general-32"
refused_class = "rewrap"
"""
DESTINATION = """
[[destination]]
name = "{name}"
ae_title = "{title}"
host = "127.0.0.1"
port = {port}
policy = "{policy}"
retry_first = 0.2
{further}
"""
MUTUAL = 'tls = true\nca = "{ca}"\ncertificate = "{box.certificate}"\nkey = "{box.key}"'


@dataclasses.dataclass(frozen=True)
class Ward:
    """The running box, and where each PACS keeps what it has: folders, or Orthanc."""

    settings: Settings
    forward: Forward
    kept: dict[str, Path | Orthanc]
    folder: Path

    def delivered(self, device: str) -> list[dict[str, Any]]:
        """All deliveries of one recording, when every destination is as far as its policy asks."""
        whose = somebodys_exam(self.settings, device)
        record(self.settings, whose.exam, samples=2000, device=device)
        exam.close_exam(self.settings.places, CLOCK, whose.exam)
        socket = self.settings.places.socket("forward")

        def finished() -> list[dict[str, Any]]:
            rows = local.ask(socket, {"do": "exam", "exam": whose.exam}, 30)["deliveries"]
            left = [r for r in rows if not r["waived"]]
            wanted = {**dict.fromkeys(COMMITS, "COMMITTED"), **dict.fromkeys(STORES, "STORED")}
            assert not any(r["held"] for r in left), rows
            return left if {r["destination"]: r["state"] for r in left} == wanted else []

        return eventually(finished)

    def spooled(self, uid: str) -> Path:
        (path,) = self.settings.places.instances.rglob(f"{uid}.dcm")
        return path

    def received(self, name: str, uid: str) -> Dataset:
        where = self.kept[name]
        if isinstance(where, Orthanc):
            path = self.folder / f"{name}-{uid}.dcm"
            path.write_bytes(where.bytes(f"/instances/{where.instances()[uid]}/file"))
            return dcmread(path)
        found = [ds for p in where.iterdir() if p.name != "index.dat" and (ds := dcmread(p)).SOPInstanceUID == uid]
        assert len(found) == 1, "once, and only once"
        return found[0]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    authority = Authority(folder / "ca")
    pacs, box, listen = authority.sign("pacs"), authority.sign("box"), free_port()
    trusted = {"DicomTlsTrustedCertificates": authority.ca, "DicomTlsRemoteCertificateRequired": True}
    own = {"DicomTlsCertificate": pacs.certificate, "DicomTlsPrivateKey": pacs.key}
    secure = {"DicomTlsEnabled": True, **own, **trusted}
    tls = "+tls", pacs.key, pacs.certificate, "+cf", authority.ca
    with contextlib.ExitStack() as started:
        enter = started.enter_context
        plain, strict = _both(
            started,
            lambda: orthanc(folder / "orthanc", "GATEWAY", listen),
            lambda: orthanc(folder / "strict", "GATEWAY", listen, AcceptedTransferSyntaxes=[IMPLICIT], **secure),
        )
        mutual = MUTUAL.format(ca=authority.ca, box=box)
        rows = [
            ("orthanc", "ORTHANC", plain.port, "commitment", ""),
            ("strict", "ORTHANC", strict.port, "commitment", mutual),
            ("storescp", "ANY-SCP", enter(storescp(folder / "storescp", "+xi")), "stored", ""),
            ("secure", "ANY-SCP", enter(storescp(folder / "secure", *tls)), "stored", mutual),
            ("archive", "QRSCP", enter(dcmqrscp(folder / "archive", "+xi")), "stored", ""),
        ]
        keys = ("name", "title", "port", "policy", "further")
        config = folder / "gateway.toml"
        config.write_text(
            BOX.format(folder=folder, listen=listen)
            + "".join(DESTINATION.format(**dict(zip(keys, row, strict=True))) for row in rows)
        )
        settings, service = configuration.load(config), Service("forward")
        started.callback(service.close)
        running = Forward(settings, service)
        started.callback(running.close)
        running.start()
        kept = {"orthanc": plain, "strict": strict, "archive": folder / "archive" / "QRSCP"}
        yield Ward(settings, running, kept | {n: folder / n for n in ("storescp", "secure")}, folder)


def _both(stack: contextlib.ExitStack, *makes: Callable[[], Any]) -> list[Orthanc]:
    """Two servers that take three seconds to start, beside each other."""
    managers = [make() for make in makes]
    found: list[Any] = [None] * len(managers)

    def enter(number: int) -> None:
        found[number] = managers[number].__enter__()

    threads = [threading.Thread(target=enter, args=(n,)) for n in range(len(managers))]
    for thread in threads:
        thread.start()
    for thread, manager in zip(threads, managers, strict=True):
        thread.join()
        stack.push(manager.__exit__)
    assert all(found)
    return found


@pytest.fixture(scope="module")
def twelve_lead(ward: Ward) -> dict[str, dict[str, Any]]:
    return {row["destination"]: row for row in ward.delivered("ecg1")}


@pytest.mark.parametrize("name", [*COMMITS, *STORES])
def test_every_real_pacs_has_the_ecg_and_took_responsibility_for_it(
    ward: Ward, twelve_lead: dict[str, dict[str, Any]], name: str
) -> None:
    uid = twelve_lead[name]["instance"]
    sent, got = dcmread(ward.spooled(uid)), ward.received(name, uid)
    assert got.SOPClassUID == TWELVE_LEAD
    assert got.to_json_dict() == sent.to_json_dict()
    assert got.file_meta.TransferSyntaxUID == (IMPLICIT if name in IMPLICIT_ONLY else EXPLICIT)


@pytest.mark.parametrize("name", [*COMMITS, *STORES])
def test_the_ledger_says_in_which_form_it_was_sent_and_which_bytes(
    ward: Ward, twelve_lead: dict[str, dict[str, Any]], name: str
) -> None:
    row = twelve_lead[name]
    digest = hashlib.sha256(ward.spooled(row["instance"]).read_bytes()).hexdigest()
    assert row["sent_syntax"] == (IMPLICIT if name in IMPLICIT_ONLY else None)
    assert (row["sent_sha256"] == digest) == (name not in IMPLICIT_ONLY)
    if name in STORES and name in IMPLICIT_ONLY:
        assert "sent as Implicit VR Little Endian, without loss" in row["words"]


def test_a_refused_class_goes_as_another_one_and_in_another_transfer_syntax_where_both_are_needed(ward: Ward) -> None:
    """32-bit ECG: nobody here takes the class; the 16-bit wrapping reaches all, some in Implicit VR only."""
    rows = {row["destination"]: row for row in ward.delivered("ecg2")}
    (uid,) = {row["instance"] for row in rows.values()}
    for name in (*COMMITS, *STORES):
        got = ward.received(name, uid)
        assert got.SOPClassUID == TWELVE_LEAD and got.to_json_dict() == dcmread(ward.spooled(uid)).to_json_dict()
        assert rows[name]["sent_syntax"] == (IMPLICIT if name in IMPLICIT_ONLY else None)
    replaced = ward.forward.ledger.query(
        "SELECT i.class, d.waived FROM deliveries d JOIN instances i ON i.uid ="
        " d.instance WHERE d.superseded_by IS NOT NULL"
    )
    assert {r["class"] for r in replaced} == {GENERAL_32} and len(replaced) == len(rows)
    assert all("refuses the class; sent as twelve-lead instead" in r["waived"] for r in replaced)
