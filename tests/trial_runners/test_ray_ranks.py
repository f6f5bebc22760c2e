"""What several workers of a trial are told, and how their ends become the trial's."""

from __future__ import annotations

import pytest

from katib.core.trial import FailureClass
from trial_runners.objective_call import Ending
from trial_runners.ray.ranks import Rank, ranks

pytestmark = pytest.mark.requires("ray")

FAILED = Ending(FailureClass.USER_ERROR, reason="went wrong")
STOPPED = Ending(stopped=True)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param("a", [Rank(0, 1, 0, 1, 0)], id="one"),
        pytest.param("aa", [Rank(0, 2, 0, 2, 0), Rank(1, 2, 1, 2, 0)], id="one node"),
        pytest.param("ab", [Rank(0, 2, 0, 1, 0), Rank(1, 2, 0, 1, 1)], id="two nodes"),
        pytest.param(
            "aba",
            [Rank(0, 3, 0, 2, 0), Rank(2, 3, 0, 1, 1), Rank(1, 3, 1, 2, 0)],
            id="those of one node follow each other",
        ),
    ],
)
def test_ranks(nodes, expected):
    assert ranks(list(nodes)) == expected


def test_variables():
    assert Rank(3, 4, 1, 2, 1).variables("10.0.0.1", 4000) == {
        "RANK": "3",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "NODE_RANK": "1",
        "GROUP_RANK": "1",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "4000",
        "KATIB_WORKER": "3",
        "KATIB_WORKERS": "4",
    }


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        pytest.param(Ending(), [(1, Ending(), 5.0)], Ending(), id="all returned"),
        pytest.param(FAILED, [(1, Ending(), 5.0)], FAILED, id="its own failure"),
        pytest.param(Ending(), [(1, FAILED, 15.0)], FAILED._replace(reason="worker 1: went wrong"), id="another's"),
        pytest.param(FAILED, [(1, FAILED, 9.0)], FAILED._replace(reason="worker 1: went wrong"), id="the first counts"),
        pytest.param(FAILED, [(1, FAILED, 11.0)], FAILED, id="what follows does not"),
        pytest.param(
            Ending(), [(1, FAILED, 9.0), (2, FAILED, 8.0)], FAILED._replace(reason="worker 2: went wrong"), id="of two"
        ),
        pytest.param(STOPPED, [(1, FAILED, 9.0)], STOPPED, id="stopped"),
        pytest.param(Ending(), [(1, STOPPED, 9.0)], STOPPED, id="the others stopped"),
    ],
)
def test_how_a_trial_ended(own, others, expected):
    from trial_runners.ray.worker_watch import Outcome, judged

    assert judged(own, [Outcome(*other) for other in others], 10.0) == expected
