"""Functions of the noiseless BBOB testbed (N. Hansen, S. Finck, R. Ros, A. Auger: Real-Parameter Black-Box Optimization
Benchmarking 2009: Noiseless Functions Definitions, INRIA RR-6829, 2009), and two classics in the same dress.

Each takes points of the box [-5, 5]^d, shape (n, d), and returns how far they are above the optimum, shape (n,). The
penalty f_pen of the report is 0 in the box and left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCHWEFEL_OPTIMUM = 4.2096874633 / 2  # of each coordinate, its sign drawn
PEAKS = 101


class Terrain(NamedTuple):
    """What is drawn for a function in d dimensions. optimum: x_opt, shape (d,). rotation, second: R and Q, (d, d)."""

    optimum: Array
    rotation: Array
    second: Array

    def turned(self, x: Array) -> Array:
        """R (x - x_opt)."""
        return (x - self.optimum) @ self.rotation.T


class Shape(NamedTuple):
    """A function. number: the report's, above 100 of functions that are not in it; terrains are drawn by it. distance:
    of each coordinate of the optimum from 0, None where it is drawn."""

    number: int
    values: Callable[[Array, Terrain], Array]
    distance: float | None = None

    def terrain(self, dimension: int) -> Terrain:
        """The terrain in d dimensions; x_opt uniform in [-4, 4]^d, or its signs alone."""
        rng = np.random.default_rng([self.number, dimension])
        optimum = rng.uniform(-4, 4, dimension)
        if self.distance is not None:
            optimum = np.sign(optimum) * self.distance
        return Terrain(optimum, _orthogonal(rng, dimension), _orthogonal(rng, dimension))

    def offset(self, dimension: int) -> float:
        """The report's f_opt: a Cauchy number in [-1000, 1000], of two decimals."""
        top, bottom = np.random.default_rng([self.number, dimension, 1]).standard_normal(2)
        return round(min(max(100 * float(top / bottom), -1000.0), 1000.0), 2)


def _orthogonal(rng: np.random.Generator, dimension: int) -> Array:
    """A rotation (or reflection) from the Haar measure: QR of normal numbers, signs made unique (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((dimension, dimension)))
    return np.asarray(q * np.sign(np.diag(r)))


@lru_cache
def _ladder(dimension: int, top: float) -> Array:
    """top^((i - 1) / (d - 1)) for i = 1 .. d, shape (d,)."""
    return np.asarray(top ** np.linspace(0, 1, dimension))


def _scale(dimension: int, alpha: float) -> Array:
    """The diagonal of Lambda^alpha."""
    return _ladder(dimension, math.sqrt(alpha))


def oscillate(x: Array) -> Array:
    """T_osz: small smooth irregularities."""
    logs = np.log(np.abs(np.where(x == 0, 1, x)))
    positive = x > 0
    first, second = np.where(positive, 10, 5.5), np.where(positive, 7.9, 3.1)
    return np.asarray(np.sign(x) * np.exp(logs + 0.049 * (np.sin(first * logs) + np.sin(second * logs))))


def skew(x: Array, beta: float) -> Array:
    """T_asy^beta: breaks the symmetry between positive and negative coordinates."""
    positive = np.maximum(x, 0)
    return np.asarray(np.where(x > 0, positive ** (1 + beta * np.linspace(0, 1, x.shape[-1]) * np.sqrt(positive)), x))


def sphere(x: Array, t: Terrain) -> Array:
    """f1."""
    return np.asarray(np.sum((x - t.optimum) ** 2, axis=1))


def ellipsoid(x: Array, t: Terrain) -> Array:
    """f10: condition 10^6, rotated."""
    return np.asarray(oscillate(t.turned(x)) ** 2 @ _ladder(x.shape[1], 1e6))


def rastrigin(x: Array, t: Terrain) -> Array:
    """f15: about 10^d local optima, rotated and bent."""
    z = skew(oscillate(t.turned(x)), 0.2) @ t.second.T * _scale(x.shape[1], 10) @ t.rotation.T
    return np.asarray(np.sum(10 * (1 - np.cos(2 * np.pi * z)) + z**2, axis=1))


def _valley(x: Array, t: Terrain) -> Array:
    """The coordinates in which Rosenbrock's valley has its optimum at 1: those of f9, the optimum anywhere as in f8."""
    return max(1.0, math.sqrt(x.shape[1]) / 8) * t.turned(x) + 1


def rosenbrock(x: Array, t: Terrain) -> Array:
    """f9: a curved valley."""
    z = _valley(x, t)
    return np.asarray(np.sum(100 * (z[:, :-1] ** 2 - z[:, 1:]) ** 2 + (z[:, :-1] - 1) ** 2, axis=1))


def attractive_sector(x: Array, t: Terrain) -> Array:
    """f6: outside of one sector values are 10^4 times larger."""
    z = t.turned(x) * _scale(x.shape[1], 10) @ t.second.T
    steep = np.where(z * t.optimum > 0, 100, 1)
    return np.asarray(oscillate(np.sum((steep * z) ** 2, axis=1)) ** 0.9)


def step_ellipsoid(x: Array, t: Terrain) -> Array:
    """f7: plateaus, condition 100."""
    hat = t.turned(x) * _scale(x.shape[1], 10)
    steps = np.where(np.abs(hat) > 0.5, np.floor(0.5 + hat), np.floor(0.5 + 10 * hat) / 10)
    return np.asarray(0.1 * np.maximum(np.abs(hat[:, 0]) / 1e4, (steps @ t.second.T) ** 2 @ _ladder(x.shape[1], 100.0)))


def sharp_ridge(x: Array, t: Terrain) -> Array:
    """f13: a ridge that is not differentiable, along which values hardly change."""
    z = t.turned(x) * _scale(x.shape[1], 10) @ t.second.T
    return np.asarray(z[:, 0] ** 2 + 100 * np.sqrt(np.sum(z[:, 1:] ** 2, axis=1)))


def different_powers(x: Array, t: Terrain) -> Array:
    """f14: sensitivities grow apart towards the optimum."""
    powers = 2 + 4 * np.linspace(0, 1, x.shape[1])
    return np.asarray(np.sqrt(np.sum(np.abs(t.turned(x)) ** powers, axis=1)))


def weierstrass(x: Array, t: Terrain) -> Array:
    """f16: rugged at every scale, moderately repetitive."""
    z = oscillate(t.turned(x)) @ t.second.T * _scale(x.shape[1], 0.01) @ t.rotation.T
    halves, threes = 0.5 ** np.arange(12), 3.0 ** np.arange(12)
    waves = np.cos(2 * np.pi * threes * (z[..., None] + 0.5)) @ halves
    lowest = float(np.cos(np.pi * threes) @ halves)
    return np.asarray(10 * np.maximum(np.mean(waves, axis=1) - lowest, 0) ** 3)


def schaffers(x: Array, t: Terrain) -> Array:
    """f17: frequency and height of the waves vary."""
    z = skew(t.turned(x), 0.5) @ t.second.T * _scale(x.shape[1], 10)
    s = np.sqrt(z[:, :-1] ** 2 + z[:, 1:] ** 2)
    return np.asarray(np.mean(np.sqrt(s) * (1 + np.sin(50 * s**0.2) ** 2), axis=1) ** 2)


def griewank_rosenbrock(x: Array, t: Terrain) -> Array:
    """f19: Rosenbrock's valley, wavy."""
    z = _valley(x, t)
    s = 100 * (z[:, :-1] ** 2 - z[:, 1:]) ** 2 + (z[:, :-1] - 1) ** 2
    return np.asarray(10 * np.mean(s / 4000 - np.cos(s), axis=1) + 10)


def schwefel(x: Array, t: Terrain) -> Array:
    """f20, as corrected in later editions: the best corner region is far from the second best."""
    signs = np.sign(t.optimum)
    top = 2 * SCHWEFEL_OPTIMUM
    hat = 2 * signs * x
    hat[:, 1:] += 0.25 * (hat[:, :-1] - top)
    z = 100 * ((hat - top) * _scale(x.shape[1], 10) + top)
    outside = np.sum(np.maximum(np.abs(z / 100) - 5, 0) ** 2, axis=1)
    return np.asarray(4.189828872724339 - np.mean(z * np.sin(np.sqrt(np.abs(z))), axis=1) / 100 + 100 * outside)


class _Peaks(NamedTuple):
    """centres: (101, d), the first one at 0, relative to the optimum's place. curvatures: (101, d). heights: (101,)."""

    centres: Array
    curvatures: Array
    heights: Array


@lru_cache
def _peaks(dimension: int) -> _Peaks:
    """The peaks of f21; the first one lies at the optimum."""
    rng = np.random.default_rng([21, dimension, 2])
    centres = rng.uniform(-5, 5, (PEAKS, dimension))
    conditions = np.append(1000.0, rng.permutation(1000 ** (2 * np.linspace(0, 1, PEAKS - 1))))
    scales = np.array([rng.permutation(_scale(dimension, alpha)) / alpha**0.25 for alpha in conditions])
    return _Peaks(centres, scales, np.append(10.0, np.linspace(1.1, 9.1, PEAKS - 1)))


def gallagher(x: Array, t: Terrain) -> Array:
    """f21: 101 peaks of random places, heights and shapes."""
    peaks = _peaks(x.shape[1])
    centres = np.vstack((t.optimum, peaks.centres[1:])) @ t.rotation.T
    distances = np.einsum("npd,pd->np", ((x @ t.rotation.T)[:, None, :] - centres) ** 2, peaks.curvatures)
    highest = np.max(peaks.heights * np.exp(-distances / (2 * x.shape[1])), axis=1)
    return np.asarray(oscillate(10 - highest) ** 2)


def katsuura(x: Array, t: Terrain) -> Array:
    """f23: rugged everywhere, more than 10^d optima, no structure."""
    d = x.shape[1]
    z = t.turned(x) * _scale(d, 100) @ t.second.T
    twos = 2.0 ** np.arange(1, 33)
    scaled = z[..., None] * twos
    rough = np.abs(scaled - np.round(scaled)) @ (1 / twos)
    return np.asarray(10 / d**2 * (np.prod((1 + np.arange(1, d + 1) * rough) ** (10 / d**1.2), axis=1) - 1))


def ackley(x: Array, t: Terrain) -> Array:
    """A needle's hole in a wavy plain (D. H. Ackley: A Connectionist Machine for Genetic Hillclimbing, 1987)."""
    z = t.turned(x) * 6.5536  # its customary box is [-32.768, 32.768]^d
    near = 20 * (1 - np.exp(-0.2 * np.sqrt(np.mean(z**2, axis=1))))
    return np.asarray(near + math.e - np.exp(np.mean(np.cos(2 * np.pi * z), axis=1)))


def levy(x: Array, t: Terrain) -> Array:
    """Waves on a bowl (M. Laguna, R. Marti: Experimental Testing of Advanced Scatter Search Designs, 2005), rotated."""
    w = 1 + t.turned(x) / 2  # its customary box is [-10, 10]^d
    inner = (w[:, :-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:, :-1] + 1) ** 2)
    last = (w[:, -1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[:, -1]) ** 2)
    return np.asarray(np.sin(np.pi * w[:, 0]) ** 2 + np.sum(inner, axis=1) + last)


FUNCTIONS: Mapping[str, Shape] = {
    "sphere": Shape(1, sphere),
    "ellipsoid": Shape(10, ellipsoid),
    "rastrigin": Shape(15, rastrigin),
    "rosenbrock": Shape(9, rosenbrock),
    "attractive-sector": Shape(6, attractive_sector),
    "step-ellipsoid": Shape(7, step_ellipsoid),
    "weierstrass": Shape(16, weierstrass),
    "sharp-ridge": Shape(13, sharp_ridge),
    "ackley": Shape(101, ackley),
    "different-powers": Shape(14, different_powers),
    "gallagher": Shape(21, gallagher),
    "levy": Shape(102, levy),
    "schwefel": Shape(20, schwefel, SCHWEFEL_OPTIMUM),
    "griewank-rosenbrock": Shape(19, griewank_rosenbrock),
    "katsuura": Shape(23, katsuura),
    "schaffers": Shape(17, schaffers),
}
