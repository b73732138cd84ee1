"""A picture as SVG text."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from archspec.plot.display import Circle, Path, Picture, Rect, Shape, Text, arrow_head

FONTS = "Aileron, Helvetica, Arial, sans-serif"


def render_svg(picture: Picture) -> str:
    """One SVG document. Text is held to the width it was measured at, whatever font is at hand."""
    width, height = _number(picture.width), _number(picture.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="{FONTS}">',
        f"<title>{escape(_printable(picture.name))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    lines += [_shape(shape) for shape in picture.shapes]
    return "\n".join([*lines, "</svg>", ""])


def _shape(shape: Shape) -> str:
    if isinstance(shape, Rect):
        return _rect(shape)
    if isinstance(shape, Circle):
        return (
            f'<circle class="{shape.role}" cx="{_number(shape.x)}" cy="{_number(shape.y)}"'
            f' r="{_number(shape.radius)}" fill="{shape.fill}" stroke="{shape.stroke}"'
            f"{_node(shape.node)}/>"
        )
    if isinstance(shape, Text):
        return _text(shape)
    return _path(shape)


def _rect(shape: Rect) -> str:
    stroke = f' stroke="{shape.stroke}" stroke-width="{_number(shape.stroke_width)}"'
    return (
        f'<rect class="{shape.role}" x="{_number(shape.x)}" y="{_number(shape.y)}"'
        f' width="{_number(shape.width)}" height="{_number(shape.height)}"'
        f' rx="{_number(shape.radius)}" fill="{shape.fill}"{stroke if shape.stroke else ""}'
        f"{_node(shape.node)}/>"
    )


def _text(shape: Text) -> str:
    weight = ' font-weight="bold"' if shape.bold else ""
    held = f' textLength="{_number(shape.width)}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text class="{shape.role}" x="{_number(shape.x)}" y="{_number(shape.y)}"'
        f' font-size="{_number(shape.size)}" fill="{shape.fill}"{weight}'
        f"{held if shape.width > 0 else ''}{_node(shape.node)}>"
        f"{escape(_printable(shape.text))}</text>"
    )


def _path(shape: Path) -> str:
    words: list[str] = []
    for command, points in shape.segments:
        words.append(command + " ".join(f"{_number(x)} {_number(y)}" for x, y in points))
    edge = _node(shape.node)
    if shape.edge[0]:
        edge += f" data-from={quoteattr(_printable(shape.edge[0]))}"
        edge += f" data-to={quoteattr(_printable(shape.edge[1]))}"
    return (
        f'<path class="{shape.role}" d="{" ".join(words)}" fill="none" stroke="{shape.stroke}"'
        f' stroke-width="{_number(shape.width)}"{edge}/>{_arrow(shape)}'
    )


def _arrow(shape: Path) -> str:
    # Drawn as a shape of its own: markers are what SVG readers disagree about most.
    corners = arrow_head(shape)
    if not corners:
        return ""
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
    return f'<polygon class="arrow" points="{points}" fill="{shape.stroke}"/>'


def _node(name: str) -> str:
    """What names the box that a shape is a piece of, for whoever looks for it in the drawing."""
    return f" data-node={quoteattr(_printable(name))}" if name else ""


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
