"""Floor 6: ``katib serve``, an API in the shape of Kubernetes' over one store, and the experiments run beside it."""
