"""Pictures of boards, from the answers of their own queries, as Grafana would lay them out.

Not Grafana's own drawing: what it shows are the queries' rows, the panels' titles, units, limits
and places, so that a board can be looked at where there is no Grafana.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from dashboards.documents import ROW, placed
from dashboards.draw_charts import GREY, LINE, Frame, states, timeseries
from dashboards.draw_words import cell, colour, number
from dashboards.model import Board, Kind, Panel, Step
from registry.readers import Answer

WIDTH, UNIT, GAP, TOP = 1440, 34, 8, 56
LINE_HEIGHT = 20
WIDEST = 44
"""Characters of a column."""


def board_svg(board: Board, answers: Sequence[tuple[Panel, Answer]], since: datetime,
              until: datetime, chosen: Mapping[str, Sequence[str]]) -> str:
    """The whole board as an SVG document."""
    places = placed([panel for panel, _ in answers])
    height = TOP + UNIT * max(place["y"] + place["h"] for _, place in places) + GAP
    body = "".join(
        _panel(panel, answer, _frame(place, since, until), chosen)
        for (panel, answer), (_, place) in zip(answers, places, strict=True))
    span = f"{_told(since)} to {_told(until)} UTC"
    choice = "".join(f"   {name}: {', '.join(values)}" for name, values in chosen.items())
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="Inter, Roboto, Helvetica, Arial, '
            f'DejaVu Sans, sans-serif"><rect width="100%" height="100%" fill="#f4f5f5"/>'
            f'<text x="16" y="27" font-size="20" font-weight="600">{escape(board.title)}</text>'
            f'<text x="16" y="46" font-size="13" fill="{GREY}">{escape(board.about)}</text>'
            f'<text x="{WIDTH - 16}" y="27" font-size="13" fill="{GREY}" text-anchor="end">'
            f'{escape(span + choice)}</text>{body}</svg>\n')


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%d %b %Y %H:%M")


def _frame(place: Mapping[str, int], since: datetime, until: datetime) -> Frame:
    column = (WIDTH - GAP) / ROW
    return Frame(x=GAP + place["x"] * column, y=TOP + place["y"] * UNIT,
                 width=place["w"] * column - GAP, height=place["h"] * UNIT - GAP,
                 since=since.timestamp(), until=until.timestamp())


def _panel(panel: Panel, answer: Answer, box: Frame, chosen: Mapping[str, Sequence[str]]) -> str:
    title = panel.title
    for name, values in chosen.items():
        title = title.replace("${" + name + "}", ", ".join(values))
    head = (f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" rx="3" '
            f'height="{box.height:.0f}" fill="#fff" stroke="{LINE}"/>'
            f'<text x="{box.x + 12:.0f}" y="{box.y + 21:.0f}" font-size="14" font-weight="600" '
            f'fill="#333">{escape(title)}</text>')
    inner = Frame(x=box.x, y=box.y + 30, width=box.width, height=box.height - 30,
                  since=box.since, until=box.until)
    if not answer.rows:
        return head + _centred("No data", inner, 14, GREY)
    match panel.kind:
        case Kind.TIMESERIES:
            return head + timeseries(panel, answer.rows, inner)
        case Kind.STATES:
            return head + states(panel, answer.rows, inner)
        case Kind.STAT:
            return head + _stat(panel, answer, inner)
        case Kind.BARS:
            return head + _bar_gauge(panel, answer, inner)
        case Kind.TABLE:
            return head + _table(panel, answer, inner)


def _stat(panel: Panel, answer: Answer, box: Frame) -> str:
    value = answer.rows[0][0]
    text = cell(value, panel.unit, panel.decimals)
    own = "#333" if isinstance(value, str) else _by_limits(panel.thresholds, value)
    return _centred(text, box, 34, own)


def _centred(text: str, box: Frame, size: int, own: str) -> str:
    return (f'<text x="{box.x + box.width / 2:.0f}" y="{box.y + box.height / 2 + size / 3:.0f}" '
            f'font-size="{size}" font-weight="600" text-anchor="middle" fill="{own}">'
            f'{escape(text)}</text>')


def _by_limits(limits: Sequence[Step], value: float | None) -> str:
    reached = [one for one in limits
               if one.value is None or (value is not None and float(value) >= one.value)]
    return colour(reached[-1].colour) if reached else "#333"


def _bar_gauge(panel: Panel, answer: Answer, box: Frame) -> str:
    rows = [(str(name), float(value)) for name, value in answer.rows if value is not None]
    high = panel.high or max((value for _, value in rows), default=1) or 1
    left = box.x + 24 + 6.6 * max((len(name) for name, _ in rows), default=0)
    wide = box.x + box.width - left - 76
    step = min(28.0, (box.height - 12) / max(1, len(rows)))
    parts = []
    for index, (name, value) in enumerate(rows):
        y, own = box.y + 4 + index * step, _by_limits(panel.thresholds, value)
        parts.append(
            f'<text x="{left - 8:.0f}" y="{y + step * .62:.0f}" font-size="12" text-anchor="end" '
            f'fill="#333">{escape(name)}</text>'
            f'<rect x="{left:.0f}" y="{y + 2:.0f}" width="{wide:.0f}" height="{step - 5:.0f}" '
            f'fill="#f0f1f2"/><rect x="{left:.0f}" y="{y + 2:.0f}" height="{step - 5:.0f}" '
            f'width="{wide * min(1, max(0, value / high)):.1f}" fill="{own}"/>'
            f'<text x="{left + wide + 8:.0f}" y="{y + step * .62:.0f}" font-size="12" '
            f'fill="#333">{number(value, panel.unit, panel.decimals)}</text>')
    return "".join(parts)


def _table(panel: Panel, answer: Answer, box: Frame) -> str:
    """As many rows as fit; columns as wide as what is in them."""
    names = [name for name, _ in answer.columns]
    most = int((box.height - 12) // LINE_HEIGHT) - 1
    body = [[cell(value, panel.unit, panel.decimals) for value in row]
            for row in answer.rows[:most]]
    sizes = [min(WIDEST, max(len(row[at]) for row in [names, *body])) + 2
             for at in range(len(names))]
    lefts = [box.x + 12 + sum(sizes[:at]) / sum(sizes) * (box.width - 24)
             for at in range(len(names))]
    fits = [max(3, int(size / sum(sizes) * (box.width - 24) / 6.6) - 1) for size in sizes]
    parts = [_cells(names, lefts, fits, box.y + 14, GREY)]
    for index, row in enumerate(body, 1):
        y = box.y + 14 + index * LINE_HEIGHT
        parts.append(f'<path d="M{box.x + 8:.0f} {y - 14:.0f}h{box.width - 16:.0f}" '
                     f'stroke="{LINE}"/>' + _cells(row, lefts, fits, y, "#333"))
    return "".join(parts)


def _cells(texts: Sequence[str], lefts: Sequence[float], fits: Sequence[int], y: float,
           own: str) -> str:
    return "".join(
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="12" fill="{own}">'
        f'{escape(text if len(text) <= fit else text[:fit - 1] + "…")}</text>'
        for text, x, fit in zip(texts, lefts, fits, strict=True))
