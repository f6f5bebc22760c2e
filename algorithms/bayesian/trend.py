"""A quadratic trend: the covariance of two points under a random polynomial of degree two.

Near its optimum nearly every loss is a bowl, narrow and turned against the axes more often than not. Lengthscales along
the axes cannot say so, products of coordinates can.
"""

from __future__ import annotations

from typing import NamedTuple

from algorithms.bayesian.kernels import Floats


class QuadraticTrend(NamedTuple):
    """k(a, b) = variance ((1 + za . zb) / 2)^2, the polynomial kernel (Rasmussen & Williams 2006, eq. 4.12) of points
    z = (point - centre) unit.

    centre, unit: (p,) such that |z|^2 is 1 on average over the space: then the variance is that of y at a typical
    point. variance: > 0, in units of the variance of y.
    """

    centre: Floats
    unit: Floats
    variance: float = 1.0

    def covariance(self, a: Floats, b: Floats) -> Floats:
        """Of rows of ``a`` (m, p) and ``b`` (n, p): (m, n)."""
        covariance: Floats = self.variance * self._root(a, b) ** 2
        return covariance

    def variances(self, a: Floats) -> Floats:
        """Of the rows of ``a`` themselves: (m,)."""
        z = self._standardized(a)
        variances: Floats = self.variance * ((1 + (z * z).sum(axis=1)) / 2) ** 2
        return variances

    def along(self, pull: Floats, a: Floats, b: Floats) -> Floats:
        """Sum over j of pull[i, j] times the derivative of the covariance of a[i] and b[j] by a[i]: (m, p)."""
        moved: Floats = self.variance * ((pull * self._root(a, b)) @ self._standardized(b)) * self.unit
        return moved

    def slopes(self, a: Floats) -> Floats:
        """Derivatives (m, p) of ``variances`` by the rows of ``a``."""
        z = self._standardized(a)
        slopes: Floats = self.variance * (1 + (z * z).sum(axis=1))[:, None] * z * self.unit
        return slopes

    def _standardized(self, points: Floats) -> Floats:
        z: Floats = (points - self.centre) * self.unit
        return z

    def _root(self, a: Floats, b: Floats) -> Floats:
        root: Floats = (1 + (a - self.centre) * self.unit**2 @ (b - self.centre).T) / 2
        return root
