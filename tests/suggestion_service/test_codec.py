"""What one of our engines sends is what the service reads: nothing lost, no type changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import Curve
from katib.core.objective import Direction, MetricSummary, Objective, Strategy
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Trial, TrialState
from suggestion_service.codec import trials as trials_codec
from suggestion_service.codec.experiment import decode_experiment, encode_experiment, encode_objective
from suggestion_service.codec.proposals import decode_proposal, encode_proposal
from suggestion_service.codec.values import decode_assignments, encode_assignments
from suggestion_service.generated import api_pb2 as pb
from tests.suggestion_service.wire_strategies import (
    curve_of,
    histories,
    objectives,
    proposals,
    same_types,
    spaces,
    specs,
)

LOSS = Objective("loss")


def over_the_wire(message):
    return type(message).FromString(message.SerializeToString())


def frame(space, objective=LOSS):
    return trials_codec.Frame(space, objective, encode_objective(objective))


def spec_of(space, nas=None):
    return ExperimentSpec(Key("default", "e"), space, LOSS, Component("random"), nas=nas)


@given(specs)
@settings(max_examples=60, deadline=None)
def test_a_spec_comes_back_equal(spec):
    back = decode_experiment(over_the_wire(encode_experiment(spec)))

    assert back == spec
    for parameter, original in zip(back.space, spec.space, strict=True):
        if isinstance(original, Ordinal | Choice):
            assert [type(v) for v in parameter.values] == [type(v) for v in original.values]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_history_comes_back_equal(data):
    space, objective = data.draw(spaces()), data.draw(objectives)
    history = data.draw(histories(space, objective))
    request = pb.GetSuggestionsRequest()
    for trial in [*history.finished, *history.active.values()]:
        curve = history.curve(trial.number)
        trials_codec.encode_trial(trial, curve, frame(space, objective), request.trials.add())

    back = trials_codec.decode_history(over_the_wire(request).trials, space, objective)

    assert back.trials == history.trials
    assert back.finished == history.finished
    assert back.active == history.active
    for number, trial in history.trials.items():
        assert same_types(back.trials[number].parameters, trial.parameters)
        assert curve_of(back, number) == curve_of(history, number)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_proposal_comes_back_equal(data):
    space = data.draw(spaces())
    proposal = data.draw(proposals(space))
    spec = spec_of(space)

    back = decode_proposal(over_the_wire(encode_proposal(proposal, spec)), spec, 10, waiting=False)

    assert back == proposal
    for suggestion, original in zip(back.suggestions, proposal.suggestions, strict=True):
        assert same_types(suggestion.parameters, original.parameters)


@pytest.mark.parametrize(
    ("parameter", "value", "text", "typed"),
    [
        pytest.param(Real("x", 0, 1), 0.1, "0.1", "", id="real"),
        pytest.param(Real("x", 0, 1), 1e-05, "1e-05", "", id="real-small"),
        pytest.param(Real("x", 0, 1), 1, "1", "1", id="integer-in-a-real"),
        pytest.param(Real("x", 0, 1), 7.5, "7.5", "7.5", id="out-of-range"),
        pytest.param(Integer("x", 0, 10), 3, "3", "", id="integer"),
        pytest.param(Ordinal("x", (32, 64), ("32", "64.0")), 64, "64.0", "", id="ordinal-as-written"),
        pytest.param(Choice("x", ("a", "b")), "b", "b", "", id="choice"),
        pytest.param(Choice("x", (True, False)), True, "True", "", id="boolean"),
        pytest.param(Choice("x", (1, "1")), "1", "1", '"1"', id="text-that-looks-like-its-neighbour"),
        pytest.param(Choice("x", ("None", None)), None, "None", "null", id="null"),
    ],
)
def test_a_value_is_text_for_katib_and_json_only_where_text_would_lose_it(parameter, value, text, typed):
    space = SearchSpace((parameter,))
    message = pb.TrialSpec.ParameterAssignments()

    encode_assignments(space, {"x": value}, message.assignments)

    assert [(a.name, a.value, a.typed_value) for a in message.assignments] == [("x", text, typed)]
    back = decode_assignments(space, message.assignments)
    assert back == {"x": value}
    assert same_types(back, {"x": value})


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        pytest.param(
            Real("lr", 0.01, 0.1),
            'name: "lr" parameter_type: DOUBLE feasible_space { max: "0.1" min: "0.01" distribution: UNIFORM }',
            id="double",
        ),
        pytest.param(
            Integer("n", 1.0, 8, step=2.0),
            'name: "n" parameter_type: INT feasible_space { max: "8" min: "1" step: "2" distribution: UNIFORM }',
            id="int-without-points",
        ),
        pytest.param(
            Ordinal("b", (64, 32)),
            'name: "b" parameter_type: DISCRETE feasible_space { list: "32" list: "64" }',
            id="discrete",
        ),
        pytest.param(
            Choice("o", ("sgd", "adam"), condition=Condition("b", (32,))),
            'name: "o" parameter_type: CATEGORICAL feasible_space { list: "sgd" list: "adam" } '
            'condition { parent: "b" values: "32" }',
            id="conditional-categorical",
        ),
    ],
)
def test_parameters_are_written_as_katib_writes_them(parameter, expected):
    before = (Ordinal("b", (32, 64)),) if parameter.name == "o" else ()
    message = encode_experiment(spec_of(SearchSpace((*before, parameter))))

    assert " ".join(str(message.spec.parameter_specs.parameters[-1]).split()) == expected


@pytest.mark.parametrize(
    ("direction", "strategies", "value"),
    [
        pytest.param(Direction.MINIMIZE, {}, "0.25", id="minimum"),
        pytest.param(Direction.MAXIMIZE, {}, "1.5", id="maximum"),
        pytest.param(Direction.MINIMIZE, {"loss": Strategy.LATEST}, "0.50", id="latest-as-reported"),
    ],
)
def test_katib_sees_the_value_that_the_strategy_chooses(direction, strategies, value):
    objective = Objective("loss", direction, strategies=strategies)
    trial = Trial(
        number=3,
        name="t",
        parameters={},
        state=TrialState.SUCCEEDED,
        started=1714564800.9,
        finished=1714564860.0,
        observation={"loss": MetricSummary(0.25, 1.5, 0.5, "0.50", 1.0, 3), "text": MetricSummary(latest_text="a")},
    )
    message = pb.Trial()

    trials_codec.encode_trial(trial, Curve(), frame(SearchSpace(), objective), message)

    assert [(m.name, m.value) for m in message.status.observation.metrics] == [("loss", value)]
    assert message.status.start_time == "2024-05-01T12:00:00Z"
    assert message.status.completion_time == "2024-05-01T12:01:00Z"
    assert message.spec.objective.objective_metric_name == "loss"


def test_every_state_has_a_condition_of_its_own():
    assert {trials_codec.state_of(trials_codec.CONDITIONS[state]) for state in TrialState} == set(TrialState)
    assert trials_codec.state_of(pb.TrialStatus.UNKNOWN) is TrialState.PENDING


def test_a_nas_config_is_katibs_message_and_comes_back_exactly():
    tree = {
        "graphConfig": {"numLayers": 3, "inputSizes": [32, 32, 3], "outputSizes": [10]},
        "operations": [
            {
                "operationType": "convolution",
                "parameters": [
                    {"name": "filter_size", "parameterType": "categorical", "feasibleSpace": {"list": ["3", "5"]}},
                    {
                        "name": "stride",
                        "parameterType": "int",
                        "feasibleSpace": {"min": "1", "max": "2", "distribution": "uniform"},
                    },
                ],
            }
        ],
    }
    message = over_the_wire(encode_experiment(spec_of(SearchSpace(), nas=tree)))

    assert message.spec.nas_config.graph_config.num_layers == 3
    assert decode_experiment(message).nas == tree
    message.ClearField("record")
    assert decode_experiment(message).nas == tree


@pytest.mark.parametrize(
    ("numbers", "goal"),
    [
        pytest.param({"goal": 0.0}, None, id="absent-or-zero"),
        pytest.param({"goal": 0.5}, 0.5, id="given"),
        pytest.param({"goal": 0.0, "has_goal": True}, 0.0, id="zero-from-our-engine"),
    ],
)
def test_goal_zero_of_a_katib_controller_means_none(numbers, goal):
    message = encode_experiment(spec_of(SearchSpace()))
    message.spec.objective.CopyFrom(pb.ObjectiveSpec(type=pb.MINIMIZE, objective_metric_name="loss", **numbers))

    assert decode_experiment(message).objective.goal == goal


@pytest.mark.parametrize(
    ("spoil", "path", "words"),
    [
        pytest.param({"parameter_type": 9}, "parameters[0]", "unknown parameter type 9", id="type"),
        pytest.param({"feasible_space": {"min": "a", "max": "1"}}, "parameters[0]", "got 'a'", id="bound"),
        pytest.param({"feasible_space": {"min": "2", "max": "1"}}, "parameters[0]", "greater than max", id="order"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_place(spoil, path, words):
    message = encode_experiment(spec_of(SearchSpace((Real("x", 0, 1),))))
    message.spec.parameter_specs.parameters[0].MergeFrom(pb.ParameterSpec(**spoil))

    with pytest.raises(SpecError) as caught:
        decode_experiment(message)

    assert caught.value.problems[0].path == path
    assert words in caught.value.problems[0].message


def test_two_trials_of_one_number_are_refused():
    message = pb.Trial(name="a", record=pb.TrialRecord(number=1))

    with pytest.raises(SpecError, match="same number"):
        trials_codec.decode_history([message, message], SearchSpace(), LOSS)
