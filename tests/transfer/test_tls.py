"""TLS towards real peers: mutual, checked, never weaker than 1.2 and never plain; each refusal has its own words."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import pytest
from authority import Authority, Signed
from dcmtk import storescp
from ecg_files import TWELVE_LEAD
from hostile import Line
from orthanc import orthanc
from pynetdicom import AE, evt

from gateway.destination import Destination
from gateway.model import InstanceRef
from gateway.settings import Box
from gateway.transfer.association import certificate
from gateway.transfer.calling import echo, peers, tls
from gateway.transfer.calling.outcomes import Outcome
from gateway.transfer.calling.peers import Peer, Security
from gateway.transfer.storing import store

Ecg = Callable[..., InstanceRef]
Call = Callable[..., Peer]


@dataclasses.dataclass(frozen=True)
class Hospital:
    """A CA, and whom it signed for."""

    authority: Authority
    pacs: Signed
    box: Signed

    @property
    def security(self) -> Security:
        return Security(self.authority.ca, self.box.certificate, self.box.key, "")

    @property
    def options(self) -> tuple[str, ...]:
        """Of DCMTK's storescp: a certificate of its own, and one wanted of the caller."""
        return "+tls", self.pacs.key, self.pacs.certificate, "+cf", self.authority.ca


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    authority = Authority(tmp_path_factory.mktemp("tls") / "ca")
    return Hospital(authority, authority.sign("pacs"), authority.sign("box"))


@pytest.fixture
def secure_scp(tmp_path: Path, hospital: Hospital) -> Iterator[int]:
    with storescp(tmp_path / "store", *hospital.options, "--bit-preserving") as port:
        yield port


def told(peer: Peer, security: Security | None, *instances: InstanceRef) -> list[Outcome]:
    return [o for _, o in store.send(dataclasses.replace(peer, security=security), instances)]


def only(peer: Peer, security: Security | None, instance: InstanceRef) -> tuple[str, str, str]:
    (outcome,) = told(peer, security, instance)
    return outcome.kind, outcome.code, outcome.words


def test_instances_reach_dcmtk_through_mutual_tls(
    tmp_path: Path, ecg: Ecg, call: Call, hospital: Hospital, secure_scp: int
) -> None:
    instances = [ecg(5000), ecg(200_000), ecg(1)]
    assert [o.kind for o in told(call(secure_scp), hospital.security, *instances)] == ["done"] * 3
    sizes = sorted(p.stat().st_size for p in (tmp_path / "store").iterdir())
    assert len(sizes) == 3 and sizes[2] > 4_800_000


def test_instances_reach_orthanc_through_mutual_tls(tmp_path: Path, ecg: Ecg, call: Call, hospital: Hospital) -> None:
    instances = [ecg(5000) for _ in range(5)]
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": hospital.pacs.certificate,
        "DicomTlsPrivateKey": hospital.pacs.key,
        "DicomTlsTrustedCertificates": hospital.authority.ca,
    }
    with orthanc(tmp_path / "orthanc", **settings) as pacs:
        outcomes = told(call(pacs.port, pacs.ae_title), hospital.security, *instances)
        assert [o.kind for o in outcomes] == ["done"] * 5
        assert set(pacs.instances()) == {i.sop_instance_uid for i in instances}


def test_instances_reach_pynetdicom_through_tls_of_either_version(ecg: Ecg, call: Call, hospital: Hospital) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server(hospital)
        context.minimum_version = context.maximum_version = version
        ae = AE()
        ae.add_supported_context(TWELVE_LEAD)
        scp = ae.start_server(
            ("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0)]
        )
        try:
            outcomes = told(call(scp.server_address[1]), hospital.security, ecg(5000), ecg(100_000))
            assert [o.kind for o in outcomes] == ["done", "done"]
        finally:
            scp.shutdown()


def test_a_plain_peer_on_a_tls_port_and_the_reverse_are_named(
    tmp_path: Path, ecg: Ecg, call: Call, hospital: Hospital, secure_scp: int
) -> None:
    kind, code, words = only(call(secure_scp), None, ecg())
    assert (kind, code) == ("retry", "lost") and "does that port want TLS (tls = true)?" in words
    with storescp(tmp_path / "plain") as port:
        kind, code, words = only(call(port), hospital.security, ecg())
    assert (kind, code) == ("retry", "tls-broken-off") and "does it speak TLS at that port" in words


def test_a_plain_peer_that_answers_is_named_too(ecg: Ecg, call: Call, hospital: Hospital) -> None:
    def script(line: Line) -> None:
        line.connection.recv(100)
        line.say(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01")
        line.connection.recv(100)

    with hostile.peer(script) as port:
        kind, code, words = only(call(port), hospital.security, ecg())
    assert (kind, code) == ("retry", "tls-plain") and "does not speak TLS at that port" in words


def test_a_tls_peer_that_answers_a_plain_request_with_an_alert_is_named(ecg: Ecg, call: Call) -> None:
    def script(line: Line) -> None:
        line.hear()
        line.say(b"\x15\x03\x03\x00\x02\x02\x0a")
        line.hear()

    with hostile.peer(script) as port:
        kind, code, words = only(call(port), None, ecg())
    assert (kind, code) == ("retry", "protocol") and "a TLS record: set tls = true" in words


def refusals(hospital: Hospital) -> dict[str, tuple[Security, str, str]]:
    good = hospital.security
    stranger = Authority(Path(hospital.authority.ca).parent.parent / f"stranger-{time.monotonic_ns()}", "Stranger CA")
    other = stranger.sign("box")
    return {
        "no certificate of ours": (dataclasses.replace(good, certificate="", key=""), "tls-refused", "wants a cert"),
        "ours is signed by a stranger": (
            dataclasses.replace(good, certificate=other.certificate, key=other.key),
            "tls-refused",
            "have it trusted there",
        ),
        "theirs is signed by a stranger": (dataclasses.replace(good, ca=stranger.ca), "tls-untrusted", "name that CA"),
        "the name is another": (dataclasses.replace(good, name="pacs.example"), "tls-untrusted", "for another name"),
    }


def test_what_the_certificates_are_refused_for_is_said(
    ecg: Ecg, call: Call, hospital: Hospital, secure_scp: int
) -> None:
    for security, code, words in refusals(hospital).values():
        outcome = only(call(secure_scp), security, ecg())
        assert outcome[:2] == ("retry", code), outcome
        assert words in outcome[2], outcome


def test_any_name_is_taken_only_if_that_is_configured(
    ecg: Ecg, call: Call, hospital: Hospital, secure_scp: int
) -> None:
    by_name = dataclasses.replace(call(secure_scp), host="localhost")
    for name in ("", "*"):
        assert only(by_name, dataclasses.replace(hospital.security, name=name), ecg())[0] == "done"


def test_an_expired_certificate_of_the_peer_is_said(tmp_path: Path, ecg: Ecg, call: Call, hospital: Hospital) -> None:
    old = hospital.authority.sign("old-pacs", days=-3)
    with storescp(tmp_path / "store", "+tls", old.key, old.certificate, "+cf", hospital.authority.ca) as port:
        kind, code, words = only(call(port), hospital.security, ecg())
    assert (kind, code) == ("retry", "tls-untrusted") and "has expired" in words


def test_what_is_wrong_with_our_own_files_is_said_before_anybody_is_called(
    tmp_path: Path, ecg: Ecg, call: Call, hospital: Hospital
) -> None:
    old, good = hospital.authority.sign("old-box", days=-3), hospital.security
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for security, words in (
        (dataclasses.replace(good, certificate=old.certificate, key=old.key), "old-box.pem ended "),
        (dataclasses.replace(good, key=hospital.pacs.key), "does not belong to the certificate"),
        (dataclasses.replace(good, key=str(tmp_path / "none.pem")), "none.pem cannot be read (No such file"),
        (dataclasses.replace(good, certificate=str(empty)), "is no certificate in PEM form"),
        (dataclasses.replace(good, ca=str(empty)), "is not called"),
    ):
        outcome = only(call(1), security, ecg())
        assert outcome[:2] == ("retry", "tls-own-files"), outcome
        assert words in outcome[2], outcome


def test_a_certificate_that_ends_soon_is_said_once(
    ecg: Ecg, call: Call, hospital: Hospital, secure_scp: int, caplog: pytest.LogCaptureFixture
) -> None:
    soon = hospital.authority.sign("soon", days=5.5)
    security = dataclasses.replace(hospital.security, certificate=soon.certificate, key=soon.key)
    for _ in range(2):
        assert only(call(secure_scp), security, ecg())[0] == "done"
    said = [r.message for r in caplog.records if "ends in 5 days" in r.message or "ends in 6 days" in r.message]
    assert len(said) == 1 and soon.certificate in said[0]


def server(hospital: Hospital) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(hospital.pacs.certificate, hospital.pacs.key)
    return context


def test_a_peer_that_knows_only_old_tls_is_not_called(ecg: Ecg, call: Call, hospital: Hospital) -> None:
    context = server(hospital)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    def script(line: Line) -> None:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(line.connection, server_side=True)

    with hostile.peer(script) as port:
        kind, code, _ = only(call(port), hospital.security, ecg())
    assert (kind, code) == ("retry", "tls-old")


def test_a_cipher_suite_without_forward_secrecy_is_not_used(ecg: Ecg, call: Call, hospital: Hospital) -> None:
    context = server(hospital)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-SHA:AES128-GCM-SHA256:@SECLEVEL=0")

    def script(line: Line) -> None:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(line.connection, server_side=True)

    with hostile.peer(script) as port:
        kind, code, _ = only(call(port), hospital.security, ecg())
    assert (kind, code) == ("retry", "tls-refused")


def test_which_tls_it_was_is_known_when_the_peer_has_ended_it(call: Call, hospital: Hospital) -> None:
    """It may do so in the very piece that accepts the association: the journal is written after that."""
    context = server(hospital)

    def script(line: Line) -> None:
        context.wrap_socket(line.connection, server_side=True).unwrap()

    with hostile.peer(script) as port:
        connection = tls.connect(call(port), hospital.security)
        said = None
        while said is None:  # TLS has words of its own, which are none of the peer's
            assert connection.readable(connection.deadline())
            said = connection.receive()
        assert said == b""
        connection.close()
    assert connection.describe().startswith("TLSv1.3, its certificate is valid until ")


def test_a_peer_that_never_finishes_the_handshake_is_called_silent(ecg: Ecg, call: Call, hospital: Hospital) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = call(listening.getsockname()[1], timeout=0.5)
        assert only(peer, hospital.security, ecg())[:2] == ("retry", "silent")


def test_echo_says_which_tls_and_until_when(call: Call, hospital: Hospital, secure_scp: int) -> None:
    shown = str(echo.echo(dataclasses.replace(call(secure_scp), security=hospital.security)))
    assert "TLSv1.3, its certificate is valid until 20" in shown


def test_the_end_of_a_certificate_is_read_as_openssl_reads_it(hospital: Hospital) -> None:
    for name, days in (("near", 3.0), ("far", 365.0 * 40)):  # beyond 2049 the time has another form
        signed = hospital.authority.sign(name, days)
        assert certificate.ends(certificate.first(signed.certificate)) == pytest.approx(
            time.time() + days * 86400, abs=60
        )


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_a_certificate_that_is_cut_short_is_refused(hospital: Hospital, cut: int) -> None:
    with pytest.raises(ValueError):
        certificate.ends(certificate.first(hospital.box.certificate)[:cut])


def test_keys_come_from_paths_or_from_credentials_of_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    to = Destination(name="p", ae_title="P", host="h", tls=True, ca="/ca.pem", certificate="box.pem")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    both = str(tmp_path / "box.pem")
    assert peers.destination(Box(), to).security == Security("/ca.pem", both, both, "")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(Exception, match=r'certificate = "box\.pem" of p names a credential.*LoadCredential='):
        peers.destination(Box(), to)


def test_no_suite_is_offered_that_rfc_9325_does_not_recommend(hospital: Hospital) -> None:
    offered = {c["name"] for c in tls._context(hospital.security, ()).get_ciphers()}
    assert offered == {f"ECDHE-{a}-AES{n}" for a in ("RSA", "ECDSA") for n in ("128-GCM-SHA256", "256-GCM-SHA384")} | {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
    }
