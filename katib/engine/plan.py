"""What to do next: a pure function of the budget, the counts and the active trials. docs/accounting.md has the table
that these rules follow; ``tests/engine/test_plan.py`` is made from it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from katib.core.experiment import Budget, Desired, Verdict
from katib.core.trial import Stop, Trial, TrialState

# State of a Stop that ends an attempt but not its trial: the trial waits for its next attempt.
INTERRUPTED = TrialState.PENDING


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts that decide the end. lost: failed trials whose attempts were all lost; they spend no failure budget.
    goal_reached: some finished trial's value reached the goal. exhausted: the algorithm has nothing more to propose.
    time_up: the experiment has run as long as it may. error: why the search cannot go on, if it cannot."""

    counts: Mapping[TrialState, int] = field(default_factory=dict)
    lost: int = 0
    goal_reached: bool = False
    exhausted: bool = False
    time_up: bool = False
    error: str = ""

    @property
    def completed(self) -> int:
        """Trials that count for ``maxTrialCount``: every finished one."""
        return sum(count for state, count in self.counts.items() if state.finished)

    @property
    def failed(self) -> int:
        """Trials that count for ``maxFailedTrialCount``."""
        counts = self.counts
        return counts.get(TrialState.FAILED, 0) - self.lost + counts.get(TrialState.METRICS_UNAVAILABLE, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """start: numbers of pending trials to start. ask: how many suggestions there is room for. stop: number -> how its
    trial ends. verdict: how the experiment ends. done: nothing is active any more, so the end can be recorded."""

    start: tuple[int, ...] = ()
    ask: int = 0
    stop: Mapping[int, Stop] = field(default_factory=dict)
    verdict: Verdict | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """now: seconds since the epoch; a trial that waits for its next attempt starts no sooner than it may. draining:
    this process wants to leave; running trials end by themselves, none is started. launched: numbers of trials that
    the runner was given, also those that it has not begun yet."""

    now: float = 0.0
    draining: bool = False
    launched: Container[int] = ()


def plan(budget: Budget, tally: Tally, active: Iterable[Trial], desired: Desired, moment: Moment | None = None) -> Plan:
    """The next step at ``moment``, now if it is left out and nothing was launched."""
    moment = moment or Moment()
    trials = sorted(active, key=lambda t: t.number)
    running = [t for t in trials if t.state is TrialState.RUNNING]
    ended = verdict(budget, tally, active=len(trials))
    if desired is not Desired.RUN:
        stop = {t.number: Stop(INTERRUPTED, f"{desired.value.lower()} was asked for") for t in running if not t.stop}
        return Plan(stop=stop, done=not running)
    if ended is not None:
        over = Stop(TrialState.KILLED, f"the experiment is over: {ended.value}")
        return Plan(stop={t.number: over for t in trials if not t.stop}, verdict=ended, done=not trials)
    if moment.draining:
        return Plan(done=not running)
    waiting = [t for t in trials if t.state is not TrialState.RUNNING and t.number not in moment.launched]
    ready = [t.number for t in waiting if (t.not_before or 0.0) <= moment.now]
    start = tuple(ready[: max(0, budget.parallel - (len(trials) - len(waiting)))])
    return Plan(start=start, ask=0 if tally.exhausted else _room(budget, tally, len(trials)))


def verdict(budget: Budget, tally: Tally, active: int) -> Verdict | None:
    """How the experiment ends by its counts, None if it goes on. The first that holds, in Katib's order."""
    if tally.goal_reached:
        return Verdict.GOAL_REACHED
    if tally.error or (budget.max_failed is not None and tally.failed >= max(budget.max_failed, 1)):
        return Verdict.FAILED
    if budget.max_trials is not None and tally.completed >= budget.max_trials:
        return Verdict.MAX_TRIALS_REACHED
    if tally.time_up:
        return Verdict.MAX_DURATION_REACHED
    if tally.exhausted and not active:
        return Verdict.SEARCH_EXHAUSTED
    return None


def _room(budget: Budget, tally: Tally, active: int) -> int:
    wanted = budget.parallel
    if budget.max_trials is not None:
        wanted = min(wanted, budget.max_trials - tally.completed)
    return max(0, wanted - active)
