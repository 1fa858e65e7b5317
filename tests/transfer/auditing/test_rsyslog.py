"""A real syslog server takes what is told: rsyslog with its TLS, which many hospitals run."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from authority import Authority
from peers import need
from spooling import CLOCK, Box, Pacs, record, somebodys_exam

from gateway import configuration
from gateway.spool import audit
from gateway.transfer.auditing.reporter import Reporter

CONFIGURATION = """
global(workDirectory="{work}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}" maxMessageSize="64k")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{work}/port")
template(name="whole" type="string" string="%pri% %app-name% %msgid% %msg%\\n")
action(type="omfile" file="{work}/heard" template="whole" asyncWriting="off")
"""


@pytest.mark.skipif(os.environ.get("GATEWAY_SLOW") != "1", reason="slow: GATEWAY_SLOW=1 (rsyslog)")
def test_rsyslog_keeps_every_message_whole(config: Path, tmp_path: Path) -> None:
    program = need("rsyslogd")
    authority = Authority(tmp_path / "ca")
    there, here = authority.sign("repository"), authority.sign("gateway")
    (tmp_path / "rsyslog.conf").write_text(
        CONFIGURATION.format(work=tmp_path, ca=authority.ca, certificate=there.certificate, key=there.key)
    )
    command = [program, "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "pid"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            port = int(until(lambda: read(tmp_path / "port")))
            until(lambda: listens(port))
            text = f'[audit]\nhost = "127.0.0.1"\nport = {port}\nca = "{authority.ca}"\n'
            config.write_text(f'{config.read_text()}{text}certificate = "{here.certificate}"\nkey = "{here.key}"\n')
            settings = configuration.load(config)
            box = Box(settings, Pacs())
            record(settings, somebodys_exam(settings).exam, 500)
            box.take_in()
            reporter = Reporter(settings, box.ledger, CLOCK)
            uids = [row["uid"] for row in box.ledger.query("SELECT uid FROM instances")]
            audit.left(settings, CLOCK, "transfer", "pacs", uids)
            audit.append(settings.places.audit, CLOCK.now(), "Jürgen", "waive", uids[0], "why")
            reporter.turn()
            lines = until(lambda: found if len(found := read(tmp_path / "heard").splitlines()) == 3 else None)
        finally:
            server.terminate()
    for line in lines:
        priority, program_name, kind, xml = line.split(" ", 3)
        assert (priority, program_name, kind) == ("85", "gateway", "DICOM+RFC3881")
        assert ET.fromstring(xml[xml.index("<?xml") :].encode().replace(b"#012", b"\n")).tag == "AuditMessage"
    assert "Jürgen" in lines[2]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig") if path.exists() else ""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(what, seconds: float = 60.0):  # type: ignore[no-untyped-def]
    """The first true answer."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found
