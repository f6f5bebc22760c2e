"""Floor 1: the words that every other part shares. Values and pure functions only; nothing here has an effect."""
