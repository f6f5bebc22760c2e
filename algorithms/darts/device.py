"""Where a search is computed."""

from __future__ import annotations

import torch

from algorithms.networks.retraining import chosen_device


def prepared_device(name: str, threads: int) -> torch.device:
    """The device of that name, ``auto`` for a GPU where there is one, set up for speed: on a GPU TensorFloat-32 where
    float32 is left, and kernels chosen by trying. threads: of the processor. Raises PermanentError for a device that
    is not there."""
    torch.set_num_threads(threads)
    device = torch.device(chosen_device(name))
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device
