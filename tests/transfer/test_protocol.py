"""The upper layer and DIMSE as pure machines: what is written can be read, and nothing hostile does harm."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from gateway.dicom import encode
from gateway.transfer.association import dimse, pdu
from gateway.transfer.association.dimse import Assembler, Field, Tag
from gateway.transfer.association.machine import TABLE, Association, Event, State
from gateway.transfer.association.pdu import Pdv, ProtocolError
from gateway.transfer.association.reader import LARGEST, Reader
from gateway.transfer.media.dicomdir import layout

uids = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,6}", fullmatch=True)
titles = st.text(st.sampled_from("ABCXYZ09_-"), min_size=1, max_size=16)
byte = st.integers(0, 255)
word = st.integers(0, 0xFFFF)
odd = st.integers(0, 127).map(lambda n: 2 * n + 1)
users = st.builds(
    pdu.UserInformation,
    st.integers(0, 0xFFFFFFFF),
    uids,
    titles,
    st.lists(st.builds(pdu.Role, uids, st.booleans(), st.booleans()), max_size=3).map(tuple),
    st.none() | st.tuples(word, word),
    st.lists(st.builds(pdu.Extended, uids, st.binary(max_size=9)), max_size=2).map(tuple),
    st.lists(st.builds(pdu.CommonExtended, uids, uids, st.lists(uids, max_size=2).map(tuple)), max_size=2).map(tuple),
    st.none() | st.builds(pdu.Identity, byte, st.binary(max_size=9), st.binary(max_size=9), st.booleans()),
    st.none() | st.binary(max_size=9),
)
contexts = st.lists(st.builds(pdu.Context, odd, uids, st.lists(uids, max_size=3).map(tuple)), max_size=4).map(tuple)
results = st.lists(
    st.builds(pdu.ContextResult, odd, st.just(0), uids) | st.builds(pdu.ContextResult, odd, st.integers(1, 4)),
    max_size=4,
).map(tuple)
pdvs = st.lists(st.builds(Pdv, byte, st.booleans(), st.booleans(), st.binary(max_size=60)), max_size=4).map(tuple)
pdus = st.one_of(
    st.builds(pdu.AssociateRequest, titles, titles, contexts, users),
    st.builds(pdu.AssociateAccept, titles, titles, results, users),
    st.builds(pdu.AssociateReject, byte, byte, byte),
    st.builds(pdu.Data, pdvs),
    st.builds(pdu.ReleaseRequest),
    st.builds(pdu.ReleaseReply),
    st.builds(pdu.Abort, byte, byte),
)


@given(st.lists(pdus, max_size=4), st.integers(1, 97))
@settings(max_examples=examples(150))
def test_what_is_written_is_read_again_however_the_stream_is_cut(sent: list[pdu.Pdu], step: int) -> None:
    stream = b"".join(pdu.encode(p) for p in sent)
    reader, read = Reader(), []
    for at in range(0, len(stream), step):
        read += reader.feed(stream[at : at + step])
    assert read == sent
    assert reader.waiting == 0


@given(st.binary(max_size=400))
@settings(max_examples=examples(300))
def test_random_bytes_give_pdus_or_a_protocol_error_and_nothing_else(noise: bytes) -> None:
    reader = Reader()
    try:
        for _ in reader.feed(noise):
            pass
    except ProtocolError as error:
        assert "breaks the DICOM protocol" in str(error)


@given(pdus, st.integers(0, 400), byte)
@settings(max_examples=examples(300))
def test_one_wrong_byte_in_a_pdu_is_read_or_refused_but_never_crashes(sent: pdu.Pdu, at: int, wrong: int) -> None:
    stream = bytearray(pdu.encode(sent))
    stream[at % len(stream)] = wrong
    try:
        for _ in Reader().feed(bytes(stream)):
            pass
    except ProtocolError:
        pass


@pytest.mark.parametrize("kind", sorted(LARGEST))
def test_a_pdu_longer_than_its_type_may_be_is_refused_before_it_is_buffered(kind: int) -> None:
    reader = Reader()
    with pytest.raises(ProtocolError, match="more than"):
        list(reader.feed(struct.pack(">BBI", kind, 0, LARGEST[kind] + 1)))


@given(st.binary(max_size=300))
@settings(max_examples=examples(200))
def test_a_command_set_of_random_bytes_is_refused_with_a_protocol_error(noise: bytes) -> None:
    try:
        command = dimse.decode(noise)
    except ProtocolError:
        return
    assert Tag.COMMAND_FIELD in command


values = {tag: st.integers(0, 0xFFFF) for tag in Tag} | {
    Tag.AFFECTED_SOP_CLASS_UID: uids,
    Tag.REQUESTED_SOP_CLASS_UID: uids,
    Tag.AFFECTED_SOP_INSTANCE_UID: uids,
    Tag.REQUESTED_SOP_INSTANCE_UID: uids,
    Tag.ERROR_COMMENT: st.text(st.sampled_from("abc ."), max_size=64).map(str.strip),
}
del values[Tag.GROUP_LENGTH]
needed = {tag: values[tag] for tag in (Tag.COMMAND_FIELD, Tag.DATA_SET_TYPE)}
commands = st.fixed_dictionaries(needed, optional={t: v for t, v in values.items() if t not in needed})


def test_an_error_comment_is_one_line_of_a_log_and_no_longer_than_the_standard_lets_it_be() -> None:
    said = "disk full\nNov 25 gateway: all is well" + "x" * 500
    command = {Tag.COMMAND_FIELD: 0x8001, Tag.DATA_SET_TYPE: dimse.NO_DATA_SET, Tag.ERROR_COMMENT: said}
    assert dimse.decode(dimse.encode(command))[Tag.ERROR_COMMENT] == said.replace("\n", "?")[:64]


@given(commands)
@settings(max_examples=examples(150))
def test_a_command_set_is_read_as_it_was_written(command: dict[Tag, int | str]) -> None:
    assert dimse.decode(dimse.encode(command)) == command


@given(
    st.integers(1, 0xFFFF),
    st.from_regex(r"[0-9.]{1,64}", fullmatch=True),
    st.from_regex(r"[0-9.]{1,64}", fullmatch=True),
)
def test_the_quick_way_to_write_a_store_request_gives_the_same_bytes(number: int, sop_class: str, uid: str) -> None:
    command = dimse.request(Field.C_STORE, number, sop_class, uid, data=True)
    assert dimse.store(number, sop_class, uid) == dimse.encode(command)


@given(st.binary(min_size=1, max_size=200), st.integers(1, 40))
@settings(max_examples=examples(100))
def test_a_message_is_whole_however_it_was_fragmented(data: bytes, step: int) -> None:
    command = dimse.request(Field.C_STORE, 1, "1.2", "1.3", data=True)
    raw = dimse.encode(command)
    cut = [(True, raw[i : i + step], i + step >= len(raw)) for i in range(0, len(raw), step)]
    cut += [(False, data[i : i + step], i + step >= len(data)) for i in range(0, len(data), step)]
    assembler = Assembler()
    messages = [assembler.feed(Pdv(1, is_command, last, piece)) for is_command, piece, last in cut]
    assert messages[:-1] == [None] * (len(cut) - 1)
    assert messages[-1] == dimse.Message(1, command, data)


@given(st.lists(st.builds(Pdv, st.integers(1, 3), st.booleans(), st.booleans(), st.binary(max_size=40)), max_size=8))
@settings(max_examples=examples(200))
def test_fragments_in_disorder_are_refused_with_a_protocol_error(fragments: list[Pdv]) -> None:
    assembler = Assembler()
    try:
        for fragment in fragments:
            assembler.feed(fragment)
    except ProtocolError:
        pass


def test_an_endless_command_is_cut_off() -> None:
    assembler = Assembler()
    with pytest.raises(ProtocolError, match="command set of more than"):
        for _ in range(20):
            assembler.feed(Pdv(1, True, False, bytes(1 << 13)))


def test_an_endless_data_set_is_cut_off() -> None:
    assembler = Assembler()
    command = dimse.encode(dimse.request(Field.N_EVENT_REPORT, 1, "1.2", data=True))
    assembler.feed(Pdv(1, True, True, command))
    with pytest.raises(ProtocolError, match="data set of more than"):
        for _ in range(200):
            assembler.feed(Pdv(1, False, False, bytes(1 << 17)))


def established() -> Association:
    association = Association()
    association.request(pdu.AssociateRequest("A", "B", (pdu.Context(1, "1.2", ("1.3",)),)))
    assert list(association.receive(pdu.encode(pdu.AssociateAccept("A", "B", (pdu.ContextResult(1, 0, "1.3"),)))))
    association.out.clear()
    return association


def test_no_state_leads_out_of_closed() -> None:
    assert {after for (before, _), after in TABLE.items() if before is State.CLOSED} == {State.CLOSED}


@pytest.mark.parametrize("event", [Event.ABORTED, Event.LOST, Event.ABORT])
def test_every_open_state_ends_when_the_association_is_aborted_or_lost(event: Event) -> None:
    for state in set(State) - {State.IDLE, State.CLOSED}:
        assert TABLE[state, event] is State.CLOSED


def test_a_release_by_the_peer_is_answered_at_once() -> None:
    association = established()
    assert list(association.receive(pdu.encode(pdu.ReleaseRequest()))) == [pdu.ReleaseRequest()]
    assert bytes(association.out) == pdu.encode(pdu.ReleaseReply())
    assert association.over


def test_when_both_sides_release_the_requestor_answers_and_waits_for_its_own_answer() -> None:
    association = established()
    association.release()
    association.out.clear()
    assert list(association.receive(pdu.encode(pdu.ReleaseRequest()))) == []
    assert bytes(association.out) == pdu.encode(pdu.ReleaseReply())
    assert not association.over
    assert list(association.receive(pdu.encode(pdu.ReleaseReply()))) == [pdu.ReleaseReply()]
    assert association.over


def test_data_before_the_acceptance_is_a_breach_answered_with_an_abort() -> None:
    association = Association()
    association.request(pdu.AssociateRequest("A", "B", (pdu.Context(1, "1.2", ("1.3",)),)))
    association.out.clear()
    with pytest.raises(ProtocolError, match="P-DATA-TF while waiting"):
        list(association.receive(pdu.encode(pdu.Data((Pdv(1, True, True, b""),)))))
    assert association.over
    assert isinstance(next(Reader().feed(bytes(association.out))), pdu.Abort)


@given(st.lists(pdus, max_size=6))
@settings(max_examples=examples(150))
def test_whatever_the_peer_sends_the_association_stays_within_its_table(arriving: list[pdu.Pdu]) -> None:
    association = established()
    try:
        for each in arriving:
            list(association.receive(pdu.encode(each)))
    except ProtocolError:
        assert association.over


def test_the_box_is_one_implementation_in_files_on_media_and_on_the_network() -> None:
    meta, user = encode.file_meta("1.2", "1.2.3"), pdu.UserInformation()
    head, _ = layout.head("GATEWAY", "1.2.3", 0, 0)
    said = (str(meta.ImplementationClassUID), str(meta.ImplementationVersionName))
    assert (user.implementation_uid, user.implementation_version) == said
    assert all(text.encode() in head for text in said)
