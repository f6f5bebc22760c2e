"""Architectures, and how a search came to them, as SVG; made here, without a program or a library for graphs.

Lines and texts take the colour of the page that a picture stands in.
"""

from algorithms.architecture.pictures.drawing import Titled, draw, draw_beside
from algorithms.architecture.pictures.heat_map import SearchRecord, draw_weights, read_record

__all__ = ["SearchRecord", "Titled", "draw", "draw_beside", "draw_weights", "read_record"]
