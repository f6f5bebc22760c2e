"""``katib bench report``: what the logs of a benchmark say, as pages, pictures and tables."""
