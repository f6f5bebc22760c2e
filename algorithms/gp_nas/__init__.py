"""Architecture search by a Gaussian process over the paths that run through networks."""
