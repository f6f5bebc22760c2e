"""Rivals search what they are said to search: those of this project's environment, and others where they have one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from algorithms.features import Feature
from benchmarks.search.contestants import ALIASES, contestant
from benchmarks.search.environments import NoEnvironmentError
from benchmarks.search.problems import ALL
from benchmarks.search.rivals import RIVALS, Rival, RivalKind, check_supported
from benchmarks.search.simulation import Conditions, simulate
from katib.core.constraints import Constraint
from katib.core.errors import AlgorithmError, SpecError, UnknownNameError
from katib.core.experiment import Budget
from katib.core.history import History
from tests.benchmarks.search.rival_runs import CONDITIONAL, CONSTRAINED, MIXED, REALS, SEVERAL, Run, played, spec_of

QUICK = ("optuna-tpe", "optuna-mtpe", "optuna-cmaes")  # of the project's own environment, and quick to import


def rivals(
    which: Callable[[RivalKind], bool] = lambda kind: True, seconds: Mapping[str, float] = MappingProxyType({})
) -> pytest.MarkDecorator:
    """A test for each of these rivals; slow but for the quick ones. ``seconds``: of those that need more."""
    chosen = []
    for name, kind in RIVALS.items():
        if which(kind):
            marks = [pytest.mark.requires(f"rival-{name}"), *([] if name in QUICK else [pytest.mark.slow])]
            marks += [pytest.mark.timeout(seconds[name])] if name in seconds else []
            chosen.append(pytest.param(name, marks=marks, id=name))
    return pytest.mark.parametrize("name", chosen)


def supporting(feature: Feature) -> Callable[[RivalKind], bool]:
    return lambda kind: feature in kind.supports


@rivals(seconds={"vizier": 1200})  # it compiles for each number of trials under way
def test_every_kind_of_parameter_with_trials_under_way_and_failures(name):
    """15 points inside the space, 4 under way at once, two of which fail; the same again by the same seed."""
    spec, failing = spec_of(MIXED, workers=4), frozenset({1, 6})
    first, second = played(name, spec, failing), played(name, spec, failing)
    assert len(first.points) == 15
    assert len({str(point) for point in first.points}) == 15
    assert all(MIXED.contains(point) for point in first.points)
    assert (first.points == second.points) is RIVALS[name].repeatable
    other = played(name, replace(spec, seed=12), failing)
    assert other.points != first.points


@rivals()
def test_it_learns_from_what_it_is_told(name):
    """After 25 trials on a bowl of 3 dimensions, the last ten are better than the first ten."""
    run = played(name, spec_of(REALS, trials=25))
    losses = [run.values(REALS, point)["loss"] for point in run.points]
    assert sum(sorted(losses[-10:])[:5]) < sum(sorted(losses[:10])[:5])


@rivals()
def test_conditional_parameters_have_a_value_where_they_are_active(name):
    run = played(name, spec_of(CONDITIONAL, trials=14), frozenset({0}))
    assert len(run.points) == 14
    assert len({point["kind"] for point in run.points}) > 1


@rivals(supporting(Feature.OUTCOME_CONSTRAINTS))
def test_outcome_constraints_are_told(name):
    assert len(played(name, spec_of(REALS, CONSTRAINED, trials=13), frozenset({2})).points) == 13


@rivals(supporting(Feature.OBJECTIVES))
def test_several_objectives_are_told(name):
    assert len(played(name, spec_of(REALS, SEVERAL, trials=13), frozenset({2})).points) == 13


@rivals()
def test_what_is_needed_to_tell_runs_apart_is_told(name):
    with Rival(name, spec_of(REALS)) as rival:
        assert all(version[0].isdigit() for version in rival.versions.values())
        assert rival.versions
        before = rival.seconds
        Run(spec_of(REALS, trials=2)).play(rival)
        assert 0 <= before < rival.seconds < 600


@pytest.mark.parametrize(
    ("name", "objective", "missing"),
    [
        pytest.param("hebo", SEVERAL, "several objectives", id="hebo-objectives"),
        pytest.param("hyperopt", CONSTRAINED, "constraints on metrics", id="hyperopt-constraints"),
        pytest.param("smac", CONSTRAINED, "constraints on metrics", id="smac-constraints"),
        pytest.param("optuna-cmaes", SEVERAL, "several objectives", id="cmaes-objectives"),
    ],
)
def test_what_a_rival_cannot_search_is_not_applicable(name, objective, missing):
    """Before its environment is looked for, so that a report can tell the one from the other."""
    with pytest.raises(SpecError, match=f"not applicable: {name} has no {missing}"):
        Rival(name, spec_of(REALS, objective))


def test_conditional_spaces_are_applicable_to_all():
    for name in RIVALS:
        check_supported(name, spec_of(CONDITIONAL))


def test_constraints_on_parameters_are_not_applicable():
    space = replace(REALS, constraints=(Constraint("x0 <= x1"),))
    with pytest.raises(SpecError, match="constraints on parameters"):
        check_supported("optuna-tpe", spec_of(space))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(replace(spec_of(REALS), seed=None), id="seed"),
        pytest.param(replace(spec_of(REALS), budget=Budget(1, None)), id="budget"),
    ],
)
def test_a_rival_needs_a_budget_and_a_seed(spec):
    with pytest.raises(SpecError, match="number of trials and a seed"):
        Rival("optuna-tpe", spec)


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'optuna-tpe'"):
        Rival("optuna-tpee", spec_of(REALS))


def test_a_rival_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("KATIB_BENCH_ENVIRONMENTS", str(tmp_path))
    with pytest.raises(NoEnvironmentError, match="katib bench install hebo"):
        Rival("hebo", spec_of(REALS))


def test_trials_of_others_are_refused():
    with Rival("optuna-tpe", spec_of(REALS)) as rival:
        run = Run(spec_of(REALS, trials=2)).play(rival)
        stranger = History(REALS, run.spec.objective, [replace(t, labels={}) for t in run.history.finished])
        with Rival("optuna-tpe", spec_of(REALS)) as other, pytest.raises(AlgorithmError, match="did not propose t0"):
            other.suggest(stranger, 1)


def test_several_suggestions_at_once_are_several_points():
    with Rival("optuna-tpe", spec_of(REALS)) as rival:
        proposal = rival.suggest(History(REALS, spec_of(REALS).objective), 5)
    assert len({str(each.parameters) for each in proposal.suggestions}) == 5
    assert not proposal.exhausted


@pytest.mark.requires("rival-optuna-auto")
@pytest.mark.parametrize(
    ("space", "chosen"),
    [pytest.param(REALS, "GPSampler", id="numbers"), pytest.param(MIXED, "TPESampler", id="categories"),
     pytest.param(CONDITIONAL, "TPESampler", id="conditions")],
)  # fmt: skip
def test_the_automatic_choice_goes_by_the_space(space, chosen):
    from benchmarks.search.adapters.optuna_samplers import Study
    from benchmarks.search.adapters.serve import Result, Setup
    from benchmarks.search.rival import described

    study = Study(Setup("auto", 1, 20, 1, described(space), 1, 0))
    for number in range(8):
        trial, _ = study.ask()
        study.tell([Result(trial, [math.sin(number)], [])])
    study.ask()
    assert type(study._study.sampler).__name__ == chosen


@pytest.mark.requires("rival-optuna-auto")
@pytest.mark.parametrize(
    ("objectives", "constraints", "chosen"),
    [
        pytest.param(1, 0, "CmaEsSampler", id="one"),
        pytest.param(1, 1, "TPESampler", id="constrained"),
        pytest.param(2, 0, "NSGAIISampler", id="two"),
    ],
)
def test_the_automatic_choice_goes_by_the_number_of_trials(objectives, constraints, chosen, monkeypatch):
    from benchmarks.search.adapters import optuna_samplers
    from benchmarks.search.adapters.serve import Result, Setup
    from benchmarks.search.rival import described

    monkeypatch.setattr(optuna_samplers, "_MOST_FOR_MODELS", 10)
    study = optuna_samplers.Study(Setup("auto", 1, 20, 1, described(REALS), objectives, constraints))
    for number in range(12):
        trial, point = study.ask()
        study.tell([Result(trial, [point["x0"] ** 2] * objectives, [-1.0 * number] * constraints)])
    study.ask()
    assert type(study._study.sampler).__name__ == chosen


def test_the_simulation_plays_rivals_by_name():
    assert {*ALIASES["fast-rivals"], *ALIASES["slow-rivals"]} == set(RIVALS)
    log = simulate(ALL["sphere-2d"](None), contestant("optuna-tpe"), Conditions(0, 6, 2))
    assert (log.algorithm, log.error, len(log.trials)) == ("optuna-tpe", "", 6)
    assert log.versions.keys() == {"optuna"}
    refused = simulate(ALL["zdt1"](None), contestant("optuna-cmaes"), Conditions(0, 6))
    assert refused.error.startswith("not applicable")


def test_the_page_tells_of_every_rival():
    page = (Path(__file__).parents[3] / "docs" / "search-benchmarks.md").read_text()
    told = dict(re.findall(r"^\| `([\w-]+)` \|(.*)$", page, re.MULTILINE))
    assert told.keys() >= RIVALS.keys()
    for name, kind in RIVALS.items():
        *_, conditions, constraints, objectives, _, _, seconds = told[name].strip(" |").split(" | ")
        assert float(seconds) == kind.seconds
        assert (constraints == "yes") is (Feature.OUTCOME_CONSTRAINTS in kind.supports)
        assert (objectives != "no") is (Feature.OBJECTIVES in kind.supports)
        assert (conditions != "flat") is (Feature.CONDITIONS in kind.supports)
    fast = re.search(r"`fast-rivals`\s+is short for (.*?), `slow-rivals`", page, re.DOTALL)
    assert tuple(re.findall(r"`([\w-]+)`", fast.group(1))) == ALIASES["fast-rivals"]
    assert not {*ALIASES["slow-rivals"]} & {*ALIASES["fast-rivals"]}
