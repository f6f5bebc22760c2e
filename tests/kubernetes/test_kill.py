"""``kill -9`` of a controller of pods, and an API server that is away: nothing is lost, nothing repeated.

The experiment, the killing and what must hold are those of ``benchmarks.kubernetes_kill``, which prints a table of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import kubernetes_place
from benchmarks.kill import Findings, rows_of
from benchmarks.kill_place import Scenario
from benchmarks.kubernetes_bed import Bed
from benchmarks.kubernetes_kill import torture
from tests import kubernetes_cluster as cluster

pytestmark = [pytest.mark.requires("k8s"), pytest.mark.timeout(600)]


def check(folder: Path, scenario: Scenario, bed: Bed | None = None, outage: float = 0.0) -> Findings:
    found, rows = torture(folder, scenario, bed, outage)
    assert [row.case for row in [*rows_of(found, scenario), *rows] if row.met is False] == []
    assert found.stored == found.printed
    return found


def test_five_kills(kubernetes_cluster: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_cluster))
    found = check(tmp_path, Scenario(trials=6, parallel=2, lines=6, pause=1.0, kills=5, seed=3))
    assert any(kill.alive for kill in found.kills), "no kill hit an experiment with running trials"


@pytest.mark.slow
def test_twenty_kills(kubernetes_cluster: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_cluster))
    check(tmp_path, Scenario(trials=30, parallel=3, lines=8, pause=1.0, kills=20, seed=20))


def test_an_api_server_that_is_away(tmp_path: Path) -> None:
    if not cluster.kubernetes_bed.is_installed():
        pytest.skip("takes the API server of a test bed away, and none is installed")
    with kubernetes_place.own_bed() as bed:
        check(tmp_path, Scenario(trials=6, parallel=2, lines=8, pause=1.0, kills=0), bed, outage=15.0)
