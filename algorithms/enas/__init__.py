"""ENAS: a controller that learns which architectures are good (Pham et al. 2018). The engine loads ``suggestion``
alone; the rest needs PyTorch."""
