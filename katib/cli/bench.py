"""``katib bench``: compare search algorithms, this project's and others', on the same problems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from algorithms import ALGORITHMS
from benchmarks.search.archive import FILE as ARCHIVE
from benchmarks.search.archive import pack
from benchmarks.search.campaign import Campaign, Ended, prepare, run
from benchmarks.search.contestants import ALIASES, contestant, expand, left_out
from benchmarks.search.environments import Environment, NoEnvironmentError, State, Status, install, status_of
from benchmarks.search.problems import ALL, problem
from benchmarks.search.rivals import RIVALS
from benchmarks.search.suites import SUITES, suite
from katib.cli.bench_screen import interrupted_by_signals, make_board
from katib.cli.exits import FAILED, INTERRUPTED, OK
from katib.cli.output import count, print_object, print_table
from katib.cli.workshop import output_option
from katib.core.errors import SpecError, UnknownNameError
from katib.core.naming import load

REPORT = "benchmarks.search.report.write:write_report"
SHOWN_ERRORS = 10  # different ones that are told at the end


class Names(click.ParamType):  # type: ignore[type-arg]
    """``a,b,c``."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """The names in order."""
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
        if not all(names):
            self.fail(f"got {value!r}, expected names with a comma between them", param, ctx)
        return names


class Seeds(click.ParamType):  # type: ignore[type-arg]
    """``10`` for the seeds 0 to 9, ``10-19`` for those."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The seeds."""
        if isinstance(value, range):
            return value
        match = re.fullmatch(r"(?:(\d+)-)?(\d+)", str(value).strip())
        seeds = range(0)
        if match:
            first, last = match.groups()
            seeds = range(int(last)) if first is None else range(int(first), int(last) + 1)
        if not seeds:
            self.fail(f"got {value!r}, expected how many, or the first and the last: 10-19", param, ctx)
        return seeds


@click.group(short_help="Compare search algorithms with each other and with other systems")
def bench() -> None:
    """Compare search algorithms on the same problems, this project's and those of other systems."""


@bench.command("list", short_help="List suites, problems and algorithms")
@output_option("table", "json", "yaml")
def list_(output: str) -> int:
    """List suites and problems, and the algorithms that can be compared on them."""
    suites = [{"name": name, "problems": list(names)} for name, names in SUITES.items()]
    problems = [{"name": name, "family": entry.family, "data": entry.needs_data} for name, entry in ALL.items()]
    rows = [(name, entry.family, "yes" if entry.needs_data else "", _suites_of(name)) for name, entry in ALL.items()]
    algorithms = [{"name": name, "kind": "ours", "state": "", "about": ""} for name in sorted(ALGORITHMS)]
    algorithms += [_rival(name) for name in RIVALS]
    algorithms += [
        {"name": name, "kind": "short", "state": "", "about": ", ".join(names)} for name, names in ALIASES.items()
    ]
    if output != "table":
        print_object({"suites": suites, "problems": problems, "algorithms": algorithms}, output)
        return OK
    print_table(("SUITE", "PROBLEMS"), [(name, str(len(names))) for name, names in SUITES.items()])
    click.echo()
    print_table(("PROBLEM", "FAMILY", "DATA", "SUITES"), rows)
    click.echo()
    print_table(("ALGORITHM", "KIND", "STATE", "ABOUT"), [tuple(entry.values()) for entry in algorithms])
    return OK


def _rival(name: str) -> dict[str, str]:
    state, detail = status_of(RIVALS[name].environment)
    return {
        "name": name,
        "kind": "rival",
        "state": state.value,
        "about": " ".join(detail.split()) or RIVALS[name].about,
    }


def _suites_of(name: str) -> str:
    return ", ".join(suite for suite, names in SUITES.items() if name in names)


@bench.command("run", short_help="Run algorithms on the problems of a suite")
@click.option("--suite", "suite_name", required=True, metavar="NAME", help="Suite of problems, or one problem")
@click.option("--algorithms", "names", type=Names(), required=True, metavar="A,B,...", help="Algorithms, see list")
@click.option("--budget", type=click.IntRange(1), default=100, show_default=True, help="Trials of each run")
@click.option(
    "--seeds", type=Seeds(), default="10", show_default=True, metavar="NUMBER|FIRST-LAST", help="Repeats of each run"
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Trials at a time")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where the logs go; runs that have theirs are not run again",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    envvar="KATIB_BENCH_DATA", help="Data of the problems that need some  [default: $KATIB_BENCH_DATA]",
)  # fmt: skip
@click.option(
    "--problems",
    type=Names(),
    metavar="P,Q,...",
    help="These problems of the suite only; another suite's name stands for all of its problems",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes, each with one thread")
@click.option("--limit-minutes", type=click.FloatRange(0, min_open=True), metavar="MINUTES", help="End longer runs")
@click.option("--retry-errors", is_flag=True, help="Run again what ended with an error")
def run_(folder: Path, jobs: int, retry_errors: bool, **options: Any) -> int:
    """Run each algorithm on each problem with each seed, and write a log of each run into DIR.

    Runs that have their log are left out, so the same command goes on after an interruption, and more seeds or
    algorithms may be added. A setting of an algorithm follows its name: tpe:n_startup_trials=5.

    \b
    Examples:
      katib bench run --suite quick --algorithms random,tpe --budget 50 --seeds 5 --out results
      katib bench run --suite tuning --algorithms ours,optuna-gp --workers 8 --jobs 4 --out results
    """
    campaign = _campaign(folder, **options)
    prepare(campaign, problem)
    tasks = campaign.open_tasks(retry_errors=retry_errors)
    total, ended = len(list(campaign.tasks())), []
    try:
        with interrupted_by_signals(), make_board(tasks, total, jobs) as board:
            for each in run(campaign, problem, tasks, jobs):
                ended.append(each)
                board.show(each)
    except KeyboardInterrupt:
        done = total - len(tasks) + len(ended)
        click.echo(f"interrupted: {done} of {count(total, 'run')} done; the same command goes on", err=True)
        return INTERRUPTED
    _tell(ended)
    click.echo(f"{count(total, 'run')} in {folder}; compare them with: katib bench report {folder}")
    return OK


def _campaign(
    folder: Path, suite_name: str, names: Sequence[str], problems: Sequence[str] | None, **options: Any
) -> Campaign:
    """What the options ask for. Raises UnknownNameError and SpecError on names that mean nothing."""
    of_suite = suite(suite_name)
    chosen = list(dict.fromkeys(each for name in problems or of_suite for each in SUITES.get(name, (name,))))
    for name in chosen:
        if name not in of_suite:
            raise UnknownNameError(f"problem of the suite {suite_name!r}", name, of_suite)
    try:
        algorithms = [contestant(name).name for name in expand(names)]
        for name, reason in left_out(names).items():
            click.echo(f"warning: --algorithms: {name} is left out: {reason}", err=True)
    except SpecError as error:
        raise SpecError(error.problems, source="--algorithms") from error
    options["minutes"] = options.pop("limit_minutes")
    return Campaign(folder, suite_name, chosen, algorithms, **options)


def _tell(ended: Sequence[Ended]) -> None:
    """Errors, each kind once, to standard error."""
    by_text: dict[tuple[str, str], list[Ended]] = {}
    for each in ended:
        if each.error:
            by_text.setdefault((each.task.algorithm, each.error), []).append(each)
    for (algorithm, text), those in list(by_text.items())[:SHOWN_ERRORS]:
        where = sorted({each.task.problem for each in those})
        click.echo(f"warning: {algorithm}: {text} ({count(len(those), 'run')}: {', '.join(where)})", err=True)
    if len(by_text) > SHOWN_ERRORS:
        click.echo(f"warning: {count(len(by_text) - SHOWN_ERRORS, 'further error')}, see the logs", err=True)


@bench.command("report", short_help="Tables, plots and a page out of the logs")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where it goes  [default: DIR/report]",
)
@click.option("--algorithms", type=Names(), metavar="A,B,...", help="These only, short names too")
def report(folder: Path, out: Path | None, algorithms: Sequence[str] | None) -> int:
    """Compare the algorithms whose logs are in DIR.

    On a problem the seeds count that all of them have.
    """
    for path in load("report", REPORT, {})(folder, out or folder / "report", algorithms):
        click.echo(f"wrote {path}")
    return OK


@bench.command("pack", short_help="Put logs into one small file")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR")
def pack_(folder: Path) -> int:
    """Move the logs in DIR into one small file, DIR/runs.jsonl.xz, without the parameters of the trials.

    Reports read it, and its runs count as done, so it is what is published and what goes to another machine.
    """
    click.echo(f"{count(pack(folder), 'run')} in {folder / ARCHIVE}")
    return OK


@bench.command("install", short_help="Install rivals")
@click.argument("names", nargs=-1, required=True, metavar="RIVAL...")
def install_(names: tuple[str, ...]) -> int:
    """Install other systems to compare with, each with pinned versions in an environment of its own.

    RIVAL is a name out of the list, or all. An installation that failed is tried again; exits with 1 if one fails.

    \b
    Examples:
      katib bench install hebo smac
      katib bench install all
    """
    known = {name: kind.environment for name, kind in RIVALS.items()}
    known |= {environment.name: environment for environment in known.values()}
    chosen = list(RIVALS) if names == ("all",) else names
    for name in chosen:
        if name not in known:
            raise UnknownNameError("rival", name, known)
    states: dict[str, Status] = {}
    for name in chosen:
        environment = known[name]
        if environment.name not in states:
            click.echo(f"{name}: installing {environment.name}", err=True)
            states[environment.name] = _installed(environment)
        state, detail = states[environment.name]
        click.echo(": ".join(filter(None, (name, state.value, detail))))
    return OK if all(state is State.INSTALLED for state, _ in states.values()) else FAILED


def _installed(environment: Environment) -> Status:
    try:
        return install(environment)
    except NoEnvironmentError as error:  # packages of this installation, which others may be run without
        return Status(State.ABSENT, str(error))
