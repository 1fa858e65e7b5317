"""The items of the Waveform Sequence: a multiplex group each, with its channels, without the samples (PS3.3 C.10.9)."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from gateway.dicom import mapping, sources
from gateway.dicom.header import LONGEST_SH, Subject, synchronized
from gateway.dicom.leads import Column
from gateway.dicom.scaling import Scale, ds
from gateway.dicom.units import UNITS
from gateway.errors import Held


def group_item(subject: Subject, index: int) -> Dataset:
    """The item of one multiplex group, without its Waveform Data. Raises Held for what has no code."""
    group, survey = subject.groups[index], subject.scan.groups[index]
    storage = subject.storages[index]
    item = Dataset()
    if synchronized(subject.facts, subject.iod) == "Y":  # required with it, and only then
        item.MultiplexGroupTimeOffset = _offset(subject, index)
    item.WaveformOriginality = "ORIGINAL"
    item.NumberOfWaveformChannels = len(subject.columns[index])
    item.NumberOfWaveformSamples = survey.samples
    item.SamplingFrequency = ds(group.rate)
    if group.label:
        item.MultiplexGroupLabel = group.label[:LONGEST_SH]
    item.ChannelDefinitionSequence = [_channel(subject, index, number) for number in range(len(subject.columns[index]))]
    item.WaveformBitsAllocated = storage.bits
    item.WaveformSampleInterpretation = storage.interpretation
    if survey.missing:
        value = storage.padding.to_bytes(storage.bits // 8, "little", signed=not storage.unsigned)
        item.add_new("WaveformPaddingValue", "OW" if storage.bits > 8 else "OB", value)
    return item


def _offset(subject: Subject, index: int) -> str:
    """Milliseconds from the instance's time stamp to the group's first sample: a group goes on with the first one that
    it has after the instant at which the recording was cut.
    """
    if subject.iod.settled:
        return "0"
    first = subject.part.ranges[subject.kept[index]][0]
    return ds(round((first / subject.groups[index].rate - subject.part.seconds) * 1000, 6))


def _channel(subject: Subject, index: int, number: int) -> Dataset:
    column, scale = subject.columns[index][number], subject.scales[index][number]
    channel, storage, iod = column.channel, subject.storages[index], subject.iod
    item = Dataset()
    item.ChannelLabel = channel.label[:LONGEST_SH]
    item.ChannelSourceSequence = [mapping.code(sources.source(channel, iod, subject.facts.kind))]
    if modifiers := sources.modifiers(channel, iod, subject.reference):
        item.ChannelSourceModifiersSequence = [mapping.code(one) for one in modifiers]
    if column.derivation:
        item.ChannelDerivationDescription = column.derivation
    if not storage.codes and (channel.unit or iod.settled):
        _calibrate(item, column, scale)
    if channel.skew:
        item.ChannelTimeSkew = ds(channel.skew)
    else:
        item.ChannelSampleSkew = "0"
    item.WaveformBitsStored = _bits_stored(subject, index, number)
    filters: Sequence[tuple[str, float | None]] = (
        ("FilterLowFrequency", channel.low_cut),
        ("FilterHighFrequency", channel.high_cut),
        ("NotchFilterFrequency", channel.notch),
    )
    for keyword, frequency in filters:
        if frequency is not None:
            setattr(item, keyword, ds(frequency))
    return item


def _calibrate(item: Dataset, column: Column, scale: Scale) -> None:
    """Sensitivity and what it demands; of what nobody calibrated there is none (type 1C)."""
    channel = column.channel
    if (unit := UNITS.get(channel.unit)) is None:
        raise Held(
            f"channel {channel.label} is measured in {channel.unit!r}, which has no code here",
            "the adapter must use one of " + ", ".join(UNITS),
        )
    item.ChannelSensitivity = scale.sensitivity
    item.ChannelSensitivityUnitsSequence = [mapping.code(unit)]
    item.ChannelSensitivityCorrectionFactor = "1"
    item.ChannelBaseline = ds(channel.baseline - scale.offset * float(scale.sensitivity))


def _bits_stored(subject: Subject, index: int, number: int) -> int:
    """What the device delivered, if that is what is stored; padding stands outside of its range."""
    storage, survey = subject.storages[index], subject.scan.groups[index]
    told, reach = subject.columns[index][number].channel.bits, (survey.low[number], survey.high[number])
    as_told = not survey.missing and subject.scales[index][number].ratio is None and told < storage.bits
    if subject.iod.settled or storage.unsigned or not as_told:
        return storage.bits
    fits = -(1 << (told - 1)) <= reach[0] and reach[1] < 1 << (told - 1)
    return told if fits else storage.bits
