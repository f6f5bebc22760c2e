"""The controller is a function of the finished trials: replayed or carried on, bit for bit, on any number of threads;
it learns, and its skip penalty holds."""

from __future__ import annotations

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from algorithms import create_algorithm
from algorithms.enas.controller import Shape, controller_of
from algorithms.enas.decisions import Decisions
from algorithms.enas.policy import Learning, Policy
from algorithms.enas.replay import Replay
from algorithms.enas.settings import EnasSettings
from algorithms.networks.threads import one_torch_thread
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import TrialState
from tests.contracts.algorithm_contract import GRID, SAMPLES, grid_loss
from tests.contracts.simulation import MIXED_FATES, Simulation

pytestmark = pytest.mark.requires("torch")


def state(replay):
    return {name: value.clone() for name, value in replay._policy.controller.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def searched():
    """A search of 30 trials, some of which failed."""
    simulation = Simulation(SAMPLES["enas"].spec(GRID), grid_loss)
    simulation.run(create_algorithm(simulation.spec), 30, parallel=3, order=4, fates=MIXED_FATES)
    return simulation


def replay():
    return Replay(Decisions.of(GRID), EnasSettings(), seed=7)


def test_carried_on_or_replayed_the_state_is_the_same(searched):
    trials = sorted(searched.history.trials.values(), key=lambda trial: trial.seq)
    growing, carried = History(GRID, searched.spec.objective), replay()
    for trial in trials:
        growing.record(trial)
        carried.catch_up(growing)
        carried.draws(trial.number, 3)  # a look changes nothing
    fresh = replay()
    fresh.catch_up(searched.history)
    assert same(state(carried), state(fresh))
    assert not same(state(fresh), state(replay()))


def test_the_number_of_threads_changes_nothing_and_stays(searched):
    states, usual = [], torch.get_num_threads()
    for threads in (1, 4):
        torch.set_num_threads(threads)
        made = replay()
        made.catch_up(searched.history)
        states.append(state(made))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(usual)
    assert same(*states)


def test_threads_that_are_inside_together_all_get_their_number_back():
    usual, seen = torch.get_num_threads(), []
    torch.set_num_threads(3)
    entered, left = threading.Barrier(2), threading.Barrier(2)

    def work():
        with one_torch_thread():
            entered.wait()
            seen.append(torch.get_num_threads())
            left.wait()
        seen.append(torch.get_num_threads())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [1, 1, 3, 3]
    assert torch.get_num_threads() == 3
    torch.set_num_threads(usual)


def test_the_global_generator_is_left_alone(searched):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    made = replay()
    made.catch_up(searched.history)
    made.draws(30, 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_teaches_nothing(searched):
    """Trials that fail, and those that still run, leave the controller as it is."""
    simulation = Simulation(searched.spec, grid_loss)
    simulation.run(create_algorithm(simulation.spec), 4)
    before, after = replay(), replay()
    before.catch_up(simulation.history)
    simulation.start(create_algorithm(simulation.spec).suggest(simulation.history, 2).suggestions)
    simulation.evaluate(4, TrialState.FAILED)
    after.catch_up(simulation.history)
    assert same(state(before), state(after))


def test_the_reward_is_the_share_that_is_worse():
    made = replay()
    assert [made._reward(loss) for loss in (5.0, 1.0, 9.0, 1.0)] == [0.5, 0.75, 1 / 6, 0.75]


@one_torch_thread()
@pytest.mark.parametrize(("options", "layers"), [((3, 4, 2), 0), ((4, 4, 2, 4, 2, 2), 3)], ids=["sequence", "chain"])
def test_the_best_architecture_becomes_probable(options, layers):
    """The reward is the share of the choices that are the last ones."""
    policy = Policy(controller_of(options, layers, Shape(32)), Learning(0.02, 0.9), np.random.default_rng(1))
    best, rng = [count - 1 for count in options], np.random.default_rng(2)

    def probability():
        return policy.controller(torch.tensor([best])).log_probability.exp().item()

    before = probability()
    for _ in range(80):
        (drawn,) = policy.sample(rng.random((1, len(options))))
        policy.update(drawn, float(np.mean([a == b for a, b in zip(drawn, best, strict=True)])))
    assert before < 0.1
    assert probability() > 0.4


@one_torch_thread()
@pytest.mark.parametrize("target", [0.1, 0.8])
def test_the_skip_penalty_leads_to_its_target(target):
    """Rewards that are all the same: nothing else moves the controller."""
    options = (2, 2, 2, 2, 2, 2)
    policy = Policy(
        controller_of(options, 3, Shape(skip_target=target)),
        Learning(0.03, 0.9, skip_weight=1.0),
        np.random.default_rng(1),
    )
    rng = np.random.default_rng(2)
    for _ in range(60):
        policy.update(policy.sample(rng.random((1, 6)))[0], 0.5)
    drawn = np.array(policy.sample(rng.random((2000, 6))))[:, [2, 4, 5]]
    assert drawn.mean() == pytest.approx(target, abs=0.05)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ((Real("x", 0, 1),), "'x' is a range without a step"),
        ((Integer("n", 0, 100_000),), "'n' has 100001 values, expected at most 10000"),
        ((), "nasConfig"),
    ],
    ids=["range", "many", "none"],
)
def test_what_is_no_row_of_decisions(parameters, words):
    with pytest.raises(SpecError, match=words):
        Decisions.of(SearchSpace(parameters))


def test_a_point_is_a_row_of_numbers():
    decisions = Decisions.of(GRID)
    for number in range(60):
        point = GRID.from_unit(np.random.default_rng(number).random(3))
        assert decisions.point(decisions.choices(point)) == point
    assert (decisions.options, decisions.layers) == ((3, 4, 5), 0)


@pytest.mark.parametrize(
    ("names", "layers"),
    [
        (("operation-0", "operation-1", "skip-0-1"), 2),
        (("operation-0", "skip-0-1", "operation-1"), 0),
        (("operation-0",), 1),
        (("operation-0", "operation-1"), 0),
    ],
)
def test_chains_are_told_by_their_parameters(names, layers):
    space = SearchSpace(tuple(Choice(name, ("0", "1")) for name in names))
    assert Decisions.of(space).layers == layers
