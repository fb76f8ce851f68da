"""The doctor's report on a real database: what is stored comes out as it was meant."""

import json
import re

from sqlalchemy import Engine, insert

from clinical.news2 import BANDS
from registry import tables
from registry.database import transaction
from tests.answers import Browser
from tests.clinic import CYCLE, HORIZON, HOUR

RECT = re.compile(r'<rect class="fill-([a-z-]+)"[^>]* y="([\d.]+)"[^>]* height="([\d.]+)"')
FOOT = 96.0


def test_the_strip_stands_on_the_highest_band(browser: Browser) -> None:
    """So that the threshold is compared with what is 5 or more: medium and high together."""
    page = browser("doctor").get("/patients/ill")
    strip = page.text.partition('<figure class="strip">')[2].partition("</figure>")[0]
    rects = [(band, float(top), float(height)) for band, top, height in RECT.findall(strip)]
    assert len(rects) == HORIZON * len(BANDS)
    for first in range(0, len(rects), len(BANDS)):
        hour = rects[first:first + len(BANDS)]
        assert [band for band, _, _ in hour] == [band.value for band in reversed(BANDS)]
        tops = [top for _, top, _ in hour]
        assert tops == sorted(tops, reverse=True)
        assert abs(tops[0] + hour[0][2] - FOOT) < 0.1


def test_whom_the_score_does_not_fit_the_protocol_does_not_judge(browser: Browser) -> None:
    """Its limits are those of adults outside pregnancy, too."""
    page = browser("doctor").get("/patients/mother").text
    card = page.partition('<h2 id="protocol">')[2].partition("</section>")[0]
    assert "Not assessed" in card and "pregnancy" in card
    assert "<table" not in card


def test_a_chance_from_few_inputs_is_no_number(browser: Browser) -> None:
    """Three of seven inputs are forecast: a low chance would say only that the rest is missing."""
    doctor = browser("doctor")
    card = doctor.get("/patients/gaps").text.partition('<h2 id="ahead">')[2].partition(
        "</section>")[0]
    assert "3 of 7 inputs" in card and 'class="unknown"' in card
    assert re.search(r'<p class="big">\s*Not known', card)
    assert not re.search(r"[^≥] 0 %", card)
    assert "stays below" not in card.partition("<details>")[0]
    line = doctor.get("/").text.partition('href="/patients/gaps"')[2].partition("</tr>")[0]
    assert "not known" in line and "3 of 7 inputs" in line and "%" not in line


def test_a_vital_read_once_a_night_has_its_nights(browser: Browser, ward: Engine) -> None:
    """A ring tells one SpO2 a night: that is not nothing."""
    start = CYCLE - 16 * HOUR
    with transaction(ward) as conn:
        conn.execute(insert(tables.observations), [{
            "key": b"n" * 32, "patient_id": "gaps", "vital": "spo2", "provider": "oura",
            "value": 93.4, "effective_start": start, "effective_end": start + 8 * HOUR,
            "granularity": "night", "statistic": "mean", "context": "sleep", "method": "device",
            "parser_version": 1, "quality": "ok", "quality_reasons": []}])
    page = browser("doctor").get("/patients/gaps").text
    charts = json.loads(page.partition('id="chart-data">')[2].partition("</script>")[0])
    nights = {one["vital"]: one["nights"] for one in charts["vitals"]}
    assert nights == {vital: [] for vital in nights} | {"spo2": [[7 * 24 - 12, 93.4]]}
    assert "mean of a night, not scored" in page
    fresh = page.partition('id="fresh"')[2].partition("</table>")[0]
    (line,) = (row for row in fresh.split("<tr") if "Oxygen" in row)
    assert "93 %, mean of a night" in line and "never" not in line


def test_a_gap_over_midnight_has_both_dates_and_its_length(browser: Browser) -> None:
    page = browser("doctor").get("/patients/gaps").text
    told = page.partition('data-vital="systolic_bp"')[2].partition("</figure>")[0]
    long = [one for one in re.findall(r"<li>(.*?): <strong>", told) if one.count("2026") == 2]
    assert long and all(re.search(r"UTC to .* UTC \(\d+ h\)$", one) for one in long)


def test_a_forecast_is_not_offered_as_a_recovery(browser: Browser) -> None:
    card = browser("doctor").get("/patients/ill").text.partition('<h2 id="ahead">')[2]
    assert "no sign of recovery" in card.partition("</section>")[0]
