"""The doctor's pages as a doctor meets them: in Chromium, and with the keyboard alone."""

from playwright.sync_api import Browser, Page, expect

from tests.clinic import IN_CARE, LEVELS, MEMBERS, PASSWORD


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


def test_the_api_can_be_read_and_tried(page: Page) -> None:
    page.goto("/docs")
    expect(page.get_by_text("/v1/patients/{patient_id}/severity")).to_be_visible()
