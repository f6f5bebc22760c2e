"""Scores of networks as they are before any training, by which some say how good they would be.

naswot: Mellor, Turner, Storkey & Crowley 2021, "Neural architecture search without training" (2006.04647), section 3.
synflow: Tanaka, Kunin, Yamins & Ganguli 2020, "Pruning neural networks without any data by iteratively conserving
synaptic flow" (2006.05467), section 5, summed over a network by Abdelfattah et al. 2021, "Zero-cost proxies for
lightweight NAS" (2101.08134), section 3.2.

Networks are small here, a few channels and cells, so that a score takes some milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from algorithms.architecture.cells import Genotype
from algorithms.architecture.reading import Architecture, read_architecture
from algorithms.networks.building import Width, network
from algorithms.networks.threads import one_torch_thread
from katib.core.errors import MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from torch.overrides import TorchFunctionMode
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "nas") from error

IMAGES, SHAPE, CLASSES = 32, (3, 16, 16), 10
_WIDTH, _CELLS = Width(channels=8, cells=1), Width(channels=8, cells=3)  # of three one is normal, two reduce the image
_RELUS = frozenset({torch.relu, torch.relu_, nn.functional.relu, Tensor.relu, Tensor.relu_})


def score(
    name: str, architecture: str | Mapping[str, Any] | Architecture, *, seed: int = 0, images: Tensor | None = None
) -> float:
    """That of an architecture, the larger the better; the same bits for the same seed.

    name: one of SCORES. architecture: as ``network`` takes it, of any family. seed: of the network's weights. images:
    (batch, channels, height, width), at least 2; those of a normal distribution with mean 0 and variance 1, always the
    same 32 of 3x16x16, unless given. Of synflow only their shape is used. Raises what ``network`` raises.
    """
    typed = read_architecture(architecture)
    seen = random_images() if images is None else images
    _, channels, height, width = seen.shape
    with one_torch_thread():
        size = _CELLS if isinstance(typed, Genotype) else _WIDTH
        return SCORES[name](network(typed, CLASSES, (channels, height, width), size, seed=seed), seen)


def random_images(count: int = IMAGES, shape: Sequence[int] = SHAPE) -> Tensor:
    """(count, channels, height, width), drawn from a normal distribution; always the same. shape: of one image."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def naswot(module: nn.Module, images: Tensor) -> float:
    """log det(K + I), at least 0, of the kernel K[i, j] = A - d(i, j): A is the number of all ReLUs, and d(i, j) how
    many of them are positive for one of the images i and j and zero for the other (Mellor et al. 2021, equation 2).

    The more differently a network sees images, the larger it is. The paper has no I; with it, two images that no ReLU
    tells apart leave the logarithm finite. Batch normalisation goes by the batch, and its running means change. images:
    (batch, channels, height, width).
    """
    module.train()
    with torch.no_grad(), _Agreement(len(images)) as agreement:
        module(images)
    found = torch.linalg.slogdet(agreement.kernel + torch.eye(len(images), dtype=torch.float64))
    return float(found.logabsdet)


def synflow(module: nn.Module, images: Tensor) -> float:
    """log(1 + S), at least 0, of S = sum over all weights of |theta dR/dtheta|, where R is the sum of all outputs for
    an image of ones, every weight is replaced by its absolute value, and biases and batch normalisation are left out
    (Tanaka et al. 2020, equation 2 and algorithm 1).

    In float64, since S grows by orders with the depth; 1 is added for networks whose output does not depend on the
    image, of which S is 0. The module is changed, and of no more use. images: of which only the shape is looked at.
    """
    _leave_out_norms(module)
    module.double().eval()
    weights = [each for each in module.parameters() if each.dim() > 1]
    with torch.no_grad():
        for each in module.parameters():
            each.copy_(each.abs() if each.dim() > 1 else torch.zeros_like(each))
    flow = module(torch.ones(1, *images.shape[1:], dtype=torch.float64)).sum()
    found = torch.autograd.grad(flow, weights, allow_unused=True)
    parts = (weight.detach() * each for weight, each in zip(weights, found, strict=True) if each is not None)
    return math.log1p(sum(float(part.abs().sum()) for part in parts))


SCORES: Mapping[str, Callable[[nn.Module, Tensor], float]] = {"naswot": naswot, "synflow": synflow}


class _Agreement(TorchFunctionMode):
    """Counts for each pair of images the ReLUs that agree on them, whether they are modules or functions. kernel:
    (batch, batch)."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.kernel = torch.zeros(images, images, dtype=torch.float64)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Called for every function of PyTorch; not for those that the function itself calls."""
        result = func(*args, **(kwargs or {}))
        if func in _RELUS:
            signs = (result > 0).flatten(1).float() * 2 - 1
            self.kernel += (signs.shape[1] + (signs @ signs.T).double()) / 2
        return result


def _leave_out_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            _leave_out_norms(child)
