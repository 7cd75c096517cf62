"""Print docs/architecture.svg: python scripts/architecture.py > docs/architecture.svg.

The picture is made from the imports. A room is a panel, a package in it a box, and so are modules
of a room that lie outside of its packages, grouped by the packages that they need. An arrow leads
from what imports to what is imported. Arrows that follow from others are left out: where `a`
imports `b`, `b` imports `c` and `a` imports `c` too, the third is not drawn.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

import grimp

ROOMS = ("api", "katib", "promote", "registry", "trainer", "tunegate")
LAYERS = (("tunegate",), ("api", "katib", "promote", "trainer"), ("registry",))
WIDTHS = {
    "tunegate": 1160,
    "api": 264,
    "katib": 370,
    "promote": 150,
    "trainer": 320,
    "registry": 1160,
}
LEFT = 20  # free on each side of the picture
PANEL_GAP = 18
PADDING = 14  # inside of a panel
TITLE = 30  # the height of a panel's title
ROW_GAP = 26  # between two rows of boxes, for the arrows
COLUMN_GAP = 12  # between two boxes of a row
ROOM_ARROW = 44  # between two layers of panels
LINE = 14
CHARACTER = 6.1  # the width of a character of a module's name
STYLE = """
  svg { color-scheme: light dark; }
  text { font-family: ui-sans-serif, system-ui, "Segoe UI", Arial, sans-serif; fill: #1b2430; }
  .back { fill: #ffffff; }
  .room { fill: #eef2f7; stroke: #c3cedb; }
  .box { fill: #ffffff; stroke: #7d8fa5; }
  .title { font-size: 16px; font-weight: 700; }
  .name { font-size: 12.5px; font-weight: 600; }
  .module { font-size: 11px; fill: #46566a; }
  .arrow { stroke: #5f7189; fill: none; stroke-width: 1.2; }
  .rooms { stroke: #2c3e55; fill: none; stroke-width: 2; }
  .head { fill: #5f7189; }
  .heads { fill: #2c3e55; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf5; }
    .back { fill: #14191f; }
    .room { fill: #1d252e; stroke: #3a4858; }
    .box { fill: #26313d; stroke: #62758b; }
    .module { fill: #b3c1d0; }
    .arrow { stroke: #8fa3b9; }
    .rooms { stroke: #c9d6e4; }
    .head { fill: #8fa3b9; }
    .heads { fill: #c9d6e4; }
  }
"""

Arrows = Mapping[str, set[str]]


@dataclass(frozen=True)
class Box:
    """A package of a room, or modules of it that lie outside of its packages."""

    title: str
    modules: tuple[str, ...]
    level: int


@dataclass(frozen=True)
class Frame:
    """Where something is drawn, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return self.y + self.height


def render() -> str:
    """Return the whole picture."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    parts: list[str] = []
    frames: dict[str, Frame] = {}
    y = float(LEFT)
    for layer in LAYERS:
        drawn = {room: _panel(graph, room) for room in layer}
        height = max(panel_height for _, panel_height in drawn.values())
        x = float(LEFT)
        for room, (content, _) in drawn.items():
            frames[room] = Frame(x, y, WIDTHS[room], height)
            parts.append(f'<g transform="translate({x:g} {y:g})">')
            parts.append(_rectangle("room", Frame(0, 0, WIDTHS[room], height), 10))
            parts += [*content, "</g>"]
            x += WIDTHS[room] + PANEL_GAP
        y += height + ROOM_ARROW
    parts += _room_arrows(graph, frames)
    return _document(parts, WIDTHS["tunegate"] + 2 * LEFT, y - ROOM_ARROW + LEFT)


def _document(parts: Sequence[str], width: float, height: float) -> str:
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{size}" '
        f'markerHeight="{size}" orient="auto-start-reverse">'
        f'<path class="{name}" d="M0 0L8 4L0 8z"/></marker>'
        for name, size in (("head", 7), ("heads", 6))
    )
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>The six rooms, their packages, and who imports whom</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{heads}</defs>",
        f'<rect class="back" width="{width:g}" height="{height:g}"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panel(graph: grimp.ImportGraph, room: str) -> tuple[list[str], float]:
    """Return what is drawn inside of a room's panel, and the panel's height."""
    boxes, arrows = _boxes(graph, room)
    rows = defaultdict(list)
    for box in boxes:
        rows[box.level].append(box)
    drawn: list[str] = []
    frames: dict[str, Frame] = {}
    y = float(TITLE)
    for level in sorted(rows, reverse=True):
        row = rows[level]
        width = (WIDTHS[room] - 2 * PADDING - COLUMN_GAP * (len(row) - 1)) / len(row)
        height = max(_box_height(box, width) for box in row)
        for place, box in enumerate(row):
            x = PADDING + place * (width + COLUMN_GAP)
            frames[box.title] = Frame(x, y, width, height)
            drawn += _draw_box(box, frames[box.title])
        y += height + ROW_GAP
    lines = [_arrow(frames[a], frames[b]) for a in sorted(arrows) for b in sorted(arrows[a])]
    title = f'<text class="title" x="{PADDING}" y="21">{room}/</text>'
    return [title, *lines, *drawn], y - ROW_GAP + PADDING


def _boxes(graph: grimp.ImportGraph, room: str) -> tuple[list[Box], Arrows]:
    siblings = sorted(graph.find_children(room) - {f"{room}.__main__"})
    packages = {name for name in siblings if graph.find_children(name)}
    imports = {name: _imported_siblings(graph, name, siblings) for name in siblings}
    levels: dict[str, int] = {}
    for name in siblings:
        _set_level(name, imports, packages, levels)
    group_of = {}
    groups: dict[str, list[str]] = defaultdict(list)
    for name in siblings:
        if name in packages:
            group_of[name] = _last(name)
        else:
            group_of[name] = f"modules {levels[name]}"
            groups[group_of[name]].append(_last(name))
    boxes = [
        Box(_last(name), tuple(_package_modules(graph, name)), 2 * levels[name])
        for name in sorted(packages)
    ]
    boxes += [
        Box(title, tuple(names), 2 * int(title.removeprefix("modules ")) + 1)
        for title, names in groups.items()
    ]
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, targets in imports.items():
        arrows[group_of[name]] |= {group_of[t] for t in targets} - {group_of[name]}
    return boxes, _reduce(arrows)


def _set_level(name: str, imports: Arrows, packages: set[str], levels: dict[str, int]) -> int:
    """Set how many packages lie one above the other below this module; a package counts itself."""
    if name not in levels:
        below = [_set_level(each, imports, packages, levels) for each in imports[name]]
        levels[name] = max(below, default=0) + (name in packages)
    return levels[name]


def _imported_siblings(graph: grimp.ImportGraph, name: str, siblings: Sequence[str]) -> set[str]:
    sources = {name, *graph.find_descendants(name)}
    targets = {t for s in sources for t in graph.find_modules_directly_imported_by(s)}
    return {
        sibling
        for sibling in siblings
        if sibling != name and any(t == sibling or t.startswith(f"{sibling}.") for t in targets)
    }


def _package_modules(graph: grimp.ImportGraph, package: str) -> Iterator[str]:
    for child in sorted(graph.find_children(package)):
        if graph.find_children(child):
            yield f"{_last(child)}/"
        elif _last(child) != "__main__":
            yield _last(child)


def _reduce(arrows: Arrows) -> Arrows:
    """Leave out the arrows that follow from others."""
    reached: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in reached:
            direct = arrows.get(name, set())
            reached[name] = direct.union(*map(reach, direct))
        return reached[name]

    return {
        name: {t for t in targets if not any(t in reach(other) for other in targets - {t})}
        for name, targets in arrows.items()
    }


def _draw_box(box: Box, frame: Frame) -> Iterator[str]:
    yield _rectangle("box", frame, 6)
    y = frame.y + 16
    if not box.title.startswith("modules "):
        yield _text("name", frame.x + 8, y, f"{box.title}/")
        y += LINE
    for line in _lines(box, frame.width):
        yield _text("module", frame.x + 8, y, line)
        y += LINE


def _box_height(box: Box, width: float) -> float:
    titled = not box.title.startswith("modules ")
    return 10 + LINE * (titled + len(_lines(box, width)))


def _lines(box: Box, width: float) -> list[str]:
    names = [f"{name}," for name in box.modules]
    text = " ".join(names).removesuffix(",")
    return wrap(text, int((width - 16) / CHARACTER), break_on_hyphens=False)


def _rectangle(kind: str, frame: Frame, radius: int) -> str:
    place = f'x="{frame.x:g}" y="{frame.y:g}" width="{frame.width:g}" height="{frame.height:g}"'
    return f'<rect class="{kind}" {place} rx="{radius}"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _arrow(source: Frame, target: Frame) -> str:
    """Draw from the lower edge of a box to the upper edge of one below it."""
    x_from = _towards(source, target)
    x_to = _towards(target, source)
    bend = min(ROW_GAP, target.y - source.bottom) / 2
    path = (
        f"M{x_from:g} {source.bottom:g}"
        f"C{x_from:g} {source.bottom + bend:g} {x_to:g} {target.y - bend:g} {x_to:g} {target.y:g}"
    )
    return f'<path class="arrow" marker-end="url(#head)" d="{path}"/>'


def _towards(source: Frame, target: Frame) -> float:
    """Return where on a box's edge an arrow stands: nearer to the side of the other box."""
    middle = source.x + source.width / 2
    other = target.x + target.width / 2
    reach = source.width / 2 - 16
    return middle + max(-reach, min(reach, (other - middle) * 0.35))


def _room_arrows(graph: grimp.ImportGraph, frames: Mapping[str, Frame]) -> Iterator[str]:
    arrows = {room: _imported_siblings(graph, room, ROOMS) for room in ROOMS}
    for room, targets in sorted(_reduce(arrows).items()):
        for target in sorted(targets):
            upper = frames[room]
            lower = frames[target]
            narrow = min(upper, lower, key=lambda frame: frame.width)
            x = narrow.x + narrow.width / 2
            path = f"M{x:g} {upper.bottom:g}L{x:g} {lower.y:g}"
            yield f'<path class="rooms" marker-end="url(#heads)" d="{path}"/>'


def _last(name: str) -> str:
    return name.rpartition(".")[2]


if __name__ == "__main__":
    print(render(), end="")
