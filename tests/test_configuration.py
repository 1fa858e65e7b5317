"""Every mistake in the configuration is answered with file, line, key, what is wrong, and what is allowed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gateway import configuration, fields
from gateway.errors import Misuse
from gateway.settings import MANY, ONE

GOOD = """\
[gateway]
ae_title = "GATEWAY"
data = "/var/lib/gateway"

[[device]]
name = "ecg1"
adapter = "simulated"

[[device]]
name = "ecg2"
adapter = "simulated"

[[destination]]
name = "pacs"
ae_title = "PACS"
host = "pacs.hospital.example"
port = 104
"""


def test_a_good_file_is_read() -> None:
    settings = configuration.parse(GOOD)
    assert settings.box.ae_title == "GATEWAY"
    assert settings.device("ecg2").sync_interval == 1.0
    assert settings.destination("pacs").policy == "commitment"
    assert settings.media is None


def test_an_empty_file_is_a_box_with_defaults() -> None:
    assert configuration.parse("").console.port == 8104


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "fix"),
    [
        ('ae_title = "GATEWAY"', 'ae_tittle = "GATEWAY"', 2, "[gateway] key 'ae_tittle' is unknown", "'ae_title'"),
        ('ae_title = "GATEWAY"', "colour = 1", 2, "[gateway] key 'colour' is unknown", "known keys: ae_title"),
        ('ae_title = "GATEWAY"', 'ae_title = ""', 2, "key 'ae_title' may not be ''", "1 to 16 printable ASCII"),
        ('ae_title = "GATEWAY"', 'ae_title = "SEVENTEEN LETTERS"', 2, "key 'ae_title' may not be", "1 to 16"),
        ('ae_title = "GATEWAY"', 'ae_title = "MÜLLER"', 2, "may not be 'MÜLLER'", "printable ASCII"),
        ('ae_title = "GATEWAY"', "ae_title = 5", 2, "may not be 5", "an AE title"),
        ('"/var/lib/gateway"', '"var/lib"', 3, "key 'data' may not be 'var/lib'", "an absolute path"),
        ("port = 104", "port = 65536", 17, "[[destination]] no. 1 key 'port' may not be 65536", "from 1 to 65535"),
        ("port = 104", "port = true", 17, "key 'port' may not be True", "a whole number"),
        ("port = 104", 'port = "104"', 17, "key 'port' may not be '104'", "a whole number"),
        ("port = 104", 'policy = "hope"', 17, "key 'policy' may not be 'hope'", '"commitment", "verified", "stored"'),
        ('host = "pacs.hospital.example"\n', "", 13, "[[destination]] no. 1 lacks the key 'host'", "or the url"),
        ('name = "ecg2"', 'name = "ecg1"', 10, "[[device]] no. 2 key 'name' is 'ecg1' a second time", "own name"),
        ('name = "ecg2"', 'name = "ecg 2"', 10, "[[device]] no. 2 key 'name' may not be", "letters, digits"),
        ("[[destination]]", "[destination]", 13, "[destination] is not a list", "two brackets: [[destination]]"),
        ("[[destination]]", "[[destinations]]", 13, "[destinations] is unknown", "[[destination]]"),
        ("[gateway]", "[[gateway]]", 1, "[gateway] is not a table", "write it as [section]"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, line: int, words: str, fix: str) -> None:
    with pytest.raises(Misuse) as refused:
        configuration.parse(GOOD.replace(old, new, 1), "gateway.toml")
    assert refused.value.message.startswith(f"gateway.toml, line {line}: ")
    assert words in refused.value.message
    assert fix in refused.value.fix


def test_an_unknown_adapter_is_answered_with_the_installed_ones() -> None:
    with pytest.raises(Misuse) as refused:
        configuration.parse(GOOD.replace('adapter = "simulated"', 'adapter = "toaster"', 1), "gateway.toml")
    assert "gateway.toml, line 7: [[device]] no. 1 key 'adapter'" in refused.value.message
    assert "simulated" in refused.value.fix


def test_a_device_on_a_line_needs_its_port() -> None:
    with pytest.raises(Misuse) as refused:
        configuration.parse(GOOD.replace('adapter = "simulated"', 'adapter = "openbci_cyton"', 1), "gateway.toml")
    assert "line 5: [[device]] no. 1 lacks the key 'port'" in refused.value.message


def test_an_option_that_the_adapter_does_not_know_is_refused_like_any_other() -> None:
    with pytest.raises(Misuse, match=r"line 8: \[\[device\]\] no\. 1 key 'flavour' is unknown"):
        configuration.parse(GOOD.replace('simulated"\n', 'simulated"\nflavour = 3\n', 1), "gateway.toml")


def test_broken_toml_is_named_with_its_place() -> None:
    with pytest.raises(Misuse, match=r"gateway\.toml: .*line 2"):
        configuration.parse("[gateway]\nae_title = \n", "gateway.toml")


def test_a_missing_or_unreadable_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="--config FILE"):
        configuration.load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Misuse, match="UTF-8"):
        configuration.load(tmp_path / "binary.toml")


def test_asking_for_what_is_not_configured_lists_what_is() -> None:
    settings = configuration.parse(GOOD)
    with pytest.raises(Misuse, match=r"no device 'x' is configured.*ecg1, ecg2"):
        settings.device("x")


def test_the_reference_documents_every_key() -> None:
    text = configuration.reference()
    for name, kind in [*ONE.items(), *MANY.items()]:
        assert f"[{name}]" in text
        for field in dataclasses.fields(kind):
            assert f"| `{field.name}` |" in text
    assert '`adapter = "openbci_cyton"`' in text


@pytest.mark.parametrize("kind", [*ONE.values(), *MANY.values()])
def test_every_default_passes_its_own_check(kind: type) -> None:
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING:
            continue
        value = str(field.default) if isinstance(field.default, Path) else field.default
        value = "" if value is None else value  # an optional path
        value = list(value) if isinstance(value, tuple) else value
        assert field.metadata["check"].read(value) == field.default
        assert field.metadata["doc"]


def test_a_key_of_the_same_name_in_another_section_is_not_taken_for_it() -> None:
    text = '[listener]\nport = 1\n[console]\nhost = "127.0.0.1"\nport = -1\n'
    with pytest.raises(Misuse, match=r"line 5: \[console\] key 'port'"):
        configuration.parse(text)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('url = "http://pacs/dicom-web"', "key 'url' is not protected; write https://, or add plain_http = true"),
        ('url = "https://me:secret@pacs/dicom-web"', "key 'url' may not be"),
        ('url = "https://pacs/dicom-web?key=secret"', "key 'url' may not be"),
        ('url = "https://pacs:70000/dicom-web"', "key 'url' may not be"),
        ('url = "ftp://pacs/dicom-web"', "key 'url' may not be"),
        ('url = "https://pacs"\nae_title = "PACS"', "key 'ae_title' is for DICOM, and this destination has a url"),
        ('url = "https://pacs"\ntls = true', "key 'tls' is for DICOM, and this destination has a url"),
        ('url = "https://pacs"\nkey = "/k.pem"', "key 'key' needs the key 'certificate'"),
        ('url = "https://pacs"\nverified_by = "bytes"', "key 'verified_by' needs policy = \"verified\""),
        (
            'url = "http://pacs"\nplain_http = true\ntoken = "/t"',
            "key 'token' would be sent where anybody can read it; write https://",
        ),
        ('url = "http://pacs"\nplain_http = true\nca = "/ca.pem"', "key 'ca' needs TLS"),
        ('ae_title = "P"\nhost = "p"\ntoken = "/t"', "key 'token' is for DICOMweb; add a url, or take it out"),
        ('ae_title = "P"\nhost = "p"\npolicy = "verified"', "key 'policy' may be \"verified\" only with a url"),
        ('policy = "stored"', "lacks the key 'ae_title' and 'host'; name ae_title and host, or the url"),
    ],
)
def test_a_destination_is_reached_by_dicom_or_by_dicomweb_and_no_setting_is_without_effect(
    lines: str, words: str
) -> None:
    with pytest.raises(Misuse) as refused:
        configuration.parse(f'[[destination]]\nname = "web"\n{lines}\n', "gateway.toml")
    assert words in str(refused.value) and "secret" not in refused.value.fix


def test_a_dicomweb_destination_needs_no_more_than_its_url() -> None:
    found = configuration.parse('[[destination]]\nname = "web"\nurl = "https://pacs.example:8443/dicom-web/"\n')
    assert found.destinations[0].url == "https://pacs.example:8443/dicom-web"
    assert found.destinations[0].policy == "commitment"


def test_numbers_are_bounded_and_never_not_a_number() -> None:
    check = fields.number(0, 10, "seconds")
    assert check.read(3) == 3.0
    for bad in (float("nan"), float("inf"), -1, 11, True, "3"):
        with pytest.raises(ValueError):
            check.read(bad)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("device = [1]", "is not a table"),
        ("[device]\nname = 'a'", "two brackets"),
        ("[[device]]\nname = 'a'\nleads = ['I']", "lacks the key 'adapter'"),
        ("[[device]]\nname = 'a'\nadapter = 'simulated'\nsync_intervall = 1", "did you mean 'sync_interval'?"),
    ],
)
def test_a_slip_in_a_device_is_told_as_what_it_is(text: str, words: str) -> None:
    with pytest.raises(Misuse, match="device") as error:
        configuration.parse(text)
    assert words in str(error.value)


def test_a_media_section_that_names_no_medium_is_refused_with_what_to_set() -> None:
    with pytest.raises(Misuse, match=r"line 1: \[media\] names no medium; set 'sticks', 'folder', or both"):
        configuration.parse('[media]\npolicy = "copy"\n')


@pytest.mark.parametrize("entry", ["ask", "label:WARD 3", "serial:4C530001230923116422"])
def test_a_stick_is_named_by_label_or_serial_or_asked_about(entry: str) -> None:
    medium = configuration.parse(f'[media]\nsticks = ["{entry}"]\n').media
    assert medium is not None
    assert (medium.sticks, medium.folder) == ((entry,), None)


@pytest.mark.parametrize("entry", ["", "any", "label:", "label:TWELVE CHARS", "serial:", "serial:a b", "/dev/sdb1"])
def test_what_names_no_stick_is_refused_with_what_is_allowed(entry: str) -> None:
    with pytest.raises(Misuse, match=r"key 'sticks' may not be .*label:NAME.* \(at most 11 characters\)"):
        configuration.parse(f'[media]\nsticks = ["{entry}"]\n')
