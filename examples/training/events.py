"""Writes its metrics as TensorBoard's scalars, for training and validation in folders of their own."""

from __future__ import annotations

from pathlib import Path

import softmax
from tensorboardX import SummaryWriter

parser = softmax.parser(__doc__)
parser.add_argument("--logs", type=Path, required=True, help="the folder")
options = parser.parse_args()
with SummaryWriter(str(options.logs / "validation"), flush_secs=1) as writer:
    for epoch in softmax.train(options):
        writer.add_scalar("accuracy", epoch.accuracy, epoch.number)
        writer.add_scalar("loss", epoch.loss, epoch.number)
