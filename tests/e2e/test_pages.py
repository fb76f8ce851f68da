"""The doctor's pages as a doctor meets them: in Chromium, with keyboard and without a network."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import Engine, text

from api.app import create_app
from api.settings import ApiSettings
from registry.database import transaction
from tests.clinic import CYCLE, HOUR, IN_CARE, LEVELS, MEMBERS, NOW, PASSWORD
from tests.serving import served

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
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


@pytest.fixture(scope="module")
def root(ward: Engine, database_url: str) -> Iterator[str]:
    settings = ApiSettings(database_url=database_url, secret_key="k" * 40, clock=lambda: NOW)
    with served(create_app(settings)) as root:
        yield root


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        message = f"{CHROMIUM} is missing: run `make test-deps` as root, or install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, root: str) -> Iterator[Page]:
    """A fresh visitor; whatever the console complains about fails the test."""
    context = browser.new_context(base_url=root, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints = listen(page)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def doctor(page: Page) -> Page:
    """Signed in, at the work list."""
    page.goto("/")
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Work list")).to_be_visible()
    return page


def listen(page: Page) -> list[str]:
    """Console errors and warnings; a status of 4xx that a test asks for is not one of them."""
    complaints: list[str] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def test_a_visitor_is_led_to_the_login_and_back(page: Page) -> None:
    page.goto("/patients/ill")
    assert "/login" in page.url
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Patient ill")


def test_the_work_list_is_in_order_of_severity(doctor: Page) -> None:
    names = doctor.locator("table.list tbody th").all_inner_texts()
    assert names[0] == "ill"
    assert names[-2:] == ["mother", "empty"]
    assert sorted(names) == sorted(IN_CARE)
    expect(doctor.locator("tbody tr").first.locator(".badge")).to_contain_text("high")


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


def test_the_report_tells_how_each_forecast_was_made(doctor: Page) -> None:
    doctor.goto("/patients/ill")
    made = doctor.get_by_role("region", name="How the forecast was made")
    expect(made.get_by_text("tbats absent").first).to_be_visible()
    expect(made.get_by_text("The level is").first).to_be_visible()
    expect(made.locator(".pattern-bar").first).to_be_visible()
    summary = made.locator("summary").filter(has_text="Oxygen saturation")
    expect(summary).to_contain_text("led by profile")
    summary.click()
    table = made.get_by_role("table", name="Oxygen saturation")
    expect(table).to_be_visible()
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(len(MEMBERS))
    expect(rows.first).to_contain_text("hour-of-day profile")
    expect(rows.first.locator("strong")).to_have_count(3)
    expect(table.locator("tfoot")).to_contain_text("Forecast")


def test_without_scripts_the_words_are_all_there(browser: Browser, root: str) -> None:
    context = browser.new_context(base_url=root, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/patients/well")
    expect(page.get_by_text("The level is").first).to_be_visible()
    expect(page.locator(".pattern-bar").first).to_be_visible()
    context.close()


def test_a_vital_without_readings_says_so_instead_of_a_chart(doctor: Page) -> None:
    doctor.goto("/patients/gaps")
    expect(doctor.locator(".chart canvas")).to_have_count(len(LEVELS["gaps"]))
    blank = doctor.locator("[data-vital=spo2]")
    expect(blank).to_contain_text("No readings in these seven days")
    expect(blank).to_contain_text("too little data")


def test_where_the_score_does_not_apply_there_is_no_number(doctor: Page) -> None:
    doctor.goto("/patients/mother")
    card = doctor.locator("section", has=doctor.get_by_role("heading", name="Severity now"))
    expect(card).to_contain_text("Not applicable")
    expect(card).to_contain_text("pregnancy")
    expect(card.locator(".score")).to_have_count(0)


def test_a_patient_without_data_has_a_page_too(doctor: Page) -> None:
    doctor.goto("/patients/empty")
    expect(doctor.get_by_text("There is nothing to score: no reading")).to_be_visible()


def test_anothers_patient_is_not_found(doctor: Page) -> None:
    answers = [doctor.goto(f"/patients/{name}") for name in ("other", "absent")]
    assert [answer.status for answer in answers if answer] == [404, 404]
    expect(doctor.get_by_role("heading", name="Patient not found")).to_be_visible()


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


def test_the_report_tells_how_earlier_forecasts_did(doctor: Page) -> None:
    doctor.goto("/patients/ill")
    lines = doctor.get_by_role("table", name="How earlier forecasts did").locator("tbody tr")
    expect(lines).to_have_count(len(LEVELS["ill"]))
    expect(lines.first).to_contain_text("last value")
    doctor.goto("/patients/gaps")
    expect(doctor.get_by_text("No forecast of this patient has been scored yet.")).to_be_visible()


def test_an_entry_is_made_with_the_keyboard_alone(doctor: Page) -> None:
    doctor.goto("/patients/well")
    press = doctor.keyboard.press
    doctor.get_by_text("Add an entry").focus()
    press("Enter")
    press("Tab")
    press("ArrowRight")
    expect(doctor.get_by_role("radiogroup", name="Supplemental oxygen").get_by_label("yes")
           ).to_be_checked()
    press("Tab")
    doctor.keyboard.type("confusion")
    expect(doctor.get_by_label("Consciousness")).to_have_value("confusion")
    doctor.get_by_role("button", name="Store the entry").focus()
    press("Enter")
    notice = doctor.get_by_text("Stored; it counts from the next hourly cycle on.")
    expect(notice).to_be_focused()
    expect(notice).to_be_in_viewport()
    newest = doctor.locator(".entries li").first
    expect(newest).to_contain_text("entered by doctor")
    expect(newest).to_contain_text("Supplemental oxygen yes; Consciousness confusion")
    expect(newest).to_contain_text("not counted yet")


def test_what_is_wrong_with_an_entry_is_told_at_the_form(doctor: Page) -> None:
    doctor.goto("/patients/gaps")
    doctor.get_by_text("Add an entry").click()
    doctor.get_by_role("button", name="Store the entry").click()
    fault = doctor.get_by_role("alert")
    expect(fault).to_contain_text("Nothing is filled in")
    expect(fault).to_be_focused()
    expect(doctor.get_by_label("Consciousness")).to_be_visible()


def test_a_form_on_another_site_makes_no_entry(doctor: Page, root: str) -> None:
    """Another port of this machine is the same site to the browser: it sends the cookie along."""
    elsewhere = "http://127.0.0.1:9/"
    form = f"""<form method="post" action="{root}/patients/mother">
        <input name="consciousness" value="pain"><button>Win a prize</button></form>"""
    doctor.route(elsewhere, lambda route: route.fulfill(body=form, content_type="text/html"))
    doctor.goto(elsewhere)
    doctor.get_by_role("button", name="Win a prize").click()
    expect(doctor.get_by_role("heading", name="Form from another site")).to_be_visible()
    doctor.goto("/patients/mother")
    expect(doctor.get_by_text("Nobody has entered anything.")).to_be_visible()


def test_an_entry_for_anothers_patient_finds_none(doctor: Page) -> None:
    doctor.goto("/patients/mother")
    doctor.locator("#add-entry form").evaluate("form => { form.action = '/patients/other'; }")
    doctor.get_by_text("Add an entry").click()
    doctor.get_by_label("Assessed condition").select_option("mild")
    doctor.get_by_role("button", name="Store the entry").click()
    expect(doctor.get_by_role("heading", name="Patient not found")).to_be_visible()


def test_paper_and_the_saved_report_have_no_form(doctor: Page) -> None:
    doctor.goto("/patients/ill")
    doctor.emulate_media(media="print")
    expect(doctor.get_by_text("Add an entry")).to_be_hidden()
    expect(doctor.locator(".entries")).to_be_visible()
    doctor.emulate_media(media="screen")
    doctor.goto("/patients/ill/report.html")
    expect(doctor.get_by_text("Add an entry")).to_have_count(0)
    expect(doctor.get_by_role("table", name="How earlier forecasts did")).to_be_visible()


def test_the_pages_fit_a_phone(doctor: Page) -> None:
    doctor.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", *(f"/patients/{name}" for name in IN_CARE)):
        doctor.goto(path)
        doctor.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
        assert doctor.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_signing_out_ends_the_session(doctor: Page) -> None:
    doctor.get_by_role("button", name="Sign out").click()
    doctor.goto("/patients/ill")
    assert "/login" in doctor.url


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
    complaints, asked = listen(page), []
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


def test_the_api_can_be_read_and_tried(page: Page) -> None:
    page.goto("/docs")
    expect(page.get_by_text("/v1/patients/{patient_id}/severity")).to_be_visible()


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
