"""DARTS: one trial searches by gradient descent. The engine loads ``suggestion`` alone; the rest needs PyTorch."""
