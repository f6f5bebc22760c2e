"""The tables of algorithms and early-stopping rules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from algorithms import ALGORITHMS, STOPPERS, create_algorithm, create_stopper, settings_of
from algorithms.random_search import RandomSearch
from katib.core.errors import SpecError, UnknownNameError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Key

HEAVY = ("skopt", "sklearn", "scipy.stats", "optuna", "cmaes", "torch", "grpc", "sqlalchemy")
SPACE = SearchSpace((Real("x", 0, 1), Integer("epochs", 1, 9), Choice("c", ("a", "b"))))


def spec(name: str, settings: dict[str, str] | None = None, stopper: Component | None = None) -> ExperimentSpec:
    return ExperimentSpec(Key("d", "e"), SPACE, Objective("loss"), Component(name, settings or {}), stopper=stopper)


def test_unknown_names_are_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'hyperband'"):
        create_algorithm(spec("hyperbnd"))
    with pytest.raises(UnknownNameError, match="did you mean 'medianstop'"):
        create_stopper(spec("random", stopper=Component("medianstopp")))
    with pytest.raises(UnknownNameError):
        settings_of("no-such-thing")


def test_no_stopper_unless_asked_for() -> None:
    assert create_stopper(spec("random")) is None
    assert create_stopper(spec("random", stopper=Component("medianstop"))) is not None


def test_an_algorithm_from_elsewhere_is_used_by_module_and_class() -> None:
    assert isinstance(create_algorithm(spec("algorithms.random_search:RandomSearch")), RandomSearch)


@pytest.mark.parametrize(
    ("algorithm", "settings", "complaints"),
    [
        pytest.param("random", {"random_state": "-1"}, ["[random_state]: got '-1', expected an integer, at least 0"]),
        pytest.param("random", {"random_state": "x"}, ["got 'x', expected an integer"]),
        pytest.param("random", {"random_sate": "1"}, ["[random_sate]: random has no", "did you mean 'random_state'?"]),
        pytest.param(
            "bayesianoptimization", {"base_estimator": "SVM"}, ["[base_estimator]: got 'SVM', expected one of GP, RF"]
        ),
        pytest.param("bayesianoptimization", {"n_initial_points": "-1"}, ["got '-1', expected an integer, at least 0"]),
        pytest.param("bayesianoptimization", {"acq_func": "UCB"}, ["[acq_func]", "'UCB'", "gp_hedge, LCB, EI, PI"]),
        pytest.param("bayesianoptimization", {"acq_optimizer": "adam"}, ["[acq_optimizer]", "auto, sampling, lbfgs"]),
        pytest.param(
            "bayesianoptimization", {"acq_optimizer": "lbfgs", "base_estimator": "RF"}, ["needs base_estimator GP"]
        ),
        pytest.param("hyperband", {}, ["needs the setting 'r_l'", "needs the setting 'resource_name'"]),
        pytest.param("hyperband", {"r_l": "0", "resource_name": "epochs"}, ["[r_l]: got '0'", "greater than 0"]),
        pytest.param("hyperband", {"r_l": "inf", "resource_name": "epochs"}, ["[r_l]: got 'inf'"]),
        pytest.param(
            "hyperband", {"r_l": "9", "resource_name": "epoch"}, ["[resource_name]: got 'epoch'", "x, epochs"]
        ),
        pytest.param("hyperband", {"r_l": "9", "resource_name": "c"}, ["[resource_name]: got 'c'"]),
        pytest.param(
            "hyperband", {"r_l": "9", "resource_name": "epochs", "eta": "1"}, ["[eta]: got '1'", "at least 2"]
        ),
        pytest.param("hyperband", {"r_l": "9", "resource_name": "epochs", "eta": "nan"}, ["[eta]: got 'nan'"]),
        pytest.param("regularized-evolution", {"sample_size": "0"}, ["[sample_size]: got '0'", "at least 1"]),
        pytest.param("local-search", {"initial_point": "4"}, ["did you mean 'initial_points'?"]),
        pytest.param("gp-nas", {"initial_points": "1"}, ["[initial_points]: got '1'", "at least 2"]),
        pytest.param("pbt", {}, ["needs the setting 'n_population'", "needs the setting 'truncation_threshold'"]),
        pytest.param("pbt", {"n_population": "4"}, ["[n_population]: got '4', expected an integer, at least 5"]),
        pytest.param("pbt", {"n_population": "many"}, ["[n_population]: got 'many'"]),
        pytest.param("pbt", {"truncation_threshold": "1.5"}, ["got '1.5', expected a number, at least 0, at most 1"]),
        pytest.param("pbt", {"truncation_threshold": "-0.1"}, ["[truncation_threshold]: got '-0.1'"]),
        pytest.param("pbt", {"truncation_threshold": "nan"}, ["[truncation_threshold]: got 'nan'"]),
        pytest.param("pbt", {"resample_probability": "1.01"}, ["[resample_probability]: got '1.01'"]),
        pytest.param("pbt", {"resample_probabilty": "0.5"}, ["did you mean 'resample_probability'?"]),
    ],
)
def test_bad_settings_name_the_path_the_value_and_what_was_expected(
    algorithm: str, settings: dict[str, str], complaints: list[str]
) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(spec(algorithm, settings))
    assert str(caught.value).startswith("spec.algorithm.algorithmSettings")
    for complaint in complaints:
        assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"min_trials_required": "0"}, "[min_trials_required]: got '0', expected an integer, at least 1"),
        pytest.param({"start_step": "0"}, "[start_step]: got '0'"),
        pytest.param({"start_steps": "3"}, "did you mean 'start_step'?"),
    ],
)
def test_bad_stopper_settings_are_placed_under_early_stopping(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_stopper(spec("random", stopper=Component("medianstop", settings)))
    assert str(caught.value).startswith("spec.earlyStopping.algorithmSettings")
    assert complaint in str(caught.value)


def test_every_entry_describes_its_settings() -> None:
    for name in {**ALGORITHMS, **STOPPERS}:
        infos = settings_of(name)
        assert infos
        for info in infos:
            assert info.help
            assert info.expected
            if not info.required and info.default is not None:
                assert info.read(str(info.default)) == info.default


def test_katibs_settings_and_defaults() -> None:
    table = {name: {i.name: i.default for i in settings_of(name)} for name in {**ALGORITHMS, **STOPPERS}}
    tpe = {
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "n_EI_candidates": None,
        "gamma": None,
        "prior_weight": 1.0,
        "random_state": None,
    }
    assert table == {
        "random": {"random_state": None},
        "grid": {"random_state": None},
        "sobol": {"random_state": None},
        **dict.fromkeys(("tpe", "multivariate-tpe"), tpe),
        "cmaes": {
            "sigma": None,
            "restart_strategy": "none",
            "population_size": None,
            "inc_popsize": 2,
            "variant": "auto",
            "random_state": None,
        },
        "auto": {"few_points": 10, "many_trials": 1000, "random_state": None},
        "bayesianoptimization": {
            "engine": "auto",
            "base_estimator": "GP",
            "n_initial_points": None,  # 10 with skopt, as Katib has it
            "acq_func": "gp_hedge",
            "acq_optimizer": "auto",
            "random_state": None,
        },
        "regularized-evolution": {"population_size": 30, "sample_size": 10, "random_state": None},
        "local-search": {"initial_points": 10, "random_state": None},
        "enas": {
            "controller_hidden_size": 64, "controller_temperature": 5.0, "controller_tanh_const": 2.25,
            "controller_entropy_weight": 1e-5, "controller_baseline_decay": 0.95,  # 0.999 in Katib
            "controller_learning_rate": 0.01,  # 5e-5 in Katib, for 50 steps
            "controller_skip_target": 0.4, "controller_skip_weight": 0.8, "controller_train_steps": 1,
            "controller_log_every_steps": 10, "random_state": None,
        },
        "gp-nas": {"resource_name": "", "r_l": None, "eta": 8, "prior": "none", "initial_points": 10,
            "random_state": None},
        "darts": {
            "num_epochs": 50, "w_lr": 0.025, "w_lr_min": 0.001, "w_momentum": 0.9, "w_weight_decay": 3e-4,
            "w_grad_clip": 5.0, "alpha_lr": 3e-4, "alpha_weight_decay": 1e-3, "batch_size": 128, "num_workers": 4,
            "init_channels": 16, "print_step": 50, "num_nodes": 4, "stem_multiplier": 3,
            # ours, which Katib's trial images are told only where they are set
            "preset": None, "order": None, "sampling": None, "partial_channels": None, "edge_normalisation": None,
            "auxiliary_skip": None, "skip_until": None, "warm_up": None, "selection": None, "most_skips": None,
            "zero_one": None,
            "stop_at_collapse": "off", "candidates": 3, "candidate_epochs": None, "retrain_epochs": 60,
        },
        "hyperband": {"r_l": None, "resource_name": None, "eta": 3},
        "pbt": {
            "n_population": None,
            "truncation_threshold": None,
            "resample_probability": 0.0,
            "suggestion_trial_dir": None,
        },
        "medianstop": {"min_trials_required": 3, "start_step": 4},
    }  # fmt: skip


def test_settings_are_read_without_loading_any_search_library() -> None:
    program = (
        "import sys, algorithms\n"
        "for name in (*algorithms.ALGORITHMS, *algorithms.STOPPERS): algorithms.settings_of(name)\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
