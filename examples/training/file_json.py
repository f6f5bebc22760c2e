"""Writes its metrics to a file, as a line of JSON after each epoch."""

from __future__ import annotations

import json

import softmax

parser = softmax.parser(__doc__)
parser.add_argument("--log", required=True, help="the file")
options = parser.parse_args()
with open(options.log, "a", buffering=1) as file:  # a line at a time
    for epoch in softmax.train(options):
        file.write(json.dumps({"step": epoch.number, "accuracy": epoch.accuracy, "loss": epoch.loss}) + "\n")
