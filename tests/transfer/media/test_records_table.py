"""Which directory record a class gets."""

import pytest
from pydicom._uid_dict import UID_dictionary

from gateway.transfer.media.dicomdir.records_table import BELOW, KEYS, RECORD_TYPE

STORAGE = {uid: row[0] for uid, row in UID_dictionary.items() if row[1] == "SOP Class" and "Storage" in row[0]}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Waveform Storage", "WAVEFORM"),
        (" SR Storage", "SR DOCUMENT"),
        ("Softcopy Presentation State Storage", "PRESENTATION"),
        ("Secondary Capture Image Storage", "IMAGE"),
        ("Ultrasound", "IMAGE"),
        ("VL ", "IMAGE"),
        ("Video ", "IMAGE"),
        ("Encapsulated ", "ENCAP DOC"),
    ],
)
def test_every_class_of_a_family_gets_the_familys_record_type(words: str, kind: str) -> None:
    family = {u: n for u, n in STORAGE.items() if words in n and "Retired" not in n and ".5.1.4.1.1." in u}
    assert family
    current = {u: n for u, n in family.items() if UID_dictionary[u][3] != "Retired"}
    assert {n: RECORD_TYPE.get(u) for u, n in current.items()} == dict.fromkeys(current.values(), kind)


def test_general_32_bit_ecg_and_waveform_annotation_sr_are_no_images() -> None:
    assert RECORD_TYPE["1.2.840.10008.5.1.4.1.1.9.1.4"] == "WAVEFORM"
    assert RECORD_TYPE["1.2.840.10008.5.1.4.1.1.88.77"] == "SR DOCUMENT"


def test_every_record_type_has_its_keys_in_ascending_order() -> None:
    assert set(KEYS) == {kind for below in BELOW.values() for kind in below}
    for kind, keys in KEYS.items():
        tags = [key.tag for key in keys]
        assert tags == sorted(set(tags)), kind
