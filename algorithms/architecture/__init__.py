"""Spaces of network architectures: what Katib's ``nasConfig`` says, typed, and as search spaces of choices."""
