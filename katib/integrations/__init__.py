"""Adapters to other libraries, one module each, which imports its library: ``from katib.integrations.sklearn import
KatibSearchCV``. See docs/integrations.md."""
