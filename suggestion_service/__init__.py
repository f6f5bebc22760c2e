"""Floor 4: algorithms and metrics over the network. The only place that knows gRPC.

``suggestion_service.server`` serves Katib's ``Suggestion``, ``EarlyStopping`` and ``DBManager``, each in a file of its
own; ``suggestion_service.client`` has RemoteAlgorithm, which makes a Suggestion service an Algorithm again. Importing
this package alone loads none of them.
"""
