"""Shows its metrics at an address, as a program does that Prometheus watches. The collector looks twice a second."""

from __future__ import annotations

import os
import time

import softmax
from prometheus_client import Gauge, start_http_server

options = softmax.parser(__doc__).parse_args()
accuracy = Gauge("accuracy", "Share of right answers", ["data"])
loss = Gauge("loss", "Cross-entropy", ["data"])
start_http_server(int(os.environ.get("KATIB_METRICS_PORT", "8080")), addr="127.0.0.1")
for epoch in softmax.train(options):
    accuracy.labels(options.data).set(epoch.accuracy)
    loss.labels(options.data).set(epoch.loss)
time.sleep(1.5)  # the last values have to be seen
