"""The report on paper: what cannot be opened there stands open."""

from playwright.sync_api import Page, expect


def test_paper_shows_the_reasons(doctor: Page) -> None:
    doctor.goto("/patients/ill")
    why = doctor.get_by_text("Why: the rules each day reached").locator("..")
    expect(why).not_to_have_attribute("open", "")
    doctor.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(why).to_have_attribute("open", "")
    expect(doctor.get_by_text("Add an entry").locator("..")).not_to_have_attribute("open", "")
    doctor.emulate_media(media="print")
    size = doctor.locator(".card p").first.evaluate(
        "one => parseFloat(getComputedStyle(one).fontSize)")
    assert size >= 13      # 10 pt are 13.3 px
    doctor.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(why).not_to_have_attribute("open", "")
