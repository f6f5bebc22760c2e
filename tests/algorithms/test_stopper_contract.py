"""The contract of the Stopper port over all early-stopping rules, in process."""

from __future__ import annotations

from tests.contracts.stopper_contract import StopperContract


class TestInProcess(StopperContract):
    """Each rule as ``create_stopper`` makes it."""
