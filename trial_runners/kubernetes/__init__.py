"""Runs trials as jobs of a Kubernetes cluster."""
