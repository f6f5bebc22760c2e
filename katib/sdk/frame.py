"""A result as a data frame: the one module that needs pandas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def frame(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    """A row a trial, by number. started: a time in UTC. What no trial of a kind has is missing there (NaN, None)."""
    made = pd.DataFrame(dict(columns))
    made["started"] = pd.to_datetime(made["started"], unit="s", utc=True)
    return made.set_index("number")
