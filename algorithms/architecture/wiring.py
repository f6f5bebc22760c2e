"""What an architecture computes, as a graph of operations: which ones are the same, and which paths run through it.

A state is the sum of the edges that lead to it. An edge without an operation passes its state on, so whatever is only
passed on, or reaches no output, leaves no trace: architectures that differ in that alone are one. Weights are not
looked at: two operations of one kind on the same input are equal terms, whichever edge has them, as in NAS-Bench-201's
own count of its unique cells (Dong & Yang 2020, section 3.1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SAME = ""  # the operation of an edge that passes its state on

Path = tuple[int | str, ...]  # number of the input, then operations


class Edge(NamedTuple):
    """An operation's label, and the number of the state that it is applied to."""

    operation: str
    source: int


class Wiring(NamedTuple):
    """inputs: how many states are given, numbered from 0. nodes: the edges that lead to each further one, from states
    before it; the last one is the output. Edges that give zero are left out."""

    inputs: int
    nodes: tuple[tuple[Edge, ...], ...]


def signature(wirings: Sequence[Wiring]) -> str:
    """The same text for architectures that compute the same, whatever their weights."""
    return " ".join(map(_output, wirings))


def paths(wiring: Wiring, longest: int) -> dict[Path, int]:
    """How many ways from an input to the output apply which operations in turn: the path encoding (White, Neiswanger &
    Savani 2021, "BANANAS", section 3) with counts, states that are passed on left out. longest: operations of a path;
    longer ones are left out (ibid., truncation)."""
    states: list[dict[Path, int]] = [{(number,): 1} for number in range(wiring.inputs)]
    for edges in wiring.nodes:
        found: dict[Path, int] = {}
        for operation, source in edges:
            for path, count in states[source].items():
                longer = (*path, operation) if operation else path
                if len(longer) <= longest + 1:
                    found[longer] = found.get(longer, 0) + count
        states.append(found)
    return states[-1]


def size(wiring: Wiring, weights: Mapping[str, float]) -> float:
    """The sum of the weights of all operations that lie on a path from an input to the output. weights: of each
    operation, 0 for those that are not in it."""
    reached = [True] * wiring.inputs
    for edges in wiring.nodes:
        reached.append(any(reached[source] for _, source in edges))
    used, total = {len(reached) - 1}, 0.0
    for state in range(len(reached) - 1, wiring.inputs - 1, -1):
        if state in used:
            for operation, source in wiring.nodes[state - wiring.inputs]:
                if reached[source]:
                    used.add(source)
                    total += weights.get(operation, 0.0)
    return total


def _output(wiring: Wiring) -> str:
    """A digest of the output. Terms of a state: an operation and the digest of the state that it is applied to, each
    with how often it is added."""
    states = [{f"input {number}": 1} for number in range(wiring.inputs)]
    digests = [_digest_of(terms) for terms in states]
    for edges in wiring.nodes:
        terms: dict[str, int] = {}
        for operation, source in edges:
            added = {f"{operation} {digests[source]}": 1} if operation and states[source] else states[source]
            for term, count in added.items():
                terms[term] = terms.get(term, 0) + count
        states.append(terms)
        digests.append(_digest_of(terms))
    return digests[-1]


def _digest_of(terms: dict[str, int]) -> str:
    text = "\n".join(f"{count} {term}" for term, count in sorted(terms.items()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
