"""A runner whose attempts do what a script says: the only way to make attempts vanish, wait or linger at will."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from katib.core.objective import Measurement
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass

Script = Callable[[Attempt], list[Update]]


def measured(value: float, metric: str = "objective") -> tuple[Measurement, ...]:
    return (Measurement(metric, value, str(value), 0.0),)


def ends(phase: Phase, value: float | None = None, **rest) -> Script:
    """Run once, then end in ``phase``."""

    def script(attempt: Attempt) -> list[Update]:
        reports = () if value is None else measured(value)
        return [
            Update(attempt.id, Phase.RUNNING),
            Update(attempt.id, phase, measurements=reports, **rest),
        ]

    return script


def lingers(attempt: Attempt) -> list[Update]:
    """Run until stopped."""
    return [Update(attempt.id, Phase.RUNNING)]


@dataclass
class ScriptedRunner:
    """Plays one update of each attempt's script a poll; the last one is repeated without its measurements."""

    script: Script
    started: list[Attempt] = field(default_factory=list)
    stopped: list[AttemptId] = field(default_factory=list)
    released: list[AttemptId] = field(default_factory=list)
    _plays: dict[AttemptId, list[Update]] = field(default_factory=dict)

    def start(self, attempt: Attempt) -> None:
        self.started.append(attempt)
        self._plays[attempt.id] = self.script(attempt)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        for id in cursors:
            play = self._plays.get(id)
            if not play:
                yield Update(id, Phase.LOST, reason="nothing is known of it", failure=FailureClass.LOST)
            elif len(play) > 1:
                yield play.pop(0)
            else:
                yield play[0]
                play[0] = Update(id, play[0].phase, play[0].reason, play[0].failure)

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        self.stopped.append(id)
        self._plays[id] = [Update(id, Phase.STOPPED)]

    def wait(self, timeout: float) -> None:
        pass

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        self.released.append(id)

    def close(self) -> None:
        pass
