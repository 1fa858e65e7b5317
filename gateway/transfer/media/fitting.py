"""An instance as the profile of a file-set wants it: as it is, transcoded into a scratch file, or held with words.

Transcoding (:mod:`gateway.transfer.transcoding`) loads pydicom and works in memory, so it is done only where it is
configured, and only up to :data:`LARGEST`: the forward process has to live on a board with 1 GB. The SOP Instance UID
stays the same; the spooled file is not touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway import fsops
from gateway.errors import Held
from gateway.model import InstanceRef
from gateway.transfer.media.dicomdir.records_table import EXPLICIT_LITTLE
from gateway.transfer.media.profiles import Profile
from gateway.transfer.transcoding import LARGEST

SCRATCH = "fitting"  # folder below the data folder, for one carrier alone
_FIX = 'it stays in the spool; profile = "none" in [media] may take it'


@contextlib.contextmanager
def fitted(
    instance: InstanceRef,
    profile: Profile,
    unfit: str,
    scratch: Path,
    beat: Callable[[], None] = lambda: None,
) -> Iterator[InstanceRef]:
    """Gives ``instance`` itself if it fits; else, with ``unfit`` "transcode", the same SOP Instance in Explicit VR LE.

    The scratch file lies in the folder ``scratch`` (made if missing, emptied of what a cut left in it) and is gone when
    the block ends. Raises Held, in words, if the instance does not fit and is not transcoded, or cannot be.
    """
    if profile.allows(instance.transfer_syntax_uid):
        yield instance
        return
    if unfit != "transcode":
        raise profile.refusal(instance.path, instance.transfer_syntax_uid)
    for left in fsops.make_folder(scratch).iterdir():
        fsops.unlink(left)
    target = scratch / f"{instance.sop_instance_uid}.dcm"
    try:
        _transcode(Path(instance.path), target, beat)
        size = target.stat().st_size
        yield dataclasses.replace(instance, transfer_syntax_uid=EXPLICIT_LITTLE, path=str(target), size=size, sha256="")
    finally:
        if os.path.lexists(target):
            fsops.unlink(target)


def _transcode(source: Path, target: Path, beat: Callable[[], None]) -> None:
    from gateway.transfer.transcoding import explicit  # noqa: PLC0415 - pydicom, only where it is needed

    try:
        with fsops.new_file(target) as stream:
            explicit.to_explicit_little_endian(source, stream, LARGEST, beat)
    except Held as error:
        raise Held(error.message, _FIX) from error
