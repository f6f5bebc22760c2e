"""What takes part in a benchmark: an algorithm of ours or a rival, as the simulation meets both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal


class Player(Protocol):
    """An ``Algorithm`` whose time is known.

    seconds: of wall-clock time that all suggestions so far took, what it does with results included. versions: of what
    does the work, by package.
    """

    @property
    def seconds(self) -> float: ...

    @property
    def versions(self) -> Mapping[str, str]: ...

    def suggest(self, history: History, count: int) -> Proposal:
        """As of ``Algorithm``."""
        ...

    def close(self) -> None:
        """Give up what it holds, its process above all."""
        ...


@dataclass(frozen=True, slots=True)
class Contestant:
    """name: unique, and fit for the name of a folder. create: what plays one experiment; raises KatibError where the
    algorithm cannot search it. learns_from_all: from trials too that it did not propose itself."""

    name: str
    create: Callable[[ExperimentSpec], Player]
    learns_from_all: bool = True
