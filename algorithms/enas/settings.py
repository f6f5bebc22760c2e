"""Settings of ``enas``; apart, so that they are read without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.settings import Settings, setting


@dataclass(frozen=True, slots=True)
class EnasSettings(Settings):
    """Katib's settings of ``enas``."""

    controller_hidden_size: int = setting(64, low=1, help="width of the controller's LSTM")
    controller_temperature: float | None = setting(
        5.0, above=0, or_none=True, help="what logits are divided by; None for nothing"
    )
    controller_tanh_const: float | None = setting(
        2.25, above=0, or_none=True, help="largest absolute logit; None for no limit"
    )
    controller_entropy_weight: float | None = setting(
        1e-5, above=0, or_none=True, help="weight of the entropy, which is rewarded; None for nothing"
    )
    controller_baseline_decay: float = setting(
        0.95, above=0, high=1, help="share of the baseline that stays when a reward comes; Katib's is 0.999"
    )
    controller_learning_rate: float = setting(
        0.01, above=0, high=1, help="learning rate of the controller, for each trial; Katib's is 5e-5"
    )
    controller_skip_target: float = setting(0.4, above=0, high=1, help="share of layers joined that has no penalty")
    controller_skip_weight: float | None = setting(
        0.8, above=0, or_none=True, help="weight of the penalty on other shares; None for nothing"
    )
    controller_train_steps: int = setting(1, low=1, help="steps of the optimiser for each trial; Katib's are 50")
    controller_log_every_steps: int = setting(10, low=1, help="Katib's; changes nothing")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)
