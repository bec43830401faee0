"""The files that a worker has fetched, so that each travels once to a machine; tasks get links to them."""

from __future__ import annotations

import os
import shutil
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path

from edgevit.store.record import Blob
from edgevit.store.store import Store

MOST_BYTES = 20 << 30
"""Of all files that are kept; those used longest ago go first."""
_READ_ONLY = 0o444


class BlobCache:
    """Files by their sha256, in a folder that this process alone writes to; may be used by several threads."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        """Begins empty.

        Args:
            folder: Exists.
            most_bytes: See :data:`MOST_BYTES`.
        """
        self._folder, self._most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._fetching: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._sizes: OrderedDict[str, int] = OrderedDict()
        """The one used longest ago first."""

    def place(self, store: Store, blob: Blob, target: Path) -> bool:
        """Places a file at a path, read-only; it is fetched unless that was done.

        Args:
            store: Where it is.
            blob: Which.
            target: Where to; its folder is made.

        Returns:
            Whether the store has it, whole.

        Raises:
            DiskFull: there is no space left.
        """
        kept = self._folder / blob.sha256
        with self._lock:
            fetching = self._fetching[blob.sha256]
        with fetching:  # what several tasks want at once travels once
            if not kept.is_file():
                if not store.fetch(blob, kept):
                    return False
                kept.chmod(_READ_ONLY)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(kept, target)
            except OSError:  # no links there, or too many
                shutil.copy(kept, target)
            self._note(blob)
        return True

    def _note(self, blob: Blob) -> None:
        with self._lock:
            self._sizes[blob.sha256] = blob.size_bytes
            self._sizes.move_to_end(blob.sha256)
            while sum(self._sizes.values()) > self._most_bytes and len(self._sizes) > 1:
                oldest, _ = self._sizes.popitem(last=False)
                (self._folder / oldest).unlink(missing_ok=True)  # tasks that have a link keep it
