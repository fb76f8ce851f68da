"""What a terminal tells of the patients: ranges as ranges, chances as what they are."""

from io import StringIO
from types import SimpleNamespace

from rich.console import Console
from sqlalchemy import Engine

from vitalcast.jobs.overview import show_patients


def test_a_range_is_no_plain_low_and_few_inputs_no_chance(ward: Engine, database_url: str) -> None:
    told = StringIO()
    system = SimpleNamespace(settings=SimpleNamespace(database_url=database_url))
    first = show_patients(system, Console(file=told, width=200))  # type: ignore[arg-type]
    lines = {line.split("│")[1].strip(): line for line in told.getvalue().splitlines()
             if line.startswith("│")}
    assert first == "ill" and "> 99 %" in lines["ill"]
    assert "low to high" in lines["gaps"] and "not known" in lines["gaps"]
    assert "0%" not in told.getvalue() and "100%" not in told.getvalue()
