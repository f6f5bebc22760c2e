"""The contract of the Algorithm port over all algorithms, in process."""

from __future__ import annotations

from tests.contracts.algorithm_contract import AlgorithmContract


class TestInProcess(AlgorithmContract):
    """Each algorithm as ``create_algorithm`` makes it."""
