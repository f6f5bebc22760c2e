"""Where everything is kept on this machine, unless it is said otherwise."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_home() -> Path:
    """``$KATIB_HOME``, else the user's data folder."""
    if given := os.environ.get("KATIB_HOME"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "katib"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "katib"


def default_url(home: Path) -> str:
    """The URL of the store in that folder."""
    return f"sqlite:///{home / 'katib.db'}"
