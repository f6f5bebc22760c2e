"""What tells trials apart: names, of the experiment's name and eight characters, as Katib gives them; and seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Container

from katib.core.trial import Key

# Letters and digits that form no words and no look-alikes; Kubernetes draws random suffixes from the same set.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LENGTH = 8


def trial_name(key: Key, uid: str, number: int, taken: Container[str]) -> str:
    """``<experiment>-<8 characters>``, hashed from (namespace, uid, number), so that a repeated proposal after a crash
    has the same name. In the rare case that the name is taken, the next of its sequence."""
    salt = 0
    while True:
        digest = hashlib.blake2b(f"{key.namespace}/{uid}/{number}/{salt}".encode(), digest_size=8).digest()
        value, letters = int.from_bytes(digest, "big"), []
        for _ in range(LENGTH):
            value, index = divmod(value, len(ALPHABET))
            letters.append(ALPHABET[index])
        name = f"{key.name}-{''.join(letters)}"
        if name not in taken:
            return name
        salt += 1


def trial_seed(seed: int | None, number: int) -> int:
    """The seed of a trial's own random numbers, below 2**31: hashed from the experiment's seed and the trial's number,
    so that two runs of the same parameters differ, and a repeated experiment repeats all of them."""
    digest = hashlib.blake2b(f"{seed or 0}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
