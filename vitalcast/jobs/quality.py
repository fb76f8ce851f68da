"""Quality: once a day, compare clocks, sum the last two weeks up in profiles, report on the day.

A block of patients is one transaction; the providers' profiles and the report come last, in one of
their own. A run that dies anywhere is run again and leaves the same rows; a later one counts what
came in the meantime as well.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from registry.database import transaction
from registry.patients import patient_ids
from registry.quality_days import (
    PROFILE_DAYS,
    Days,
    Tallies,
    add_tallies,
    gather,
    patient_profiles,
    provider_profiles,
    save_profiles,
    tallies,
)
from registry.quality_report import DAY, check_clocks, day_report, full_day, save_report
from registry.runs import run
from vitalcast.cycle import blocks, parse_cycle
from vitalcast.errors import UserError
from vitalcast.wiring import System

BLOCK = 100
"""Patients that are summed up at once: with a reading a minute, two weeks of them are 1.5 GB."""


def check_quality(system: System, *, day: date) -> dict[str, Any]:
    """Judge a day that is over; the report, see docs/quality.md. UserError for today."""
    if full_day(day).until > datetime.now(UTC):
        raise UserError(f"{day} is not over (UTC): name yesterday or an earlier day")
    with run(system.engine, job="quality", cycle=full_day(day).until, shard="1/1") as figures:
        with transaction(system.engine) as conn:
            patients = patient_ids(conn)
        of_day: Tallies = {}
        of_profile: Tallies = {}
        figures.update(raised=0, cleared=0, profiles=0)
        for block in blocks(patients, BLOCK):
            _check_block(system, block, day, of_day, of_profile, figures)
        return _conclude(system, day, of_day, of_profile, figures)


def day_before(cycle: str | datetime) -> date:
    """The last day that was over at a cycle's hour."""
    return (parse_cycle(cycle) - timedelta(days=1)).date()


def _check_block(system: System, block: Any, day: date, of_day: Tallies, of_profile: Tallies,
                 figures: dict[str, Any]) -> None:
    from vitalcast.profile_frames import checked  # pandas and pandera: two seconds

    one, several = full_day(day), _reach(day)
    with transaction(system.engine) as conn:
        clocks = check_clocks(conn, block, day)
        gather(conn, block, one)
        add_tallies(of_day, tallies(conn, block, one))
        gather(conn, block, several)
        add_tallies(of_profile, tallies(conn, block, several))
        figures["profiles"] += save_profiles(
            conn, checked(patient_profiles(conn, block, several)))
    figures["raised"] += clocks.raised
    figures["cleared"] += clocks.cleared


def _conclude(system: System, day: date, of_day: Tallies, of_profile: Tallies,
              figures: dict[str, Any]) -> dict[str, Any]:
    from vitalcast.profile_frames import checked

    with transaction(system.engine) as conn:
        figures["profiles"] += save_profiles(
            conn, checked(provider_profiles(of_profile, _reach(day))))
        report = day_report(conn, day, of_day)
        save_report(conn, day, report)
    figures.update(report["totals"])
    return report


def _reach(day: date) -> Days:
    """The days of a profile that ends with `day`."""
    until = full_day(day).until
    return Days(since=until - PROFILE_DAYS * DAY, until=until)
