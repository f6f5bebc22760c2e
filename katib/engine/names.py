"""Names of trials: the experiment's name and eight characters, as Katib gives them."""

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
