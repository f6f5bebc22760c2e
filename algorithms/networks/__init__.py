"""Architectures as PyTorch modules. Everything below here needs the extra ``nas``."""
