"""Other optimisers, each behind the protocol of ``benchmarks.search.rival``, each in a process and environment of its
own. Nothing here imports anything of this project but its neighbours ``axes`` and ``serve``."""
