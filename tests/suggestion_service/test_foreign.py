"""What a controller that knows only Katib's fields leaves out is rebuilt from what it sends."""

from __future__ import annotations

import pytest

from katib.core.errors import SpecError
from katib.core.objective import Objective
from katib.core.trial import Suggestion, TrialState
from suggestion_service.codec import foreign
from suggestion_service.codec.experiment import decode_experiment
from suggestion_service.generated import api_pb2 as pb
from tests.suggestion_service.katib_messages import SPACE, Condition, experiment_of

LOSS = Objective("loss")


def trial_of(name, condition=Condition.SUCCEEDED, start="", end="", loss="0.5", **parameters):
    trial = pb.Trial(name=name)
    for key, value in parameters.items():
        trial.spec.parameter_assignments.assignments.add(name=key, value=value)
    trial.status.CopyFrom(pb.TrialStatus(start_time=start, completion_time=end, condition=condition))
    if loss:
        trial.status.observation.metrics.add(name="loss", value=loss)
    return trial


def history_of(*trials, experiment="katib-exp", current=1, total=None, memory=()):
    request = pb.GetSuggestionsRequest(
        experiment=pb.Experiment(name=experiment),
        trials=trials,
        current_request_number=current,
        total_request_number=len(trials) + current if total is None else total,
    )
    return foreign.decode_history(request, SPACE, LOSS, memory)


def numbers(history):
    return {trial.name: number for number, trial in history.trials.items()}


class TestHistory:
    """What is made of trials without numbers, order and labels."""

    def test_numbers_follow_the_names_that_we_gave(self):
        history = history_of(
            trial_of("katib-exp-000004", start="2024-05-01T12:00:00Z"), trial_of("katib-exp-000001"), current=1, total=6
        )

        assert numbers(history) == {"katib-exp-000001": 1, "katib-exp-000004": 4}

    def test_other_names_are_numbered_by_start(self):
        history = history_of(
            trial_of("c", start="2024-05-01T12:00:02Z"),
            trial_of("b", start="2024-05-01T12:00:01Z"),
            trial_of("z", Condition.CREATED, loss=""),
            trial_of("a", start="2024-05-01T12:00:02Z"),
            trial_of("katib-exp-000001", start="2024-05-01T12:00:03Z"),
        )

        assert numbers(history) == {"b": 0, "katib-exp-000001": 1, "a": 2, "c": 3, "z": 4}

    def test_a_name_of_our_form_beyond_what_was_proposed_is_not_ours(self):
        assert numbers(history_of(trial_of("katib-exp-000007"))) == {"katib-exp-000007": 0}

    def test_names_of_another_experiment_are_not_ours(self):
        history = history_of(trial_of("other-000001"), trial_of("katib-exp-extra-000000"))

        assert numbers(history) == {"katib-exp-extra-000000": 0, "other-000001": 1}

    def test_trials_of_one_name_are_both_kept(self):
        assert len(history_of(trial_of("katib-exp-000000"), trial_of("katib-exp-000000"))) == 2

    def test_seq_is_the_order_of_completion(self):
        history = history_of(
            trial_of("a", start="2024-05-01T12:00:00Z", end="2024-05-01T12:00:09Z"),
            trial_of("b", start="2024-05-01T12:00:01Z", end="2024-05-01T12:00:05Z"),
            trial_of("c", Condition.RUNNING, start="2024-05-01T12:00:02Z", loss=""),
        )

        assert [trial.name for trial in history.finished] == ["b", "a"]
        assert [trial.seq for trial in history.finished] == [1, 2]
        assert [(trial.name, trial.seq) for trial in history.active.values()] == [("c", 3)]

    @pytest.mark.parametrize(
        ("condition", "state"),
        [
            (Condition.CREATED, TrialState.PENDING),
            (Condition.RUNNING, TrialState.RUNNING),
            (Condition.SUCCEEDED, TrialState.SUCCEEDED),
            (Condition.KILLED, TrialState.KILLED),
            (Condition.FAILED, TrialState.FAILED),
            (Condition.METRICSUNAVAILABLE, TrialState.METRICS_UNAVAILABLE),
            (Condition.EARLYSTOPPED, TrialState.EARLY_STOPPED),
            (Condition.UNKNOWN, TrialState.PENDING),
        ],
    )
    def test_conditions_become_states(self, condition, state):
        assert history_of(trial_of("a", condition)).trials[0].state is state

    @pytest.mark.parametrize(
        ("text", "value"), [("0.125", 0.125), ("1e-3", 0.001), ("nan", None), ("unavailable", None), ("inf", None)]
    )
    def test_a_metric_has_one_value_for_every_strategy(self, text, value):
        history = history_of(trial_of("a", loss=text))

        summary = history.trials[0].observation["loss"]
        assert (summary.minimum, summary.maximum, summary.latest) == (value, value, value)
        assert history.value(history.trials[0]) == value

    @pytest.mark.parametrize(
        "text", ["", "soon", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"]
    )
    def test_a_time_that_is_none_does_no_harm(self, text):
        trial = history_of(trial_of("a", start=text, end=text)).trials[0]

        assert trial.started is None
        assert trial.finished == 0.0

    def test_times_are_seconds_since_the_epoch(self):
        trial = history_of(trial_of("a", start="2024-05-01T12:00:00Z", end="2024-05-01T12:01:00")).trials[0]

        assert (trial.started, trial.finished) == (1714564800.0, 1714564860.0)

    def test_values_out_of_the_space_are_kept_apart(self):
        values = {"lr": "7", "epochs": "3", "batch": "16", "optimizer": "rmsprop"}

        history = history_of(trial_of("a", **values))

        assert history.trials[0].parameters == {"lr": 7, "epochs": 3, "batch": 16, "optimizer": "rmsprop"}
        assert not history.view().in_space[0]

    @pytest.mark.parametrize(
        ("trials", "current", "total", "number"),
        [
            pytest.param(0, 3, 3, 0, id="first"),
            pytest.param(3, 2, 5, 3, id="all-seen"),
            pytest.param(1, 2, 5, 3, id="some-hidden"),
            pytest.param(4, 1, 0, 4, id="no-total"),
        ],
    )
    def test_no_number_is_proposed_twice(self, trials, current, total, number):
        shown = [trial_of(f"t{i}") for i in range(trials)]

        assert history_of(*shown, current=current, total=total).next_number == number


class TestSeed:
    """Draws must be the same in each replica and after each restart."""

    def test_is_made_from_the_name(self):
        seeds = {name: decode_experiment(experiment_of("random", name)).seed for name in ("a", "b")}

        assert seeds == {"a": 0xE8B7BE43, "b": 0x71BEEFF9}

    @pytest.mark.parametrize(("text", "seed"), [("12", 12), (" 12 ", 12), ("-1", 0xE8B7BE43), ("x", 0xE8B7BE43)])
    def test_random_state_wins(self, text, seed):
        assert decode_experiment(experiment_of("random", "a", random_state=text)).seed == seed


class TestMemory:
    """One setting, kept by the controller, remembers labels and parents."""

    def test_comes_back(self):
        suggestions = [Suggestion({}, {"rung": "0"}), Suggestion({}, {"rung": "0"}), Suggestion({}, {"rung": "1"}, 1)]
        settings = foreign.remember((), 2, suggestions)
        experiment = experiment_of("random", gamma="1", **settings)

        memory = foreign.take_memory(experiment)

        assert memory == [({}, None), ({}, None), ({"rung": "0"}, None), ({"rung": "0"}, None), ({"rung": "1"}, 1)]
        assert [s.name for s in experiment.spec.algorithm.algorithm_settings] == ["gamma"]

    def test_is_not_sent_where_nothing_would_be_forgotten(self):
        assert foreign.remember((), 0, [Suggestion({})]) == {}

    def test_an_answer_that_the_controller_threw_away_is_forgotten(self):
        thrown = foreign.take_memory(experiment_of("x", **foreign.remember((), 0, [Suggestion({}, {"a": "1"})] * 3)))

        memory = foreign.take_memory(experiment_of("x", **foreign.remember(thrown, 1, [Suggestion({}, {"a": "2"})])))

        assert [entry.labels for entry in memory] == [{"a": "1"}, {"a": "2"}]

    def test_gives_labels_and_parents_to_trials_and_shows_hidden_ones(self):
        memory = [foreign.Remembered({"rung": str(i)}, i - 1 if i else None) for i in range(3)]

        history = history_of(trial_of("katib-exp-000002"), trial_of("katib-exp-000000"), total=4, memory=memory)

        assert {n: (t.labels["rung"], t.parent) for n, t in history.trials.items()} == {
            0: ("0", None),
            1: ("1", 0),
            2: ("2", 1),
        }
        assert history.trials[1].state is TrialState.METRICS_UNAVAILABLE

    @pytest.mark.parametrize("text", ["{", "3", "[[1, 2]]", '[[{"a": 1}, [0]]]', '[[{}, ["x"]]]', "[[]]"])
    def test_a_spoilt_one_is_refused(self, text):
        with pytest.raises(SpecError):
            foreign.take_memory(experiment_of("x", **{foreign.MEMORY_SETTING: text}))
