"""Who wrote it, as files, media and associations say it (PS3.7 D.3.3.2). It stands apart since the sender needs no more
of :mod:`gateway.identifiers`, whose libraries take longer to load than the sender itself."""

from __future__ import annotations

from gateway import __version__

IMPLEMENTATION_CLASS_UID = "2.25.9949554404670780897822844039783077867"  # drawn once
IMPLEMENTATION_VERSION = f"MODGATEWAY_{__version__}"[:16]
