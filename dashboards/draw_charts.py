"""Time series and state timelines as SVG."""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import groupby, pairwise
from typing import Any

from dashboards.draw_words import colour, number, palette, ticks
from dashboards.model import Panel

Points = list[tuple[float, float]]
Layer = Sequence[tuple[float, float, float]]
"""(time, bottom, top) of each point."""

GREY, LINE = "#6e6e6e", "#e4e4e4"
LEFT, BOTTOM = 62, 40
WIDEST = 24
DASHES = ' stroke-dasharray="6 4"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A rectangle of the picture, in pixels, and the time that it spans, in seconds."""

    x: float
    y: float
    width: float
    height: float
    since: float
    until: float

    def at(self, moment: float) -> float:
        """The x of a time."""
        return self.x + (moment - self.since) / (self.until - self.since) * self.width

    def clipped(self, drawn: str) -> str:
        """What lies within: a day that begins before the time shown has its point outside."""
        place = f"{self.x - 3:.1f} {self.y - 3:.1f} {self.width + 6:.1f} {self.height + 6:.1f}"
        x, y, width, height = place.split()
        return (f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{place}">'
                f'{drawn}</svg>')


def _gaps(rows: Sequence[Sequence[Any]]) -> dict[str, list[float]]:
    """Times (seconds) by metric at which a query says that there is no value: lines break there."""
    found: dict[str, list[float]] = {}
    for moment, metric, value in rows:
        if value is None:
            at = moment.timestamp() if isinstance(moment, datetime) else float(moment)
            found.setdefault(str(metric), []).append(at)
    return {name: sorted(times) for name, times in found.items()}


def _pieces(points: Layer, gaps: Sequence[float]) -> Iterator[Layer]:
    """The points between one gap and the next."""
    for _, piece in groupby(points, key=lambda point: bisect(gaps, point[0])):
        yield list(piece)


def series_of(rows: Sequence[Sequence[Any]]) -> dict[str, Points]:
    """Points (seconds, value) by metric, in order of time; without a value there is none."""
    found: dict[str, Points] = {}
    for moment, metric, value in rows:
        if value is not None:
            at = moment.timestamp() if isinstance(moment, datetime) else float(moment)
            found.setdefault(str(metric), []).append((at, float(value)))
    return {name: sorted(points) for name, points in found.items()}


def timeseries(panel: Panel, rows: Sequence[Sequence[Any]], box: Frame) -> str:
    """Lines, or bars, stacked or not, with axes, limits and a legend."""
    series = series_of(rows)
    colours = {name: colour(panel.colours.get(name, palette(index)))
               for index, name in enumerate(series)}
    layers = _stacked(series) if panel.stacked else {
        name: [(at, 0.0, value) for at, value in points] for name, points in series.items()}
    low, high = _range(panel, layers)
    frame = Frame(x=box.x + LEFT, y=box.y + 6, width=box.width - LEFT - 14,
                  height=box.height - BOTTOM - 16, since=box.since, until=box.until)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / ((high - low) or 1)
        return frame.y + frame.height * (1 - share)

    grain, gaps = _grain(series), _gaps(rows)
    parts = [_axes(frame, low, high, panel, y), frame.clipped("".join(
        _bars(points, frame, y, colours[name], grain) if panel.bars else
        "".join(_line(piece, frame, y, colours[name], panel.stacked, name in panel.dashed)
                for piece in _pieces(points, gaps.get(name, ())))
        for name, points in layers.items()))]
    parts += [_limit(frame, y(one.value), colour(one.colour)) for one in panel.thresholds
              if one.value is not None and low < one.value < high]
    return "".join(parts) + legend(colours, box)


def states(panel: Panel, rows: Sequence[Sequence[Any]], box: Frame) -> str:
    """A band for each metric, coloured by what its number stands for."""
    series = series_of(rows)
    left = 112
    frame = Frame(x=box.x + left, y=box.y + 4, width=box.width - left - 14,
                  height=box.height - BOTTOM - 16, since=box.since, until=box.until)
    high = frame.height / max(1, len(series))
    wide = _grain(series) / (frame.until - frame.since) * frame.width
    parts = [_times(frame)]
    for index, (name, points) in enumerate(series.items()):
        top = frame.y + index * high + high * 0.12
        parts.append(f'<text x="{frame.x - 6}" y="{top + high * .5:.0f}" text-anchor="end" '
                     f'font-size="11" fill="{GREY}">{escape(name)}</text>')
        parts += [f'<rect x="{frame.at(at):.1f}" y="{top:.1f}" width="{wide + .3:.1f}" '
                  f'height="{high * .76:.1f}" fill="{colour(panel.states[int(value)][1])}"/>'
                  for at, value in points]
    seen = sorted({int(value) for points in series.values() for _, value in points})
    return "".join(parts) + legend(
        {panel.states[one][0]: colour(panel.states[one][1]) for one in seen}, box)


def legend(colours: Mapping[str, str], box: Frame) -> str:
    """Names with their colours, along the bottom, as far as they fit."""
    x, y, parts = box.x + 12.0, box.y + box.height - 8, []
    for name, own in colours.items():
        short = name if len(name) <= 44 else name[:43] + "…"
        wide = 20 + 6.1 * len(short)
        if x + wide > box.x + box.width:
            parts.append(f'<text x="{x}" y="{y}" font-size="11" fill="{GREY}">…</text>')
            break
        parts.append(f'<rect x="{x:.0f}" y="{y - 8}" width="10" height="4" fill="{own}"/>'
                     f'<text x="{x + 14:.0f}" y="{y - 2}" font-size="11" fill="{GREY}">'
                     f'{escape(short)}</text>')
        x += wide
    return "".join(parts)


def _stacked(series: Mapping[str, Points]) -> dict[str, list[tuple[float, float, float]]]:
    """(time, bottom, top) of each metric upon those before it."""
    heights: dict[float, float] = {}
    layers = {}
    for name, points in series.items():
        layers[name] = [(at, heights.get(at, 0.0), heights.get(at, 0.0) + value)
                        for at, value in points]
        heights.update({at: top for at, _, top in layers[name]})
    return layers


def _range(panel: Panel, layers: Mapping[str, Sequence[tuple[float, float, float]]],
           ) -> tuple[float, float]:
    tops = [top for points in layers.values() for _, _, top in points] or [0.0, 1.0]
    low = min(tops) if panel.low is None else panel.low
    high = max(tops) if panel.high is None else panel.high
    near = [one.value for one in panel.thresholds
            if one.value is not None and low - (high - low) <= one.value <= high * 1.6]
    low, high = min([low, *near]) if panel.low is None else low, max([high, *near])
    margin = (high - low or abs(high) or 1) * 0.08
    return (low - margin if panel.low is None else low,
            high + margin if panel.high is None else high)


def _grain(series: Mapping[str, Points]) -> float:
    """The least time between two points, an hour where that cannot be told."""
    times = sorted({at for points in series.values() for at, _ in points})
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return min(gaps, default=3600.0)


def _axes(frame: Frame, low: float, high: float, panel: Panel, y: Any) -> str:
    parts = [_times(frame)]
    for value in ticks(low, high, panel.unit):
        parts.append(
            f'<line x1="{frame.x}" x2="{frame.x + frame.width}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}" stroke="{LINE}"/><text x="{frame.x - 6}" y="{y(value) + 4:.0f}" '
            f'text-anchor="end" font-size="11" fill="{GREY}">'
            f'{number(value, panel.unit, 0 if panel.unit == "percentunit" else None)}</text>')
    return "".join(parts)


def _times(frame: Frame) -> str:
    hours = (frame.until - frame.since) / 3600
    step = next((one for one in (1, 3, 6, 12, 24, 48, 120, 240) if hours / one <= 8), 720)
    moment = datetime.fromtimestamp(frame.since, UTC).replace(minute=0, second=0, microsecond=0)
    moment += timedelta(hours=-moment.hour % step if step < 24 else -moment.hour % 24)
    parts = []
    while moment.timestamp() <= frame.until:
        x = frame.at(moment.timestamp())
        label = moment.strftime("%d %b" if step >= 24 or moment.hour == 0 else "%H:%M")
        parts.append(f'<text x="{x:.0f}" y="{frame.y + frame.height + 15}" text-anchor="middle" '
                     f'font-size="11" fill="{GREY}">{label}</text>')
        moment += timedelta(hours=step)
    return "".join(parts)


def _bars(points: Sequence[tuple[float, float, float]], frame: Frame, y: Any, own: str,
          grain: float) -> str:
    wide = min(WIDEST, max(1.5, grain / (frame.until - frame.since) * frame.width * 0.8))
    return "".join(
        f'<rect x="{frame.at(at) - wide / 2:.1f}" y="{y(top):.1f}" width="{wide:.1f}" '
        f'height="{max(0, y(bottom) - y(top)):.1f}" fill="{own}" fill-opacity="0.85"/>'
        for at, bottom, top in points)


def _line(points: Layer, frame: Frame, y: Any, own: str,
          stacked: bool, dashed: bool) -> str:
    """A line, with dots where they are few; filled down to the metric below when stacked."""
    tops = [(frame.at(at), y(top)) for at, _, top in points]
    line = " ".join(f"{x:.1f},{h:.1f}" for x, h in tops)
    drawn = (f'<polyline points="{line}" fill="none" stroke="{own}" stroke-width="1.5"'
             f'{DASHES if dashed else ""}/>')
    if stacked:
        floor = " ".join(f"{frame.at(at):.1f},{y(low):.1f}" for at, low, _ in reversed(points))
        drawn += f'<polygon points="{line} {floor}" fill="{own}" fill-opacity="0.25"/>'
    if len(tops) <= 40:
        drawn += "".join(f'<circle cx="{x:.1f}" cy="{h:.1f}" r="2" fill="{own}"/>'
                         for x, h in tops)
    return drawn


def _limit(frame: Frame, y: float, own: str) -> str:
    return (f'<line x1="{frame.x}" x2="{frame.x + frame.width}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{own}" stroke-dasharray="6 4"/>')
