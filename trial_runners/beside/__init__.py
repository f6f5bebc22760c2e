"""Programs that collect metrics beside a local trial: one module a program, started by the trial's wrapper with the
trial's environment, its end on their standard input.

They are processes of their own so that metrics are collected while no engine lives, and so that nothing that they wait
for holds the engine up. What they collect goes to a file in the attempt's folder, which the engine reads like any
other. They load little: each trial of such a kind starts one.
"""

from __future__ import annotations
