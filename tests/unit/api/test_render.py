"""Texts of the pages, and that a self-contained page trusts its own scripts alone."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest

from api.pages import render

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(("share", "text"), [
    (None, "–"), (0.0, "0 %"), (0.001, "< 1 %"), (0.624, "62 %"), (0.999, "> 99 %"), (1.0, "100 %"),
])
def test_probabilities_are_not_rounded_to_certainty(share: float | None, text: str) -> None:
    assert render.percent(share) == text


@pytest.mark.parametrize(("minutes", "text"), [
    (0, "0 min ago"), (59, "59 min ago"), (61, "1 h 1 min ago"), (120, "2 h ago"),
    (3000, "2 days ago"), (-5, "0 min ago"),
])
def test_ages_are_told_as_people_say_them(minutes: int, text: str) -> None:
    assert render.age(NOW - timedelta(minutes=minutes), NOW) == text


def test_never_has_no_age() -> None:
    assert render.age(None, NOW) == "never"


@pytest.mark.parametrize(("number", "text", "another"), [
    (39.0, "39.0", False), (-72.0, "−72", False), (3.0, "3 d", False), (92.0, "95", True),
    (1.0, "yes", True),
])
def test_a_worst_reading_is_shown_where_it_is_another_one(
    number: float, text: str, another: bool
) -> None:
    assert render.another_than(number, text) is another


def test_a_data_block_cannot_be_ended_by_data() -> None:
    block = render.embedded_json({"label": "</script><script>alert(1)</script>"})
    assert "<" not in block
    assert "\\u003c/script>" in block


def test_names_are_escaped() -> None:
    page = render.html("error.html", standalone=False, code=404, title="<b>", detail="<i>")
    assert "&lt;i&gt;" in page
    assert "<i>" not in page


def test_the_policy_names_the_very_scripts_of_the_page() -> None:
    policy = render.standalone_policy()
    for name in render.SCRIPTS:
        text = (render.STATIC_FOLDER / name).read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "http" not in policy


def test_no_template_has_an_inline_script_or_style_attribute() -> None:
    for template in (render.FOLDER / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\son\w+=", text), template
        assert not re.search(r"\sstyle=", text), template


def test_pages_load_nothing_from_elsewhere() -> None:
    ours = [*(render.FOLDER / "templates").glob("*.html"), *render.STATIC_FOLDER.glob("*.*")]
    for file in ours:
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", file.read_text("utf-8"))
