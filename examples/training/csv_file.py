"""Writes its metrics as a table, which no collector knows; ``csv_collector.py`` reads it."""

from __future__ import annotations

import csv

import softmax

parser = softmax.parser(__doc__)
parser.add_argument("--table", required=True, help="the file")
options = parser.parse_args()
with open(options.table, "a", buffering=1, newline="") as file:
    table = csv.writer(file)
    table.writerow(["epoch", "accuracy", "loss"])
    for epoch in softmax.train(options):
        table.writerow([epoch.number, f"{epoch.accuracy:.4f}", f"{epoch.loss:.4f}"])
