"""The pen: boxes, arrows, operations and labels of one drawing."""

from unrolled.page.plots import BLUE

INK = "#222222"
PALE = "#5A5A5A"
CELL = 46                                                   # side of a cell's box; every distance follows from it
SIGN = 12                                                   # radius of a circle with an operation in it


class Drawing:
    """SVG under construction; coordinates are pixels, y grows downwards."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.parts = []

    def box(self, x, y, label="", color=BLUE, side=CELL):
        """A cell, centred on (x, y)."""
        self.parts.append(
            f'<rect x="{x - side / 2}" y="{y - side / 2}" width="{side}" height="{side}" rx="8" '
            f'fill="{color}" fill-opacity="0.16" stroke="{color}" stroke-width="1.8"/>'
        )
        if label:
            self.text(x, y + 5, label)

    def text(self, x, y, label, anchor="middle", color=INK, size=15):
        """A label; `h_t` sets an italic letter with a subscript, a leading space keeps text upright."""
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}" font-size="{size}">'
                          f"{_typeset(label, size)}</text>")

    def arrow(self, x1, y1, x2, y2, color=INK, width=1.5, dashed=False):
        """A straight arrow; its head is drawn, not a marker, since ids would clash between two drawings of a page."""
        self.path(f"M{x1},{y1} L{x2},{y2}", (x1, y1), (x2, y2), color, width, dashed)

    def path(self, d, before, end, color=INK, width=1.5, dashed=False):
        """An arrow along the path `d` that ends at `end`, coming from the direction of `before`."""
        dx, dy = end[0] - before[0], end[1] - before[1]
        length = (dx * dx + dy * dy) ** 0.5
        ux, uy, head = dx / length, dy / length, 5 + 2 * width
        left = end[0] - head * ux - 0.45 * head * uy, end[1] - head * uy + 0.45 * head * ux
        right = end[0] - head * ux + 0.45 * head * uy, end[1] - head * uy - 0.45 * head * ux
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width}"{dash}/>')
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, left, right))
        self.parts.append(f'<polygon points="{corners}" fill="{color}"/>')

    def line(self, *points, color=INK, width=1.5, dashed=False):
        """A line through the points, without a head."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        corners = " L".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<path d="M{corners}" fill="none" stroke="{color}" stroke-width="{width}"{dash} '
                          'stroke-linejoin="round"/>')

    def bend(self, *points, color=INK, width=1.5, dashed=False):
        """An arrow through the points: straight pieces, the head at the last."""
        self.path("M" + " L".join(f"{x},{y}" for x, y in points), points[-2], points[-1], color, width, dashed)

    def operation(self, x, y, sign, color=INK):
        """What happens entry by entry, × or +, in a small circle."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="{SIGN}" fill="{color}" fill-opacity="0.16" stroke="{color}" '
                          'stroke-width="1.8"/>')
        self.text(x, y + 6, f" {sign}", color=color, size=18)

    def joint(self, x, y, color=INK):
        """A dot where one line leaves another."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>')

    def markup(self, attributes='role="img"'):
        """The drawing as text, as large as it is by now."""
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" {attributes} '
                f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="15" fill="{INK}">')
        return "".join([head, f"<title>{self.title}</title>", *self.parts, "</svg>"])

    def svg(self):
        """The drawing, ready to display in a notebook."""
        from IPython.display import SVG

        return SVG(self.markup())


def _typeset(label, size):
    if label.startswith(" "):
        return label[1:]
    letter, _, subscript = label.partition("_")
    low = f'<tspan dy="{size * 0.25:.1f}" font-size="{size * 0.75:.1f}" font-style="normal">{subscript}</tspan>'
    return f'<tspan font-style="italic">{letter}</tspan>' + (low if subscript else "")
