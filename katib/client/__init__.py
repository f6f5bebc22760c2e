"""Katib's own Python SDK, over three places: this machine's store, ``katib serve``, and a cluster with Katib.

Read ``katib_client`` first, then ``backend`` (what a place can do) with ``local``, ``rest`` and the connections below
it; ``models`` are the documents as Python has them, ``trees`` are what travels.
"""
