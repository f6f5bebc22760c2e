"""A history that is kept between calls is the one that a service which was just started would read."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import Suggestion, TrialState
from suggestion_service.client import _EncodedTrials
from suggestion_service.codec.experiment import encode_objective
from suggestion_service.codec.trials import Frame, decode_history
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.mirror import Mirror
from tests.contracts.simulation import MIXED_FATES, Simulation
from tests.suggestion_service.toy_algorithm import spec_of

SPACE = SearchSpace((Real("x", 0.0, 1.0), Integer("layers", 1, 9)))
SPEC = replace(spec_of(), space=SPACE)
FRAME = Frame(SPACE, SPEC.objective, encode_objective(SPEC.objective))


def sent(history):
    """The trials of a request as its bytes, as our client orders them."""
    data = b"".join(_EncodedTrials(FRAME).of(history))
    return list(pb.UnreadGetSuggestionsRequest.FromString(data).trials)


def cold(messages):
    return decode_history([pb.Trial.FromString(data) for data in messages], SPACE, SPEC.objective)


def contents(history):
    """All that an algorithm can see of a history."""
    view = history.view()
    return (
        dict(sorted(history.trials.items())),
        history.finished,
        dict(sorted(history.active.items())),
        {n: (list(c.seqs), list(c.steps), c.values.tobytes()) for n in history.trials for c in [history.curve(n)]},
        {n: history.number_of(t.parameters) for n, t in history.trials.items()},
        [getattr(view, name).tobytes() for name in view.__match_args__],
        history.pending().tobytes(),
        history.next_number,
    )


def steps(seed, rounds=120):
    """A simulated experiment; yields after each of its steps."""
    dice, simulation = random.Random(seed), Simulation(SPEC)
    for _ in range(rounds):
        running, what = simulation.running, dice.random()
        if what < 0.4 or not running:
            simulation.start([Suggestion({"x": dice.random(), "layers": dice.randint(1, 9)}) for _ in range(2)])
        elif what < 0.6:
            simulation.report(dice.choice(running).number, dice.choice([dice.random(), float("nan")]))
        elif what < 0.7:
            again(simulation, dice.choice(running))
        else:
            simulation.evaluate(dice.choice(running).number, dice.choice(MIXED_FATES))
        yield simulation


def again(simulation, trial):
    """Its attempt was lost, and the next one runs."""
    simulation.reports.pop(trial.number, None)
    simulation.history.record(
        replace(trial, attempt=trial.attempt + 1, seq=simulation._next_seq(), observation={}, measured=0)
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every", [1, 3, 17])
def test_it_equals_a_history_that_is_read_anew(seed, every):
    mirror, kept = Mirror(SPACE, SPEC.objective), set()
    for i, simulation in enumerate(steps(seed)):
        if i % every == 0:
            messages = sent(simulation.history)
            history = mirror.history(messages)
            kept.add(id(history))
            assert contents(history) == contents(cold(messages)) == contents(History.within(simulation.history, SPACE))
    assert len(kept) == 1  # never read anew


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda earlier, now: earlier, id="an-older-request"),
        pytest.param(lambda earlier, now: now[::-1], id="another-order"),
        pytest.param(lambda earlier, now: now[1:], id="a-trial-less"),
        pytest.param(lambda earlier, now: now[:-1], id="a-running-trial-less"),
        pytest.param(lambda earlier, now: [], id="nothing"),
        pytest.param(lambda earlier, now: [rewritten(now[0]), *now[1:]], id="a-finished-trial-rewritten"),
        pytest.param(lambda earlier, now: [*now[:-1], rewritten(now[-1])], id="a-running-trial-rewritten"),
        pytest.param(lambda earlier, now: sent(list(steps(99, 40))[-1].history), id="another-experiment"),
    ],
)
def test_whatever_does_not_follow_is_read_anew(change):
    mirror = Mirror(SPACE, SPEC.objective)
    requests = [sent(simulation.history) for simulation in steps(3)]
    for messages in requests:
        mirror.history(messages)
    changed = change(requests[60], requests[-1])

    assert contents(mirror.history(changed)) == contents(cold(changed))
    assert contents(mirror.history(requests[-1])) == contents(cold(requests[-1]))


def rewritten(data):
    """The same trial with other labels, as no engine of ours would send it."""
    message = pb.Trial.FromString(data)
    message.spec.labels["odd"] = "yes"
    return message.SerializeToString()


def broken_curve(data):
    message = pb.Trial.FromString(data)
    message.record.curve.seqs.append(10**6)
    message.record.seq += 10**6
    return message.SerializeToString()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda now: [*now, now[-1]], id="a-number-twice"),
        pytest.param(lambda now: [now[0], *now], id="a-finished-number-twice"),
        pytest.param(lambda now: [*now, b"\xff"], id="no-trial"),
        pytest.param(lambda now: [*now[:-1], broken_curve(now[-1])], id="uneven-curve"),
    ],
)
def test_a_bad_request_leaves_nothing_behind(spoil):
    mirror = Mirror(SPACE, SPEC.objective)
    messages = sent(list(steps(3))[-1].history)
    mirror.history(messages)

    with pytest.raises((SpecError, ValueError)):
        mirror.history(spoil(messages))
    assert contents(mirror.history(messages)) == contents(cold(messages))


def test_unfinished_trials_of_a_call_are_not_those_of_the_next():
    mirror = Mirror(SPACE, SPEC.objective)
    simulation = Simulation(SPEC)
    simulation.start([Suggestion({"x": 0.1, "layers": 1}), Suggestion({"x": 0.2, "layers": 1})])
    both = sent(simulation.history)
    mirror.history(both)

    assert set(mirror.history(both[:1]).trials) == {0}
    assert mirror.history(both).trials[1].state is TrialState.RUNNING
