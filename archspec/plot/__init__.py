"""A graph as a picture for a paper: blocks folded, branches side by side, cost as colour.

    picture = draw(graph)       # a display list, for render_svg(picture) or png.render_png(picture)
    save(graph, "net.svg")      # or .png

Read it in this order: outline (graph to nested items), fold (equal neighbours once), panels (the
top level), structure (series and parallels), level and flow (where everything stands), paint (the
display list), svg and png.
"""

from archspec.plot.display import Picture
from archspec.plot.page import draw
from archspec.plot.saving import save
from archspec.plot.svg import render_svg

__all__ = ["Picture", "draw", "render_svg", "save"]
