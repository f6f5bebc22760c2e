"""How an algorithm that chooses among others tells people what decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alternative:
    """rule: a word for it. when: the condition, in words. algorithm: what is chosen then."""

    rule: str
    when: str
    algorithm: str
