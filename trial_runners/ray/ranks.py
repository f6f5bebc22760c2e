"""How many workers a trial has, and what each of them is told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Rank(NamedTuple):
    """A worker's place among those of its trial, in the words of PyTorch. local: among those on its node. node: the
    number of that node."""

    rank: int
    size: int
    local: int
    local_size: int
    node: int

    def variables(self, address: str, port: int) -> Mapping[str, str]:
        """What the worker finds in its environment. address, port: where worker 0 may listen."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(self.local),
            "LOCAL_WORLD_SIZE": str(self.local_size),
            "NODE_RANK": str(self.node),
            "GROUP_RANK": str(self.node),
            "MASTER_ADDR": address,
            "MASTER_PORT": str(port),
            "KATIB_WORKER": str(self.rank),
            "KATIB_WORKERS": str(self.size),
        }


def ranks(nodes: Sequence[str]) -> list[Rank]:
    """The ranks of workers by the nodes that they are on: the first is 0, and those of one node follow each other."""
    numbers = {node: number for number, node in enumerate(dict.fromkeys(nodes))}
    sizes = Counter(nodes)
    firsts: dict[str, int] = {}
    for node in numbers:
        firsts[node] = sum(sizes[earlier] for earlier in firsts)
    seen: Counter[str] = Counter()
    found: list[Rank] = []
    for node in nodes:
        local = seen[node]
        seen[node] += 1
        found.append(Rank(firsts[node] + local, len(nodes), local, sizes[node], numbers[node]))
    return found
