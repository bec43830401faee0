"""``python -m edgevit``: the same as the ``edgevit`` command."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # the current folder, whose files are nothing that edgevit runs; its own it finds without
    from edgevit.cli.app import main

    main()
