"""Writes its metrics as text to a file, in words of its own: ``epoch 3: accuracy is 0.9531, loss is 0.1430``."""

from __future__ import annotations

import softmax

parser = softmax.parser(__doc__)
parser.add_argument("--log", required=True, help="the file")
options = parser.parse_args()
with open(options.log, "a", buffering=1) as file:  # a line at a time
    for epoch in softmax.train(options):
        file.write(f"epoch {epoch.number}: accuracy is {epoch.accuracy:.4f}, loss is {epoch.loss:.4f}\n")
