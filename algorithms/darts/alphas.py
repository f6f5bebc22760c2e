"""The architecture of a supernet as numbers: alpha, one for each operation of each edge (Liu, Simonyan & Yang 2019,
"DARTS", section 2.2), and beta, one for each edge, where edges are normalised (Xu et al. 2020, "PC-DARTS", section
3.3). All normal cells share theirs, and so do all reduction cells.
"""

from __future__ import annotations

from algorithms.darts.wiring import NORMAL, REDUCE, SKIPS, SupernetShape, edges_of
from katib.core.errors import MissingExtraError

try:
    import torch
    from torch import nn
except ModuleNotFoundError as error:  # the first module of a search that needs it
    raise MissingExtraError("torch", "nas") from error

SPREAD = 1e-3  # standard deviation at the beginning


class Alphas(nn.Module):
    """operations: of each kind of cell, (edges, operations). edges: (edges,); empty where edges are not normalised."""

    def __init__(self, shape: SupernetShape, *, edge_normalisation: bool, seed: int) -> None:
        super().__init__()
        self.nodes, self.names, self.auxiliary_skip = shape.nodes, shape.operations, shape.auxiliary_skip
        generator = torch.Generator().manual_seed(seed)
        edges = len(edges_of(shape.nodes))

        def drawn(*size: int) -> nn.Parameter:
            return nn.Parameter(SPREAD * torch.randn(size, generator=generator))

        self.operations = nn.ParameterDict({kind: drawn(edges, len(self.names)) for kind in (NORMAL, REDUCE)})
        normalised = (NORMAL, REDUCE) if edge_normalisation else ()
        self.edges = nn.ParameterDict({kind: drawn(edges) for kind in normalised})

    @property
    def skips(self) -> list[int]:
        """The columns of skip connections."""
        return [column for column, name in enumerate(self.names) if name in SKIPS]
