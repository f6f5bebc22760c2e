"""Floor 4: runs experiments. Imports ``katib.core`` only; ``katib.compose`` hands it the ports' implementations."""
