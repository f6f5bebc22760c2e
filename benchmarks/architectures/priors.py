"""``gp-nas`` with a score of the untrained network in place of its size: rivals of ``prior: size``, with whose settings
they are made. Needs the extra ``nas``."""

from __future__ import annotations

from functools import cache

from algorithms.architecture.nasbench201 import ARCHITECTURE
from algorithms.gp_nas.encoding import Describer, Description, Row
from algorithms.gp_nas.searcher import Searcher
from algorithms.gp_nas.suggestion import GPNAS
from algorithms.networks.zero_cost import score


class NaswotDescriber(Describer):
    """Has scores for sizes."""

    score = "naswot"

    def of(self, row: Row) -> Description:
        """The architecture of some choices."""
        cell = str(self._architectures.assignments(self.point(row))[ARCHITECTURE])
        return super().of(row)._replace(size=_scored(self.score, cell))


class SynflowDescriber(NaswotDescriber):
    """Has scores for sizes."""

    score = "synflow"


class NaswotSearcher(Searcher):
    """Goes by scores."""

    describer = NaswotDescriber


class SynflowSearcher(Searcher):
    """Goes by scores."""

    describer = SynflowDescriber


class NaswotPrior(GPNAS):
    """``gp-nas`` with the score ``naswot``."""

    searcher = "benchmarks.architectures.priors:NaswotSearcher"


class SynflowPrior(GPNAS):
    """``gp-nas`` with the score ``synflow``."""

    searcher = "benchmarks.architectures.priors:SynflowSearcher"


@cache
def _scored(name: str, cell: str) -> float:
    """Kept for all searches of a process: the same cells come again and again."""
    return score(name, cell)
