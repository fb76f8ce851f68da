"""A reading as a line for COPY, beside the same line written part by part."""

import io
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given

from providers.imports import FORMATS
from providers.imports.reading import FileRefused
from providers.observation import Observation, Provider
from registry.copytext import copy_text
from registry.observations import _line
from tests.reference import ingest_rows
from tests.reference.observations import observations

PATIENT, CONNECTION, ORIGIN = "p\t1", "withings:p\t1", "ab12\t3"


def agrees(one: Observation, provider: Provider) -> None:
    line = _line(one.key(PATIENT, provider), one,
                 (copy_text(PATIENT), provider, copy_text(CONNECTION)), ORIGIN)
    assert line == ingest_rows.line(one, PATIENT, provider, CONNECTION, ORIGIN)


@given(observations())
def test_any_reading_is_the_line_that_its_parts_make(one: Observation) -> None:
    agrees(one, Provider.WITHINGS)


def test_every_shared_payload_gives_the_lines_that_its_parts_make(shared: Path) -> None:
    compared = 0
    for path in sorted((shared / "fixtures").glob("*/*")):
        for form in FORMATS.values():
            try:
                items = list(form.read(io.BytesIO(path.read_bytes()), ZoneInfo("Europe/Berlin")))
            except FileRefused:
                continue
            for one in items:
                if isinstance(one, Observation):
                    agrees(one, form.provider)
                    compared += 1
    assert compared > 100
