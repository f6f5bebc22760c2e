"""Floor 2: documents of kubeflow.org/v1beta1 to and from the core: reading, defaults, rules, templates, status."""
