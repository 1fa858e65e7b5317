"""TABLES of what TLS with a peer can fail of, and what to do about it: a part of the outcomes."""

from __future__ import annotations

# What TLS says (OpenSSL's reasons; alerts of the peer are named ALERT).
_NO_TLS = "tls-plain", "it does not speak TLS at that port; set tls = false, or use its port for TLS (often 2762)"
_OWN = "tls-refused", "it does not accept this box's certificate ({reason}); have it trusted there"
TLS: dict[str, tuple[str, str]] = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": ("tls-old", "it speaks only a TLS older than 1.2, which is not safe; have it updated"),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("tls-old", "it speaks only a TLS older than 1.2, which is not safe"),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "tls-refused",
        "it breaks off the TLS handshake: it wants a certificate of this box, or has no cipher suite of BCP 195",
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "tls-refused",
        "it wants a certificate of this box: set certificate and key",
    ),
    "TLSV1_ALERT_UNKNOWN_CA": _OWN,
    "SSLV3_ALERT_BAD_CERTIFICATE": _OWN,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OWN,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OWN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OWN,
    "TLSV1_ALERT_ACCESS_DENIED": _OWN,
}
# Verification of the peer's certificate (OpenSSL's X509_V_ERR_...).
UNVERIFIED: dict[int, str] = {
    9: "its certificate is not valid yet; is this box's clock right?",
    10: "its certificate has expired; tell its administrator",
    18: "its certificate is signed by itself only; name it as ca, if it is the right one",
    19: "its certificate comes from a CA that is not trusted here; name that CA as ca",
    20: "its certificate comes from a CA that is not known here; name that CA as ca",
    62: "its certificate is for another name; correct host, or set certificate_name",
    64: "its certificate is for another address; correct host, or set certificate_name",
}


def told(reason: str, verify_code: int | None, verify_message: str) -> tuple[str, str]:
    """A short word, and words for a person, for OpenSSL's reason, or its objection to a certificate."""
    if verify_code is not None:
        words = UNVERIFIED.get(verify_code, f"its certificate cannot be trusted ({verify_message})")
        return "tls-untrusted", words
    code, words = TLS.get(reason, ("tls", "the TLS handshake fails ({reason}); look into its log"))
    return code, words.format(reason=reason.replace("_", " ").lower())
