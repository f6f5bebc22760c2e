"""``enas`` as a service: Katib's two texts for its examples, restarts, learning, bad settings. The contract of all
algorithms has the rest (tests/contracts/algorithm_contract.py)."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from algorithms import create_algorithm, settings_of
from katib.core.errors import SpecError
from katib.core.trial import TrialState
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.server import serve
from tests.algorithms.architecture.experiments import (
    CHAIN,
    FAMILIES,
    check_restarts,
    example,
    simulation,
    spec,
)
from tests.contracts.simulation import Simulation

pytestmark = pytest.mark.requires("torch")

KATIBS = {
    "controller_hidden_size": 64, "controller_temperature": 5.0, "controller_tanh_const": 2.25,
    "controller_entropy_weight": 1e-5, "controller_baseline_decay": 0.999, "controller_learning_rate": 5e-5,
    "controller_skip_target": 0.4, "controller_skip_weight": 0.8, "controller_train_steps": 5,
    "controller_log_every_steps": 10,
}  # fmt: skip
OR_NONE = (
    "controller_temperature", "controller_tanh_const", "controller_entropy_weight", "controller_skip_weight",
)  # fmt: skip


@pytest.fixture(scope="module")
def address():
    server = serve("127.0.0.1:0")
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


@pytest.mark.parametrize("where", ["in-process", "grpc"])
@pytest.mark.parametrize(("name", "layers", "operations"), [("enas", 2, 8), ("enas-large", 8, 48)])
def test_katibs_examples(address, where, name, layers, operations):
    made = example(name)
    searched = Simulation(made, lambda parameters: len(parameters["nn_config"]) / 1000)

    def fresh():
        return create_algorithm(made) if where == "in-process" else RemoteAlgorithm(made, address)

    algorithm = fresh()
    for fate in (TrialState.SUCCEEDED, TrialState.FAILED, TrialState.SUCCEEDED):
        answer = algorithm.suggest(searched.history, 2)
        restarted = create_algorithm(made).suggest(searched.restarted(), 2)
        assert answer == restarted
        for trial in searched.start(answer.suggestions):
            check_texts(trial.parameters, layers, operations)
            searched.evaluate(trial.number, fate)
    assert len({trial.parameters["architecture"] for trial in searched.history.trials.values()}) == 6


def check_texts(parameters, layers, operations):
    """The form in which Katib's trial image takes them."""
    assert list(parameters) == ["architecture", "nn_config"]
    rows = ast.literal_eval(parameters["architecture"])
    assert parameters["architecture"] == str(rows)
    assert [len(row) for row in rows] == list(range(1, layers + 1))
    assert all(0 <= number < operations and set(skips) <= {0, 1} for number, *skips in rows)
    network = json.loads(parameters["nn_config"].replace("'", '"'))
    assert list(network) == ["num_layers", "input_sizes", "output_sizes", "embedding"]
    assert (network["num_layers"], network["input_sizes"], network["output_sizes"]) == (layers, [32, 32, 3], [10])
    assert sorted(map(int, network["embedding"])) == sorted({number for number, *_ in rows})
    for number, entry in network["embedding"].items():
        assert list(entry) == ["opt_id", "opt_type", "opt_params"]
        assert entry["opt_id"] == int(number)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_restart_at_any_moment_changes_nothing_and_nothing_comes_twice(family):
    check_restarts(simulation(FAMILIES[family], "enas"))


@pytest.mark.parametrize(
    ("family", "trials", "share"), [("nasbench201", 100, 0.55), ("cells", 100, 0.5), ("chain", 30, 0.55)]
)
def test_it_learns(family, trials, share):
    """The newest trials are better by far than random ones, of which a fifth to a third of the choices are right."""
    searched = simulation(FAMILIES[family], "enas")
    searched.run(create_algorithm(searched.spec), trials)
    newest = [searched.function(searched.history.trials[trials - 1 - place].parameters) for place in range(10)]
    assert sum(newest) / len(newest) > share


@pytest.mark.parametrize("given", [KATIBS, dict.fromkeys(OR_NONE)], ids=["katibs", "none"])
def test_katibs_settings(given):
    searched = simulation(CHAIN, "enas", **given)
    searched.run(create_algorithm(searched.spec), 6)
    assert len(searched.history) == 6


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("controller_hidden_size", "0", "an integer, at least 1"),
        ("controller_hidden_size", "1.5", "an integer, at least 1"),
        ("controller_temperature", "0", "a number, greater than 0, or None"),
        ("controller_tanh_const", "-1", "a number, greater than 0, or None"),
        ("controller_entropy_weight", "none", "a number, greater than 0, or None"),
        ("controller_baseline_decay", "0", "a number, at most 1, greater than 0"),
        ("controller_baseline_decay", "1.1", "a number, at most 1, greater than 0"),
        ("controller_learning_rate", "None", "a number, at most 1, greater than 0"),
        ("controller_skip_target", "0.0", "a number, at most 1, greater than 0"),
        ("controller_skip_weight", "x", "a number, greater than 0, or None"),
        ("controller_train_steps", "0", "an integer, at least 1"),
        ("controller_log_every_steps", "0", "an integer, at least 1"),
        ("controller_log_steps", "10", "has no such setting"),
        ("num_nodes", "0", "an integer, at least 1"),
    ],
)
def test_bad_settings(name, text, expected):
    with pytest.raises(SpecError) as caught:
        create_algorithm(spec(CHAIN, "enas", **{name: text}))
    (problem,) = caught.value.problems
    assert problem.path == f"spec.algorithm.algorithmSettings[{name}]"
    assert expected in problem.message


def test_katibs_names_and_no_others():
    assert [info.name for info in settings_of("enas")] == [*KATIBS, "random_state"]


def test_without_an_architecture_and_without_parameters():
    with pytest.raises(SpecError, match="nasConfig"):
        create_algorithm(spec(None, "enas"))


def test_missing_pytorch_is_told_by_the_extra():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from algorithms import create_algorithm, settings_of\n"
        "from tests.algorithms.architecture.experiments import CHAIN, spec\n"
        "settings_of('enas')\n"
        "create_algorithm(spec(CHAIN, 'random'))\n"
        "try: create_algorithm(spec(CHAIN, 'enas'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError package 'torch' is not installed")
    assert "katib-engine[nas]" in done.stdout
