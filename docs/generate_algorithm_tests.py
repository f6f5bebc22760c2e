"""Writes docs/algorithm-tests.md: ``python docs/generate_algorithm_tests.py``. A test fails if the page is stale, or
names a test that does not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from algorithms import ALGORITHMS

PAGE = Path(__file__).parent / "algorithm-tests.md"
HEAD = """# What shows that an algorithm keeps its promises

Made by `python docs/generate_algorithm_tests.py`; a test fails if one of the tests named here does not exist. Run one
with `python -m pytest "FILE::TEST"`.

The tests of the contract (`tests/contracts/algorithm_contract.py`) run over every algorithm twice: in this process
(`TestInProcess`) and behind a real gRPC service (`TestOverGrpc`). Their ids end in the algorithm's name.
"""
COLUMNS = (
    "settings validated",
    "in process = over gRPC",
    "restart-proof",
    "failed trials",
    "pending trials",
    "exhausted",
)

CONTRACT = "tests/algorithms/test_algorithm_contract.py::TestInProcess::"
REMOTE = "tests/suggestion_service/test_remote_contract.py::test_remote_and_local_answers_are_equal"
SETTINGS = "tests/algorithms/test_algorithms.py::test_bad_settings_name_the_path_the_value_and_what_was_expected"
MODELS = "tests/algorithms/test_model_based.py::"
PBT = "tests/algorithms/test_population_based_training.py::"
CMAES = "tests/algorithms/test_cma_es.py::"
AUTO = "tests/algorithms/test_auto.py::"
TPE = "tests/algorithms/test_tpe.py::"
ENAS = "tests/algorithms/enas/"
ARCHITECTURES = "tests/algorithms/architecture/test_search.py::"

# All but those that take a nasConfig alone, whose tests are in tests/algorithms/architecture.
SHOWN = [name for name in ALGORITHMS if name not in ("darts", "gp-nas")]

# What each column rests on for every algorithm; {} is its name.
COMMON: Mapping[str, tuple[str, ...]] = {
    "settings validated": (),
    "in process = over gRPC": (f"{REMOTE}[{{}}]",),
    "restart-proof": (
        f"{CONTRACT}test_a_restart_at_any_moment_changes_nothing[{{}}]",
        f"{CONTRACT}test_the_same_history_gives_the_same_answer[{{}}]",
    ),
    "failed trials": (
        f"{CONTRACT}test_failures_of_all_trials_do_not_end_the_search[{{}}]",
        f"{CONTRACT}test_a_failed_trial_that_runs_again_is_pending_again[{{}}]",
    ),
    "pending trials": (
        f"{CONTRACT}test_a_batch_equals_single_calls[{{}}]",
        f"{CONTRACT}test_a_batch_is_distinct_and_no_larger_than_asked[{{}}]",
    ),
    "exhausted": (),
}
USED_UP = f"{CONTRACT}test_a_finite_space_is_used_up_exactly[{{}}]"

# What else there is: algorithm -> column -> tests. A name without an id stands for all of its cases.
MORE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "random": {"settings validated": (SETTINGS,), "exhausted": (USED_UP,)},
    "grid": {
        "settings validated": ("tests/algorithms/test_grid.py::test_what_is_refused",),
        "failed trials": ("tests/algorithms/test_grid.py::test_what_others_proposed_is_not_tried_again",),
        "exhausted": (USED_UP, "tests/algorithms/test_grid.py::test_every_combination_comes_once_and_then_no_more"),
    },
    "sobol": {
        "settings validated": ("tests/algorithms/test_sobol.py::test_bad_settings",),
        "restart-proof": ("tests/algorithms/test_sobol.py::test_places_that_fall_on_a_tried_point_are_passed_over",),
        "exhausted": (USED_UP,),
    },
    **{
        name: {
            "settings validated": (f"{TPE}test_bad_settings",),
            "failed trials": (f"{MODELS}test_failures_are_avoided[{{}}]", f"{TPE}test_what_becomes_of_trials"),
            "pending trials": (f"{MODELS}test_many_workers_keep_apart[{{}}]",),
            "exhausted": (USED_UP,),
        }
        for name in ("tpe", "multivariate-tpe")
    },
    "cmaes": {
        "settings validated": (f"{CMAES}test_bad_settings", f"{CMAES}test_two_parameters_are_needed"),
        "restart-proof": ("tests/algorithms/test_cma_replay.py::test_carried_on_or_replayed_the_state_is_the_same",),
        "failed trials": (f"{CMAES}test_trials_without_a_value_rank_last_and_killed_ones_are_no_members",),
        "pending trials": (f"{CMAES}test_nothing_waits_for_a_trial_that_takes_long",),
        "exhausted": (USED_UP,),
    },
    "bayesianoptimization": {
        "settings validated": (SETTINGS,),
        "failed trials": ("tests/algorithms/test_bayesian_optimization.py::test_failures_are_avoided",),
        "pending trials": ("tests/algorithms/test_bayesian_optimization.py::test_many_workers_keep_apart",),
        "exhausted": (USED_UP,),
    },
    "auto": {
        "settings validated": (f"{AUTO}test_bad_settings",),
        "restart-proof": (f"{AUTO}test_the_choice", f"{AUTO}test_after_a_change_on_the_way_it_goes_on_from_the_best"),
        "failed trials": (f"{AUTO}test_failed_trials_do_not_count",),
        "pending trials": (f"{AUTO}test_after_a_change_on_the_way_it_goes_on_from_the_best",),
        "exhausted": (USED_UP,),
    },
    "hyperband": {
        "settings validated": (SETTINGS,),
        "failed trials": ("tests/algorithms/test_hyperband.py::test_failed_killed_and_valueless_trials_never_block",),
        "pending trials": (
            "tests/algorithms/test_hyperband.py::test_free_slots_go_to_the_next_bracket_while_a_rung_waits",
        ),
        "exhausted": ("tests/algorithms/test_hyperband.py::test_the_search_waits_at_its_end_and_then_ends",),
    },
    "regularized-evolution": {
        "settings validated": (SETTINGS,),
        "restart-proof": (f"{ARCHITECTURES}test_a_restart_at_any_moment_changes_nothing_and_nothing_comes_twice",),
        "exhausted": (USED_UP,),
    },
    "local-search": {
        "settings validated": (SETTINGS, "tests/algorithms/test_local_search.py::test_an_endless_space_is_refused"),
        "restart-proof": (f"{ARCHITECTURES}test_a_restart_at_any_moment_changes_nothing_and_nothing_comes_twice",),
        "pending trials": ("tests/algorithms/test_local_search.py::test_workers_try_neighbours_of_the_same_point",),
        "exhausted": (USED_UP,),
    },
    "enas": {
        "settings validated": (f"{ENAS}test_suggestion.py::test_bad_settings",),
        "restart-proof": (
            f"{ENAS}test_replay.py::test_carried_on_or_replayed_the_state_is_the_same",
            f"{ENAS}test_suggestion.py::test_a_restart_at_any_moment_changes_nothing_and_nothing_comes_twice",
        ),
        "failed trials": (f"{ENAS}test_replay.py::test_what_teaches_nothing",),
        "pending trials": (f"{ENAS}test_replay.py::test_what_teaches_nothing",),
        "exhausted": (USED_UP,),
    },
    "pbt": {
        "settings validated": (SETTINGS, f"{PBT}test_the_folder_of_a_trial_is_an_absolute_path"),
        "failed trials": (f"{PBT}test_a_member_that_failed_takes_over_a_good_one",),
        "pending trials": (f"{PBT}test_a_member_goes_on_while_others_still_run",),
        "exhausted": (f"{PBT}test_the_search_ends_where_every_point_was_tried_without_a_result",),
    },
}


def tests_of(algorithm: str, column: str) -> list[str]:
    """The tests of one cell."""
    return [name.format(algorithm) for name in (*COMMON[column], *MORE[algorithm].get(column, ()))]


def every_test() -> Iterator[str]:
    """All tests that the page names."""
    for algorithm in SHOWN:
        for column in COLUMNS:
            yield from tests_of(algorithm, column)


def page() -> str:
    """The whole page."""
    lines = [HEAD, f"| algorithm | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for algorithm in SHOWN:
        cells = ("<br>".join(map(_link, tests_of(algorithm, column))) for column in COLUMNS)
        lines.append(f"| `{algorithm}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[`{name.rpartition('::')[2]}`](../{path})"


if __name__ == "__main__":
    PAGE.write_text(page())
