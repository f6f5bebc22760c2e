"""The Ray runner keeps the runner contract, over functions and over commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.runner_contract import RunnerContract
from tests.shared_programs import SharedPrograms
from tests.trial_runners.function_adapter import FunctionAdapter
from tests.trial_runners.local_attempts import LocalAdapter, nothing_left
from tests.trial_runners.objectives import perform
from tests.trial_runners.ray_cluster import joined, open_runner, shared_ray

pytestmark = [pytest.mark.requires("ray"), pytest.mark.ray]


@pytest.fixture(scope="module")
def address(shared_programs: SharedPrograms) -> Iterator[str]:
    address = shared_ray(shared_programs, cpus=4)
    with joined(address):
        yield address


class FunctionsOnRay(FunctionAdapter):
    """The contract's functions."""

    outlives = True
    delay = 30.0

    def __init__(self, root: Path, address: str) -> None:
        self.root = root
        self.address = address

    def open(self):
        return open_runner(self.root, self.address, objective=perform)


class CommandsOnRay(LocalAdapter):
    """The contract's commands."""

    delay = 30.0

    def __init__(self, root: Path, address: str, folder: Path) -> None:
        super().__init__(root)
        self.address = address
        self.folder = folder

    def open(self):
        return open_runner(self.root, self.address, folder=str(self.folder))


class TestFunctionsOnRay(RunnerContract):
    """Functions, in the runner's own folder."""

    @pytest.fixture
    def adapter(self, tmp_path: Path, address: str) -> FunctionsOnRay:
        return FunctionsOnRay(tmp_path / "runs", address)


class TestCommandsOnRay(RunnerContract):
    """Commands, in a folder of the node's own, as on another machine."""

    @pytest.fixture
    def adapter(self, tmp_path: Path, address: str) -> Iterator[CommandsOnRay]:
        with nothing_left(tmp_path / "node"):
            yield CommandsOnRay(tmp_path / "runs", address, tmp_path / "node")
