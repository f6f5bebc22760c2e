"""Which GPUs a trial gets, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from katib.core.errors import RunnerError
from katib.core.ports import Phase
from tests.contracts.runner_contract import attempt_id, follow, update_of
from tests.trial_runners.local_attempts import command, nothing_left, shell
from trial_runners.local import LocalRunner
from trial_runners.local.gpus import GpuPool, allot, find_devices, parse_listing

TWO = ("0", "1")


@pytest.mark.parametrize(
    ("used", "amount", "devices"),
    [
        pytest.param({}, 1, ("0",), id="one"),
        pytest.param({}, 2, ("0", "1"), id="all"),
        pytest.param({"0": 1.0}, 1, ("1",), id="the free one"),
        pytest.param({"0": 1.0}, 2, (), id="too few free"),
        pytest.param({}, 3, (), id="more than exist"),
        pytest.param({"0": 0.5}, 1, ("1",), id="a shared one is not free"),
        pytest.param({"1": 0.5}, 0.5, ("1",), id="shares fill a device first"),
        pytest.param({"1": 0.75}, 0.5, ("0",), id="share that does not fit"),
        pytest.param({"0": 1 / 3 + 1 / 3, "1": 1.0}, 1 / 3, ("0",), id="three thirds"),
        pytest.param({"0": 0.8, "1": 0.8}, 0.5, (), id="no room for a share"),
    ],
)
def test_allot(used: Mapping[str, float], amount: float, devices: tuple[str, ...]) -> None:
    assert allot(TWO, used, amount) == devices


@pytest.mark.parametrize(
    ("devices", "amount", "reason"),
    [
        pytest.param((), 1, "1 GPU asked, 0 exist", id="none"),
        pytest.param(("0",), 4, "4 GPUs asked, 1 exists", id="one"),
        pytest.param(TWO, 4, "4 GPUs asked, 2 exist", id="too many"),
        pytest.param(TWO, 2, "2 GPUs asked, 1 of 2 free", id="taken"),
        pytest.param(("0",), 0.5, "0.5 GPU asked, 0 of 1 free", id="share"),
    ],
)
def test_why_it_waits(tmp_path: Path, devices: tuple[str, ...], amount: float, reason: str) -> None:
    pool = GpuPool(tmp_path, devices, holds=lambda folder: True)
    pool.claim(tmp_path / "first", 1)
    grant = pool.claim(tmp_path / "second", amount)
    assert (grant.devices, grant.reason) == ((), reason)


def test_what_ended_holds_nothing(tmp_path: Path) -> None:
    holders: set[Path] = {tmp_path / "a"}
    pool = GpuPool(tmp_path, TWO, holds=holders.__contains__)
    assert pool.claim(tmp_path / "a", 2).devices == TWO
    assert pool.claim(tmp_path / "a", 2).devices == TWO, "its own earlier claim is no obstacle"
    assert pool.claim(tmp_path / "b", 1).devices == ()
    holders.clear()
    assert pool.claim(tmp_path / "b", 1).devices == ("0",)


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        pytest.param("0,2", ("0", "2"), id="numbers"),
        pytest.param(" GPU-1a , GPU-2b ", ("GPU-1a", "GPU-2b"), id="identifiers"),
        pytest.param("", (), id="none"),
        pytest.param("0,-1,1", ("0",), id="ends at an invalid one"),
    ],
)
def test_visible_devices(visible: str, devices: tuple[str, ...]) -> None:
    assert find_devices({"CUDA_VISIBLE_DEVICES": visible}) == devices


def test_listing() -> None:
    listing = """GPU 0: Model A (UUID: GPU-11111111-aaaa)
GPU 1: Model B (UUID: GPU-22222222-bbbb)
  MIG 3g.40gb     Device  0: (UUID: MIG-33333333-cccc)
  MIG 3g.40gb     Device  1: (UUID: MIG-44444444-dddd)
GPU 2: Model A (UUID: GPU-55555555-eeee)
"""
    expected = ("GPU-11111111-aaaa", "MIG-33333333-cccc", "MIG-44444444-dddd", "GPU-55555555-eeee")
    assert parse_listing(listing) == expected
    assert parse_listing("No devices found.\n") == ()


class TestTrials:
    @pytest.fixture
    def runner(self, tmp_path: Path) -> Iterator[LocalRunner]:
        with nothing_left(tmp_path / "runs"):
            runner = LocalRunner(tmp_path / "runs", cwd=tmp_path, gpus=TWO)
            yield runner
            runner.close()

    def test_see_their_devices_only(self, runner: LocalRunner) -> None:
        attempts = [
            shell("echo $CUDA_VISIBLE_DEVICES; sleep 0.5", id=attempt_id(f"t{n}"), limits={"nvidia.com/gpu": amount})
            for n, amount in enumerate(["1", "0.5", "0.5"])
        ]
        for attempt in attempts:
            runner.start(attempt)
        assert [follow(runner, attempt.id).text() for attempt in attempts] == [b"0\n", b"1\n", b"1\n"]

    def test_wait_their_turn(self, runner: LocalRunner, tmp_path: Path) -> None:
        first, second, never = (
            shell("echo $CUDA_VISIBLE_DEVICES >>seen; sleep 0.3", id=attempt_id(name), limits={"nvidia.com/gpu": count})
            for name, count in [("first", 2), ("second", 2), ("never", 3)]
        )
        for attempt in (first, second, never):
            runner.start(attempt)
        update = update_of(runner, second.id)
        assert (update.phase, update.reason) == (Phase.WAITING, "2 GPUs asked, 0 of 2 free")
        assert follow(runner, first.id).last.phase is Phase.SUCCEEDED
        assert follow(runner, second.id).last.phase is Phase.SUCCEEDED
        assert (tmp_path / "seen").read_text() == "0,1\n0,1\n"
        assert update_of(runner, never.id).reason == "3 GPUs asked, 2 exist"

    def test_stopped_while_it_waits_never_runs(self, runner: LocalRunner, tmp_path: Path) -> None:
        attempt = shell(": >ran", limits={"nvidia.com/gpu": 3})
        runner.start(attempt)
        runner.stop(attempt.id)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        runner.start(attempt)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        assert not (tmp_path / "ran").exists()

    def test_without_a_limit_nothing_is_hidden(self, runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
        attempt = shell("echo $CUDA_VISIBLE_DEVICES")
        runner.start(attempt)
        assert follow(runner, attempt.id).text() == b"5,6\n"

    def test_one_and_a_half(self, runner: LocalRunner) -> None:
        with pytest.raises(RunnerError, match=r"GPU limit 1\.5"):
            runner.start(command(["/bin/true"], limits={"nvidia.com/gpu": "1.5"}))
