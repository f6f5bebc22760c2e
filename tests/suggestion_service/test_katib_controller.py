"""An experiment under a controller that knows only Katib's fields runs to its end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from algorithms.population_based_training import GENERATION, MEMBER, PARENT
from suggestion_service.codec.experiment import decode_experiment
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.suggestions import create_listed
from suggestion_service.trial_volume import TrialVolume
from tests.contracts.simulation import Simulation
from tests.suggestion_service.katib_messages import SPACE, Condition, experiment_of


@dataclass
class KatibController:
    """Asks as Katib's controller does: exact counts, last conditions, no labels, no trials without a metric, in any
    order; keeps the names and settings that it is answered with."""

    ask: object
    experiment: pb.Experiment
    dice: random.Random
    fates: tuple[int, ...] = (Condition.SUCCEEDED,)
    trials: dict[str, pb.Trial] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    clock: int = 0

    def reconcile(self, parallel):
        """One round: ask for what is missing; take the answer only if it is exact; then let one trial end."""
        running = [t for t in self.trials.values() if t.status.condition == Condition.RUNNING]
        wanted = parallel - len(running)
        if wanted > 0:
            reply = self.ask(self.request(wanted))
            if len(reply.parameter_assignments) == wanted:
                self.accept(reply)
            elif not running:
                return False
        running = [t for t in self.trials.values() if t.status.condition == Condition.RUNNING]
        self.finish(self.dice.choice(running))
        return True

    @property
    def running(self):
        return sum(t.status.condition == Condition.RUNNING for t in self.trials.values())

    def request(self, wanted):
        shown = [t for t in self.trials.values() if t.status.condition != Condition.METRICSUNAVAILABLE]
        self.dice.shuffle(shown)
        return pb.GetSuggestionsRequest(
            experiment=self.experiment,
            trials=shown,
            current_request_number=wanted,
            total_request_number=len(self.trials) + wanted,
        )

    def accept(self, reply):
        for assignments in reply.parameter_assignments:
            trial = pb.Trial(name=assignments.trial_name)
            for assignment in assignments.assignments:
                trial.spec.parameter_assignments.assignments.add(name=assignment.name, value=assignment.value)
            trial.status.condition = Condition.RUNNING
            trial.status.start_time = self.tick()
            assert trial.name not in self.trials
            self.trials[trial.name] = trial
            self.labels[trial.name] = dict(assignments.labels)
        known = {s.name: s for s in self.experiment.spec.algorithm.algorithm_settings}
        for setting in reply.algorithm.algorithm_settings:
            if setting.name in known:
                known[setting.name].value = setting.value
            else:
                self.experiment.spec.algorithm.algorithm_settings.add(name=setting.name, value=setting.value)

    def finish(self, trial):
        values = {a.name: a.value for a in trial.spec.parameter_assignments.assignments}
        trial.status.condition = self.dice.choice(self.fates)
        trial.status.completion_time = self.tick()
        if trial.status.condition == Condition.SUCCEEDED:
            trial.status.observation.metrics.add(name="loss", value=repr(abs(float(values["lr"]) - 0.3)))

    def tick(self):
        self.clock += 1
        return f"2024-05-01T{self.clock // 3600:02d}:{self.clock // 60 % 60:02d}:{self.clock % 60:02d}Z"


@pytest.fixture
def controller(service, channel):
    """KatibControllers; each call goes to another replica, none of which has seen what the others did."""
    replicas = []

    def start(experiment, seed=1, volume=None, **options):
        for _ in range(2):
            replicas.append(
                channel(service(volume=volume and TrialVolume(volume))).unary_unary(
                    "/api.v1.beta1.Suggestion/GetSuggestions",
                    request_serializer=lambda request: request.SerializeToString(),
                    response_deserializer=pb.GetSuggestionsReply.FromString,
                )
            )
        dice = random.Random(seed)
        return KatibController(lambda request: dice.choice(replicas)(request, timeout=30), experiment, dice, **options)

    return start


def test_random_search_of_a_katib_controller_equals_our_own(controller):
    experiment = experiment_of("random", maximum=12)
    katib = controller(experiment)
    while len(katib.trials) < 12:
        assert katib.reconcile(3)

    spec = decode_experiment(experiment)
    own = Simulation(spec, lambda parameters: abs(parameters["lr"] - 0.3))
    own.run(create_listed(spec), 12)
    assert [parameters_of(t) for _, t in sorted(katib.trials.items())][:12] == [
        dict(t.parameters) for _, t in sorted(own.history.trials.items())
    ]


def parameters_of(trial):
    values = {a.name: a.value for a in trial.spec.parameter_assignments.assignments}
    return {p.name: p.parse(values[p.name]) for p in SPACE}


PLACE = ("hyperband/bracket", "hyperband/rung", "hyperband/config")
FAILING = (Condition.SUCCEEDED,) * 4 + (Condition.FAILED, Condition.METRICSUNAVAILABLE)


@pytest.mark.parametrize(
    ("fates", "seed"),
    [
        pytest.param((Condition.SUCCEEDED,), 1, id="all-succeed"),
        pytest.param(FAILING, 2, id="some-fail-or-have-no-metric"),
        pytest.param(FAILING, 3, id="some-fail-otherwise"),
    ],
)
def test_hyperband_climbs_its_rungs_under_a_katib_controller(controller, fates, seed):
    """The controller sends no labels, so rungs and brackets are known by what it keeps for us."""
    experiment = experiment_of("hyperband", maximum=60, r_l="9", eta="3", resource_name="epochs")
    katib = controller(experiment, seed, fates=fates)
    while len(katib.trials) < 40:
        assert katib.reconcile(3)

    places = {name: tuple(labels[label] for label in PLACE) for name, labels in katib.labels.items()}
    rungs = [[t for n, t in katib.trials.items() if places[n][:2] == ("0", str(rung))] for rung in range(3)]
    values = [[parameters_of(trial) for trial in trials] for trials in rungs]
    assert [len(rung) for rung in values] == [9, 3, 1]
    assert [{p["epochs"] for p in rung} for rung in values] == [{1}, {3}, {9}]
    good = [parameters_of(trial)["lr"] for trial in rungs[0] if trial.status.condition == Condition.SUCCEEDED]
    assert {p["lr"] for p in values[1]} == set(sorted(good, key=lambda lr: abs(lr - 0.3))[:3])
    assert len(set(places.values())) == len(places)


@pytest.mark.parametrize(
    ("fates", "seed"),
    [
        pytest.param((Condition.SUCCEEDED,), 4, id="all-succeed"),
        pytest.param(FAILING, 5, id="some-fail-or-have-no-metric"),
        pytest.param((*FAILING, Condition.KILLED), 6, id="some-are-killed"),
    ],
)
def test_a_population_trains_under_a_katib_controller(controller, fates, seed):
    """Members, generations and parents are known by what the controller keeps for us."""
    experiment = experiment_of("pbt", maximum=80, n_population="6", truncation_threshold="0.3")
    katib = controller(experiment, seed, fates=fates)
    while len(katib.trials) < 60:
        assert katib.reconcile(3)

    losses = {name: float(t.status.observation.metrics[0].value) for name, t in katib.trials.items() if has_value(t)}
    latest, exploits = {}, 0
    for name, trial in sorted(katib.trials.items()):
        labels, parameters = katib.labels[name], parameters_of(trial)
        member, parent = labels[MEMBER], labels.get(PARENT)
        if parent is None:
            assert labels[GENERATION] == "0"
        else:
            assert int(labels[GENERATION]) == int(katib.labels[parent][GENERATION]) + 1
            own = katib.labels[parent][MEMBER] == member and parent == latest[member]
            assert (parameters == parameters_of(katib.trials[parent])) == own
            exploits += not own
            if latest[member] in losses:
                assert own or losses[parent] < losses[latest[member]]
            else:
                assert not own
        latest[member] = name
    assert exploits > 8
    assert set(latest) == {str(member) for member in range(6)}


def test_checkpoints_are_handed_down_on_the_volume(controller, tmp_path):
    """Each trial adds its name to the line that it finds in its folder."""
    settings = {"n_population": "6", "truncation_threshold": "0.3", "suggestion_trial_dir": "/opt/checkpoints"}
    katib = controller(experiment_of("pbt", maximum=60, **settings), 7, volume=tmp_path, fates=FAILING)
    trained, finish = {}, katib.finish

    def train_and_finish(trial):
        file = tmp_path / "katib-exp" / trial.name / "line"
        trained[trial.name] = [*(file.read_text().split() if file.exists() else ()), trial.name]
        file.parent.mkdir(parents=True, exist_ok=True)  # as the kubelet does
        file.write_text(" ".join(trained[trial.name]))
        finish(trial)

    katib.finish = train_and_finish
    while len(katib.trials) < 40:
        assert katib.reconcile(3)

    for name, line in trained.items():
        assert line == lineage(katib, name)
    assert max(map(len, trained.values())) > 4


def lineage(katib, name):
    parent = katib.labels[name].get(PARENT)
    return [*(lineage(katib, parent) if parent else ()), name]


def has_value(trial):
    return trial.status.condition == Condition.SUCCEEDED


def test_an_unchanged_request_has_an_unchanged_answer(controller):
    katib = controller(experiment_of("hyperband", maximum=60, r_l="9", resource_name="epochs"))
    for _ in range(15):
        katib.reconcile(3)
    request = katib.request(4)

    assert katib.ask(request) == katib.ask(request)


def test_replies_to_katib_carry_names_and_only_texts(controller):
    katib = controller(experiment_of("random"))

    reply = katib.ask(katib.request(2))

    assert [a.trial_name for a in reply.parameter_assignments] == ["katib-exp-000000", "katib-exp-000001"]
    assert all(a.value and not a.typed_value for s in reply.parameter_assignments for a in s.assignments)
    assert not reply.algorithm.algorithm_settings


def small_experiment(algorithm, maximum):
    """An experiment whose space has four points."""
    experiment = experiment_of(algorithm, maximum=maximum)
    del experiment.spec.parameter_specs.parameters[:]
    experiment.spec.parameter_specs.parameters.add(
        name="lr", parameter_type=pb.DISCRETE, feasible_space={"list": ["0.1", "0.2", "0.3", "0.4"]}
    )
    return experiment


@pytest.mark.parametrize("algorithm", ["random", "sobol"])
@pytest.mark.parametrize("parallel", [1, 3, 5])
def test_a_space_that_is_used_up_is_gone_through_again_up_to_the_maximum(controller, algorithm, parallel):
    """Katib's controller asks for ever where an answer is shorter than it wants."""
    katib = controller(small_experiment(algorithm, maximum=10))
    while len(katib.trials) < 10:
        assert katib.reconcile(min(parallel, 10 - len(katib.trials) + katib.running))

    tried = [t.spec.parameter_assignments.assignments[0].value for _, t in sorted(katib.trials.items())]
    assert sorted(tried[:4]) == ["0.1", "0.2", "0.3", "0.4"]
    assert max(tried.count(value) for value in tried) - min(tried.count(value) for value in tried[:4]) <= 1


def test_trials_that_katib_asks_for_beyond_the_grid_repeat_it(controller):
    """Trials without a metric do not count when it asks, so it asks for more than its maximum."""
    katib = controller(small_experiment("grid", maximum=4), fates=(Condition.METRICSUNAVAILABLE,))
    while len(katib.trials) < 6:
        assert katib.reconcile(2)

    tried = [t.spec.parameter_assignments.assignments[0].value for _, t in sorted(katib.trials.items())]
    assert sorted(tried[:4]) == ["0.1", "0.2", "0.3", "0.4"]
    assert set(tried[4:]) <= set(tried[:4])


def test_without_a_maximum_a_space_that_is_used_up_is_the_end(controller):
    katib = controller(small_experiment("grid", maximum=0))
    while katib.reconcile(2):
        assert len(katib.trials) <= 4

    assert len(katib.trials) == 4
