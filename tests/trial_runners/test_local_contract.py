"""The local runner keeps the runner contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.runner_contract import RunnerContract
from tests.trial_runners.local_attempts import LocalAdapter, nothing_left


class TestLocalRunner(RunnerContract):
    """The contract over commands."""

    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Iterator[LocalAdapter]:
        with nothing_left(tmp_path / "runs"):
            yield LocalAdapter(tmp_path / "runs")
