"""Vizier's fit of its Gaussian process at a fraction of its cost, with the same steps, and less to trace for JAX.

Vizier gives SciPy's L-BFGS-B a loss that puts each parameter on the device and has Equinox look through the whole
model, at each of some thousand evaluations for a suggestion: several times what the loss itself takes. Here the model's
leaves are found once, and the same compiled program is called with arrays of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import Bounds, minimize
from tensorflow_probability.substrates.jax.math.psd_kernels.positive_semidefinite_kernel import (
    PositiveSemidefiniteKernel,
)
from vizier._src.algorithms.designers.gp_ucb_pe import default_ard_optimizer
from vizier._src.jax.optimizers.core import get_best_params
from vizier._src.jax.optimizers.jaxopt_wrappers import _get_bounds, _unbatch_params
from vizier._src.jax.types import PaddedArray
from vizier.pyvizier.converters.padding import PaddingSchedule, PaddingType

_padded = PaddingSchedule._pad_trailing_dims
_batch_shape = PositiveSemidefiniteKernel._batch_shape


class Lbfgs:
    """SciPy's L-BFGS-B from each start, one after the other, with the options of the designer's own optimiser."""

    def __init__(self) -> None:
        self._options = default_ard_optimizer()._options

    def __call__(
        self,
        init_params: Any,
        loss_fn: Callable[..., Any],
        rng: Any,
        *,
        constraints: Any = None,
        best_n: int | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """The parameters of the ``best_n`` lowest losses, and the losses of all starts."""
        starts = _unbatch_params(init_params)
        bounds = _get_bounds(starts[0], constraints)
        limits = None if bounds is None else Bounds(*map(_flat, bounds))
        options = {
            "gtol": self._options.tol,
            "maxls": self._options.num_line_search_steps,
            "maxiter": self._options.maxiter,
        }
        loss, parameters = _functions(loss_fn, starts[0])
        found = [
            minimize(loss, _flat(start), jac=True, bounds=limits, method="L-BFGS-B", options=options)
            for start in starts
        ]
        losses = jnp.asarray([each.fun for each in found])
        best = jax.tree_util.tree_map(lambda *each: jnp.stack(each), *[parameters(each.x) for each in found])
        return get_best_params(losses, best, best_n=best_n), {"loss": losses[jnp.newaxis, :]}


def _functions(loss_fn: Callable[..., Any], start: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Loss and gradient as SciPy knows them, and the parameters of a vector."""
    leaves, tree = jax.tree_util.tree_flatten(start)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts, tree_of_loss = jax.tree_util.tree_flatten(loss_fn)
    arrays = [part if isinstance(part, jax.Array) else None for part in parts]
    others = tuple(None if isinstance(part, jax.Array) else part for part in parts)
    # Compiled ahead: a call of what is jitted hashes and compares all that is static, each time.
    program = _loss_and_gradient.lower(start, arrays, others, tree_of_loss).compile()

    def parameters(x: Any) -> Any:
        pieces = [piece.reshape(leaf.shape) for piece, leaf in zip(np.split(x, ends), leaves, strict=True)]
        return jax.tree_util.tree_unflatten(tree, pieces)

    def loss(x: Any) -> tuple[float, Any]:
        (value, _), gradient = program(parameters(x), arrays)
        return float(value), _flat(gradient)

    return loss, parameters


@partial(jax.jit, static_argnames=("others", "tree"))
def _loss_and_gradient(parameters: Any, arrays: Sequence[Any], others: Sequence[Any], tree: Any) -> Any:
    """Of the loss whose leaves are ``arrays`` and, where these are None, ``others``."""
    leaves = [array if other is None else other for array, other in zip(arrays, others, strict=True)]
    loss = jax.tree_util.tree_unflatten(tree, leaves)
    return jax.value_and_grad(loss, has_aux=True)(parameters)


def _flat(parameters: Any) -> Any:
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree_util.tree_leaves(parameters)])


def _padded_alike(schedule: PaddingSchedule, array: Any, kinds: Any) -> Any:
    """Full arrays are not marked as such, for that is what JAX traces anew, with the same results."""
    padded = _padded(schedule, array, kinds)
    if not len(array) or all(kind is PaddingType.NONE for kind in kinds):
        return padded
    return PaddedArray(
        padded.padded_array,
        fill_value=padded.fill_value,
        _original_shape=padded._original_shape,
        _mask=padded._mask,
        _nopadding_done=False,
    )


def _known_batch_shape(kernel: Any) -> Any:
    """Found once for a kernel, by going through all that it is made of."""
    found = kernel.__dict__
    if "_known_batch_shape" not in found:
        found["_known_batch_shape"] = _batch_shape(kernel)
    return found["_known_batch_shape"]


def install() -> None:
    """Let JAX trace less often, and in less time, from now on."""
    PaddingSchedule._pad_trailing_dims = _padded_alike
    PositiveSemidefiniteKernel._batch_shape = _known_batch_shape
