"""Floor 6: the Python door. ``tune`` runs a function; ``search`` says what to vary; ``Result`` is the answer."""
