"""Time series as SVG: what is outside of the time shown is not drawn over other panels."""

from dataclasses import replace
from xml.etree import ElementTree

from dashboards.boards import BOARDS
from dashboards.draw_charts import Frame, timeseries
from dashboards.model import Kind

SVG = "{http://www.w3.org/2000/svg}"
HOUR_S = 3600


def test_a_point_before_the_time_shown_is_clipped() -> None:
    panel = next(one for one in BOARDS[0].panels if one.kind is Kind.TIMESERIES)
    box = Frame(x=500, y=100, width=400, height=300, since=24 * HOUR_S, until=48 * HOUR_S)
    drawn = timeseries(replace(panel, bars=False, stacked=False),
                       [(0, "one", 1.0), (36 * HOUR_S, "one", 2.0)], box)
    whole = ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>')
    (clip,) = whole.findall(f"{SVG}svg")
    assert clip.findall(f"{SVG}polyline"), "the line lies in the part that is clipped"
    left, top, width, height = map(float, clip.attrib["viewBox"].split())
    assert box.x < left < left + width < box.x + box.width
    assert box.y < top < top + height < box.y + box.height


def test_a_line_breaks_where_there_is_no_value() -> None:
    panel = next(one for one in BOARDS[0].panels if one.kind is Kind.TIMESERIES)
    box = Frame(x=0, y=0, width=400, height=300, since=0, until=10 * HOUR_S)
    values = [1.0, 2.0, None, None, 3.0, 2.0, None]
    drawn = timeseries(replace(panel, bars=False, stacked=False), [
        (hour * HOUR_S, "one", value) for hour, value in enumerate(values)], box)
    whole = ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>')
    assert [len(line.attrib["points"].split()) for line in whole.iter(f"{SVG}polyline")] == [2, 2]
