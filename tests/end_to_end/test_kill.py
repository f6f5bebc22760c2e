"""``kill -9`` of ``katib run`` at random moments, each followed by the same command: nothing is lost, nothing repeated.

The experiment, the killing and what must hold are those of ``benchmarks.kill``, which prints them as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kill import Findings, changed_records, rows_of, torture
from benchmarks.kill_place import Scenario
from katib.core.trial import TrialState
from katib.storage import check_store
from tests.database_servers import SERVERS


def check(found: Findings, scenario: Scenario) -> None:
    assert found.status == 0
    assert len(found.kills) == scenario.kills
    assert [trial.number for trial in found.trials] == list(range(scenario.trials))
    assert {trial.state for trial in found.trials} <= {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED}
    assert {trial.attempt for trial in found.trials} == {1}
    assert sorted(found.launches) == sorted((trial.name, 1) for trial in found.trials)
    assert found.stored == found.printed
    assert all(trial.measured == len(found.stored[trial.name, 1]) for trial in found.trials)
    assert tuple(trial.parameters for trial in found.trials) == found.unbroken
    assert changed_records(found) == []
    assert found.left == 0
    assert [row.case for row in rows_of(found, scenario) if row.met is False] == []
    assert any(kill.alive for kill in found.kills), "no kill hit an experiment with running trials"


def test_three_kills(tmp_path: Path) -> None:
    scenario = Scenario(trials=6, parallel=2, lines=4, pause=0.2, kills=3, seed=3)
    check(torture(tmp_path, scenario), scenario)


@pytest.mark.parametrize("store_url", SERVERS, indirect=True)
def test_three_kills_on_a_server(tmp_path: Path, store_url: str) -> None:
    scenario = Scenario(trials=6, parallel=2, lines=4, pause=0.2, kills=3, seed=3)
    check(torture(tmp_path, scenario, store_url), scenario)
    assert check_store(store_url).damages == ()


@pytest.mark.slow
def test_twenty_kills(tmp_path: Path) -> None:
    scenario = Scenario(trials=30, parallel=3, kills=20, seed=20)
    check(torture(tmp_path, scenario), scenario)
