"""A name in every character set that DICOM has: from a real RIS through the box into a real archive, unharmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dcmtk import worklist as wlmscpfs
from orthanc import Orthanc
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from spooling import CLOCK, Box, Pacs, record

from gateway import configuration, exam
from gateway.dicom import charsets
from gateway.transfer import part10
from gateway.transfer.calling.peers import Peer
from gateway.transfer.ris.worklist_poller import WorklistPoller
from gateway.transfer.storing import store
from gateway.trial import patients
from gateway.trial.patients import Patient
from gateway.verbs import identity
from gateway.worklists import cached_worklists

RIS = '\n[[ris]]\nname = "ris"\nae_title = "RIS"\nhost = "127.0.0.1"\nport = {}\n'
# Every defined term of PS3.3 C.12.1.1.2, alone or with the ones that it is used with (PS3.5 annexes H to K).
NAMES: dict[tuple[str, ...], str] = {
    (): "Doe^Jane",
    ("ISO_IR 100",): "Müller^Jürgen",
    ("ISO_IR 101",): "Wałęsa^Łucja",
    ("ISO_IR 109",): "Ħaż^Ġużeppi",
    ("ISO_IR 110",): "Bērziņš^Jānis",
    ("ISO_IR 144",): "Люксембург^Роза",
    ("ISO_IR 127",): "قباني^لنزار",
    ("ISO_IR 126",): "Διονυσιος^Σολωμος",
    ("ISO_IR 138",): "שרון^דבורה",
    ("ISO_IR 148",): "Çavuşoğlu^İnci",
    ("ISO_IR 203",): "Œuvre^Anaïs",
    ("ISO_IR 166",): "สมชาย^ใจดี",
    ("ISO_IR 13",): "ﾔﾏﾀﾞ^ﾀﾛｳ",
    ("ISO_IR 192",): "Ñuñez^Begoña=王^小東",
    ("GB18030",): "Wang^XiaoDong=王^小东",
    ("GBK",): "Wang^XiaoDong=王^小东",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ("ISO 2022 IR 13", "ISO 2022 IR 87"): "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ("", "ISO 2022 IR 87", "ISO 2022 IR 159"): "Okada^Tarou=丂丄^太郎=おかだ^たろう",
    ("", "ISO 2022 IR 149"): "Gim^Huijung=金^熙中=김^희중",
    ("", "ISO 2022 IR 58"): "Zhang^XiaoDong=张^小东",
    ("ISO 2022 IR 6", "ISO 2022 IR 100", "ISO 2022 IR 101"): "Müller^Łucja",
    ("", "ISO 2022 IR 203"): "Œuvre^Anaïs",
    ("", "ISO 2022 IR 109"): "Ħaż^Ġużeppi",
    ("", "ISO 2022 IR 110"): "Bērziņš^Jānis",
    ("", "ISO 2022 IR 144"): "Luxemburg^Rosa=Люксембург^Роза",
    ("", "ISO 2022 IR 127"): "قباني^لنزار",
    ("", "ISO 2022 IR 126"): "Διονυσιος^Σολωμος",
    ("", "ISO 2022 IR 138"): "שרון^דבורה",
    ("", "ISO 2022 IR 148"): "Çavuşoğlu^İnci",
    ("", "ISO 2022 IR 166"): "สมชาย^ใจดี",
}
PATIENTS = tuple(
    Patient(f"P{number:02}", name, "19700101", "O", "12-lead ECG at rest", charset)
    for number, (charset, name) in enumerate(NAMES.items(), 1)
)


# As PS3.5 K.2 writes it; pydicom (3.0) would leave the escape sequences out.
CHINESE = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab "


def worklist_items() -> tuple[Dataset, ...]:
    items = patients.items(patients=PATIENTS)
    chinese = items[list(NAMES).index(("", "ISO 2022 IR 58"))]
    tag = Tag("PatientName")
    chinese[tag] = RawDataElement(tag, "PN", len(CHINESE), CHINESE, 0, False, True)
    return items


def test_there_is_a_name_in_every_defined_term_that_a_worklist_may_have() -> None:
    used = {term for terms in NAMES for term in terms}
    assert used == (charsets.PLAIN.keys() | charsets.EXTENDED) - {"ISO_IR 6"} | {""}


def test_every_name_is_the_same_in_the_worklist_in_the_instance_and_in_the_archive(
    tmp_path: Path, config: Path, call: Callable[..., Peer], pacs: Orthanc
) -> None:
    names = {patient.id: patient.name for patient in PATIENTS}
    with wlmscpfs(tmp_path / "worklist", worklist_items()) as port:
        config.write_text(config.read_text() + RIS.format(port))
        settings = configuration.load(config)
        WorklistPoller(settings, settings.ris[0], CLOCK).ask()
    (kept,) = cached_worklists(settings.places.worklist)
    steps = list(kept.steps)
    assert {s.patient_id: s.patient_name for s in steps} == {i: name.partition("=")[0] for i, name in names.items()}
    for step in steps:
        chosen = exam.open_exam(settings.places, CLOCK, ("ecg1",), *identity.identify(settings, step.step_id))
        record(settings, chosen.exam, samples=100)
        exam.close_exam(settings.places, CLOCK, chosen.exam)
    box = Box(settings, Pacs())
    box.take_in()
    paths = [settings.box.data / row["path"] for row in box.ledger.query("SELECT path FROM instances")]
    made = {str(head.PatientID): head for head in map(dcmread, paths)}
    assert {i: str(head.PatientName) for i, head in made.items()} == names
    assert {i for i, head in made.items() if "SpecificCharacterSet" not in head} == {"P01"}
    sent = [part10.instance(path) for path in paths]
    assert all(outcome.good for _, outcome in store.send(call(pacs.port, pacs.ae_title), sent))
    there = pacs.instances()
    for head in made.values():
        tags = pacs.get(f"/instances/{there[head.SOPInstanceUID]}/simplified-tags")
        assert tags["PatientName"] == names[tags["PatientID"]]
