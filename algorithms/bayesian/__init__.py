"""The Gaussian-process optimiser behind ``bayesianoptimization``, in small parts:

encoding (a space's axes as a model sees them), kernels, regression (hyperparameters), posterior (predictions, pending
trials included), warp (of losses), acquisition, search (its maximiser), model (what is
fitted to a history) and suggester, which puts them together.
"""
