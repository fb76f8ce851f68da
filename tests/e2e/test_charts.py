"""Charts and what stands under them: drawn, read by keyboard, and saved as a file of one's own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, text

from registry.database import transaction
from tests.browsing import complaints_of
from tests.clinic import CYCLE, HOUR, LEVELS

# How many of the chart's pixels are not transparent: a blank canvas has none.
INKED = """canvas => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let inked = 0;
    for (let i = 3; i < pixels.length; i += 4) inked += pixels[i] > 0;
    return inked;
}"""
COLOURED = """(canvas, [red, green, blue]) => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let found = 0;
    for (let i = 0; i < pixels.length; i += 4) {
        found += pixels[i] === red && pixels[i + 1] === green && pixels[i + 2] === blue;
    }
    return found;
}"""


def test_the_report_shows_severity_charts_and_its_basis(doctor: Page) -> None:
    doctor.get_by_role("link", name="ill").click()
    expect(doctor.locator(".badge").first).to_contain_text("high")
    charts = doctor.locator(".chart canvas")
    expect(charts).to_have_count(len(LEVELS["ill"]))
    for index in range(charts.count()):
        assert charts.nth(index).evaluate(INKED) > 500
    for heading in ("Severity now", "The hours ahead", "Scores table", "Data freshness",
                    "How the forecast was made"):
        expect(doctor.get_by_role("heading", name=heading)).to_be_visible()
    expect(doctor.locator("footer")).to_contain_text("not for diagnosis, not an alarm")


def test_a_vital_without_readings_says_so_instead_of_a_chart(doctor: Page) -> None:
    doctor.goto("/patients/gaps")
    expect(doctor.locator(".chart canvas")).to_have_count(len(LEVELS["gaps"]))
    blank = doctor.locator("[data-vital=spo2]")
    expect(blank).to_contain_text("No readings in these seven days")
    expect(blank).to_contain_text("too little data")


def test_the_keyboard_reaches_the_report_and_reads_a_chart(doctor: Page) -> None:
    doctor.get_by_role("link", name="ill").focus()
    doctor.keyboard.press("Enter")
    chart = doctor.locator("[data-vital=spo2] .plot")
    chart.focus()
    doctor.keyboard.press("ArrowLeft")
    readout = doctor.locator("[data-vital=spo2] .readout")
    expect(readout).to_contain_text("%")
    before = readout.inner_text()
    doctor.keyboard.press("ArrowLeft")
    expect(readout).not_to_have_text(before)


def test_the_saved_report_opens_from_disk_without_a_network(
    doctor: Page, browser: Browser, tmp_path: Path
) -> None:
    doctor.goto("/patients/ill")
    with doctor.expect_download() as download:
        doctor.get_by_role("link", name="Save as one file").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints, asked = complaints_of(page), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    charts = page.locator(".chart canvas")
    expect(charts).to_have_count(len(LEVELS["ill"]))
    assert charts.first.evaluate(INKED) > 500
    expect(page.get_by_role("heading", level=1)).to_contain_text("Patient ill")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    context.close()


def test_the_saved_report_runs_its_scripts_from_the_server_too(doctor: Page) -> None:
    doctor.goto("/patients/ill/report.html")
    expect(doctor.locator(".chart canvas")).to_have_count(len(LEVELS["ill"]))


def test_gaps_are_told_by_colour_and_in_words(doctor: Page) -> None:
    line = doctor.get_by_role("row").filter(has=doctor.get_by_role("link", name="gaps"))
    expect(line.locator(".lack")).to_contain_text("not synced")
    expect(line.locator(".lack")).to_contain_text("the Withings device last synced 20 Nov 13:51")
    doctor.goto("/patients/gaps")
    chart = doctor.locator("[data-vital=heart_rate]")
    strip = chart.locator("svg.gaps")
    assert strip.locator("rect.gap-not_synced").count() == 1
    assert strip.locator("rect.gap-not_worn").count() > 0
    legend = doctor.locator(".gap-keys")
    expect(legend).to_contain_text("not synced: may still come")
    expect(legend).not_to_contain_text("access not granted")
    expect(chart.locator(".gap-now")).to_have_text(
        "Now no reading: the Withings device last synced 20 Nov 13:51 UTC.")
    chart.locator("details summary").click()
    expect(chart.locator("details li").first).to_contain_text("not synced")
    # The last judged hour of the strip ends where the chart draws "now".
    plot, bar = chart.locator(".u-over").bounding_box(), strip.locator("rect").last.bounding_box()
    assert plot and bar
    hours = 7 * 24 + 24
    now = plot["x"] + plot["width"] * (7 * 24 - 0.5) / (hours - 1)
    assert abs(bar["x"] + bar["width"] - now) < 2


def test_a_gap_says_its_cause_where_the_chart_is_read(doctor: Page) -> None:
    doctor.goto("/patients/gaps")
    chart = doctor.locator("[data-vital=heart_rate]")
    plot = chart.locator(".plot")
    plot.focus()
    plot.press("ArrowLeft")
    plot.press("ArrowRight")
    expect(chart.locator(".readout")).to_contain_text("no reading, not synced")


@pytest.fixture
def flagged(ward: Engine) -> Iterator[None]:
    """Of one patient: a systolic pressure that cannot be, and two heart rates that look odd."""
    with transaction(ward) as conn:
        for vital, flag, since, reason in (
                ("systolic_bp", "impossible_pair", 12, "124 over 130"),
                ("heart_rate", "jump", 2, "up by 80 /min in 2 min")):
            conn.execute(text("""
                INSERT INTO quality_flags (key, flag, patient_id, vital, provider,
                    effective_start, value, keeps_out, reason)
                SELECT key, :flag, patient_id, vital, provider, effective_start, value,
                    vital = 'systolic_bp', :reason
                FROM observations WHERE patient_id = 'well' AND vital = :vital
                  AND effective_start BETWEEN :since AND :cycle
                ORDER BY effective_start LIMIT 2"""),
                {"flag": flag, "vital": vital, "reason": reason, "cycle": CYCLE,
                 "since": CYCLE - since * HOUR})
    yield
    with transaction(ward) as conn:
        conn.execute(text("DELETE FROM quality_flags"))


@pytest.mark.usefixtures("flagged")
@pytest.mark.parametrize("form", ["", "/report.html"])
def test_flagged_readings_are_marked_and_told_in_words(doctor: Page, form: str) -> None:
    doctor.goto(f"/patients/well{form}")
    pressure = doctor.locator("[data-vital=systolic_bp]")
    expect(pressure.locator(".flag.kept-out")).to_contain_text(
        "2 readings kept out: systolic not above diastolic, last in the hour from Fri 20 Nov")
    rate = doctor.locator("[data-vital=heart_rate]")
    expect(rate.locator(".flag")).to_have_text("2 readings flagged, but used: jump.")
    expect(rate.locator(".flag.kept-out")).to_have_count(0)
    keys = doctor.locator(".keys").filter(has=doctor.locator(".swatch-flag"))
    expect(keys).to_contain_text("reading kept out")
    expect(keys).to_contain_text("reading flagged, but used")
    plot = rate.locator(".plot")
    plot.focus()
    plot.press("ArrowLeft")
    expect(rate.locator(".readout")).to_contain_text("; jump: up by 80 /min in 2 min")
    # Kept out was the only reading of its hour.
    pressure.locator(".plot").focus()
    for _ in range(6):
        pressure.locator(".plot").press("ArrowLeft")
        if "kept out" in pressure.locator(".readout").inner_text():
            break
    expect(pressure.locator(".readout")).to_have_text(
        re.compile(r"^Fri,? 20 Nov,? \d\d:00: kept out: 124 over 130$"))
    assert plot.locator("canvas").evaluate(COLOURED, [0xD9, 0xA3, 0xA0]) > 20
    assert pressure.locator("canvas").evaluate(COLOURED, [0x8F, 0x1D, 0x17]) > 20
    doctor.goto("/patients/ill")
    expect(doctor.locator(".swatch-flag, .flag")).to_have_count(0)


@pytest.mark.parametrize("form", ["", "/report.html"])
def test_a_change_that_lasts_is_told_under_its_chart(
    doctor: Page, ward: Engine, form: str
) -> None:
    with transaction(ward) as conn:
        conn.execute(text("""
            INSERT INTO drift_events (patient_id, vital, kind, detected, began, score, threshold,
                words, closed_at)
            SELECT 'well', 'spo2', kind, :cycle, :began, 6, 5, 'Oxygen saturation: ' || kind,
                CASE WHEN kind = 'gaps' THEN now() END
            FROM unnest(ARRAY['level', 'gaps']) AS kind"""),
            {"cycle": CYCLE, "began": CYCLE - 71 * HOUR})
    try:
        doctor.goto(f"/patients/well{form}")
        expect(doctor.locator(".change")).to_contain_text(
            "Changed since Tue 17 Nov 2026, 15:00 UTC: level")
        expect(doctor.locator("[data-vital=spo2] .change")).to_have_count(1)
    finally:
        with transaction(ward) as conn:
            conn.execute(text("DELETE FROM drift_events"))
