"""Prints its metrics: a line such as ``epoch=3 accuracy=0.9531 loss=0.1430`` after each epoch."""

from __future__ import annotations

import softmax

for epoch in softmax.train(softmax.parser(__doc__).parse_args()):
    print(f"epoch={epoch.number} accuracy={epoch.accuracy:.4f} loss={epoch.loss:.4f}", flush=True)
