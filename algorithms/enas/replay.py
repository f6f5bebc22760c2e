"""The state of ``enas``, worked out from the history: one update for each finished trial, in order of their ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

import numpy as np

from algorithms.enas.controller import Shape, controller_of
from algorithms.enas.decisions import Decisions
from algorithms.enas.policy import Learning, Policy
from algorithms.enas.settings import EnasSettings
from algorithms.networks.threads import one_torch_thread
from algorithms.randomness import generator
from katib.core.history import History

_BEGINNING = 2**62  # beyond every trial number: whose random numbers the controller begins with


class Replay:
    """Carries the controller on as trials finish. What it is depends on the finished trials alone, not on when it was
    asked for."""

    def __init__(self, decisions: Decisions, settings: EnasSettings, seed: int) -> None:
        self._decisions, self._seed = decisions, seed
        controller = controller_of(decisions.options, decisions.layers, shape_of(settings))
        self._policy = Policy(controller, learning_of(settings), generator(seed, _BEGINNING))
        self._losses: list[float] = []  # of the trials so far, sorted
        self._rows = 0

    def catch_up(self, history: History) -> None:
        """Take in what has finished since the last call. Trials without a value, and those outside of the space, teach
        nothing."""
        view = history.view()
        with one_torch_thread():
            for row in range(self._rows, len(view.numbers)):
                if view.in_space[row] and np.isfinite(view.Y[row, 0]):
                    trial = history.trials[int(view.numbers[row])]
                    self._learn(self._decisions.choices(trial.parameters), float(view.Y[row, 0]))
        self._rows = len(view.numbers)

    def draws(self, number: int, count: int) -> list[list[int]]:
        """``count`` architectures for the trial ``number``."""
        width = len(self._decisions.options)
        with one_torch_thread():
            return self._policy.sample(generator(self._seed, number).random((count, width)))

    def _learn(self, choices: list[int], loss: float) -> None:
        self._policy.update(choices, self._reward(loss))

    def _reward(self, loss: float) -> float:
        """The share of the trials so far that a trial with this loss beats, itself and its equals counted by half; so
        it lies between 0 and 1 whatever the objective is, and a few very bad trials do not blur the rest."""
        losses = self._losses
        insort(losses, loss)
        worse, equal = len(losses) - bisect_right(losses, loss), bisect_right(losses, loss) - bisect_left(losses, loss)
        return (worse + equal / 2) / len(losses)


def shape_of(settings: EnasSettings) -> Shape:
    """The controller that the settings ask for."""
    return Shape(
        settings.controller_hidden_size,
        settings.controller_temperature,
        settings.controller_tanh_const,
        settings.controller_skip_target,
    )


def learning_of(settings: EnasSettings, steps: int | None = None) -> Learning:
    """How it learns. steps: of an update, if not the settings'."""
    return Learning(
        settings.controller_learning_rate,
        settings.controller_baseline_decay,
        settings.controller_entropy_weight,
        settings.controller_skip_weight,
        settings.controller_train_steps if steps is None else steps,
    )
