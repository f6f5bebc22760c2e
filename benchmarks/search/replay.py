"""Players around players: one that keeps what was suggested, one that suggests given points before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.search.player import Contestant, Player
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal, Suggestion


class _Around:
    """A player that passes everything on."""

    def __init__(self, inner: Player) -> None:
        self._inner = inner

    @property
    def seconds(self) -> float:
        """As of the inner one."""
        return self._inner.seconds

    @property
    def versions(self) -> Mapping[str, str]:
        """As of the inner one."""
        return self._inner.versions

    def suggest(self, history: History, count: int) -> Proposal:
        """As of the inner one."""
        return self._inner.suggest(history, count)

    def close(self) -> None:
        """As of the inner one."""
        self._inner.close()


class Recorder(_Around):
    """Adds every suggestion to a list."""

    def __init__(self, inner: Player, made: list[Suggestion]) -> None:
        super().__init__(inner)
        self._made = made

    def suggest(self, history: History, count: int) -> Proposal:
        """As of the inner one."""
        proposal = self._inner.suggest(history, count)
        self._made += proposal.suggestions
        return proposal


class Replay(_Around):
    """Suggests given points first, one at a time, and is not told of it; then what the inner one suggests."""

    def __init__(self, inner: Player, made: Sequence[Suggestion]) -> None:
        super().__init__(inner)
        self._made = made

    def suggest(self, history: History, count: int) -> Proposal:
        """The next given point, while there is one."""
        number = history.next_number
        return Proposal((self._made[number],)) if number < len(self._made) else self._inner.suggest(history, count)


def replaying(contestant: Contestant, made: Sequence[Suggestion]) -> Contestant:
    """The contestant, which finds itself behind a search that has made these suggestions."""

    def create(spec: ExperimentSpec) -> Player:
        return Replay(contestant.create(spec), made)

    return replace(contestant, create=create)
