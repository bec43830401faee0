"""``python -m edgevit``: the same as the ``edgevit`` command."""

from __future__ import annotations

from edgevit.cli.app import main

if __name__ == "__main__":
    main()
