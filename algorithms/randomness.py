"""Random numbers that depend on (experiment seed, trial number) alone.

The generator is counter-based (Philox, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), so the
numbers of any trial are reached at once: nothing is remembered between calls and a restart changes nothing. The global
generators of ``random`` and numpy are never touched.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

_WORD = 2**64
_ROWS = 256  # rows of uniforms made at a time: a generator per trial would cost more than the numbers


def seed_of(random_state: int | None, seed: int | None) -> int:
    """The seed in force: the algorithm's own setting, else the experiment's, else 0."""
    return next((s for s in (random_state, seed) if s is not None), 0)


def generator(seed: int, number: int) -> Generator:
    """The generator of trial ``number``; its stream is apart from that of ``uniforms``."""
    return _stream(seed, number, purpose=1)


def uniforms(seed: int, number: int, width: int) -> list[float]:
    """``width`` numbers of trial ``number``, uniform in [0, 1)."""
    block, row = divmod(number, _ROWS)
    numbers: list[float] = _block(seed, block, width)[row].tolist()
    return numbers


def integer_seed(seed: int, number: int) -> int:
    """A seed below 2**31 for libraries that want an integer; belongs to trial ``number``."""
    return int(_stream(seed, number, purpose=2).integers(2**31))


def permuted(seed: int, index: int, size: int) -> int:
    """Where the permutation of range(``size``) that belongs to ``seed`` takes ``index``; by arithmetic, for any size.

    A Feistel network over the next power of four, walked until it falls into the range (Black & Rogaway 2002, "Ciphers
    with arbitrary finite domains", section 3), which takes four steps on average at most.
    """
    half = max((size - 1).bit_length() + 1, 2) // 2
    while True:
        left, right = index >> half, index & ((1 << half) - 1)
        for turn in range(4):
            left, right = right, left ^ _scrambled(seed, turn, right, half)
        index = left << half | right
        if index < size:
            return index


def _scrambled(seed: int, turn: int, number: int, bits: int) -> int:
    """A hash of ``number``, of as many bits."""
    digest = hashlib.shake_128(b"%d %d %d" % (seed, turn, number)).digest(bits // 8 + 1)
    return int.from_bytes(digest, "big") & ((1 << bits) - 1)


@lru_cache(maxsize=64)
def _block(seed: int, block: int, width: int) -> NDArray[np.float64]:
    return _stream(seed, block, purpose=0).random((_ROWS, width))


def _stream(seed: int, index: int, purpose: int) -> Generator:
    # Philox's counter has 256 bits. Its highest word keeps the streams of different purposes 2**192 blocks apart.
    return Generator(Philox(key=(seed % _WORD) * _WORD + index % _WORD, counter=purpose << 192))
