"""Floor 4: algorithms over the network. The only place that knows gRPC.

``suggestion_service.server`` serves every algorithm as Katib's ``Suggestion`` service; ``suggestion_service.client``
has RemoteAlgorithm, which makes such a service an Algorithm again. Importing this package alone loads neither.
"""
