"""Methods of search by name, as choices of the same few options."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLINGS = SOFTMAX, GUMBEL, DIRICHLET, SIGMOID = ("softmax", "gumbel", "dirichlet", "sigmoid")
SELECTIONS = ARGMAX, PROJECTION, RETRAIN = ("argmax", "projection", "retrain")


@dataclass(frozen=True, slots=True)
class Method:
    """What tells one search from another.

    order: of the architecture's gradient, 1 or 2. sampling: from alphas to weights, one of SAMPLINGS.
    partial_channels: one of so many channels goes through the operations. edge_normalisation: whether edges have
    weights of their own. auxiliary_skip: whether there are further skip connections, whose weight falls from 1 to 0.
    skip_until: share of the epochs after which it is 0; above 0, to 1.
    warm_up: share of the epochs, 0 to below 1, in which the weights alone are trained. selection: how the genotype is
    found in the end. most_skips: skip connections of the normal cell at most, None for any number. zero_one: weight of
    the loss that draws the weights of operations to 0 or 1, at least 0, and 0 where the sampling is not sigmoid.
    """

    order: int = 1
    sampling: str = SOFTMAX
    partial_channels: int = 1
    edge_normalisation: bool = False
    auxiliary_skip: bool = False
    skip_until: float = 1.0
    warm_up: float = 0.0
    selection: str = ARGMAX
    most_skips: int | None = None
    zero_one: float = 0.0


ROBUST = "robust"
PRESETS = {
    # An auxiliary skip connection that fades to the very end leaves the alphas of skips to make up for it in short
    # searches, so it is gone at half time. Two skips at most are the guard of P-DARTS.
    ROBUST: Method(
        partial_channels=4,
        edge_normalisation=True,
        auxiliary_skip=True,
        skip_until=0.5,
        warm_up=0.3,
        selection=RETRAIN,
        most_skips=2,
    ),
    "darts": Method(),  # Liu, Simonyan & Yang 2019
    "darts-2nd": Method(order=2),
    "pc-darts": Method(partial_channels=4, edge_normalisation=True, warm_up=0.3),  # Xu et al. 2020: 15 of 50 epochs
    "gdas": Method(sampling=GUMBEL),  # Dong & Yang 2019
    "drnas": Method(sampling=DIRICHLET),  # Chen et al. 2021, without its growing of the channels
    "darts-minus": Method(auxiliary_skip=True),  # Chu et al. 2021
    "fair-darts": Method(sampling=SIGMOID, zero_one=10.0),  # Chu et al. 2020
}
