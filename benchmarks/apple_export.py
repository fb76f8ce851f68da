"""Memory over a large Apple export: a dry run of it, then its import into Postgres.

    python benchmarks/apple_export.py [--megabytes 2000] [--json]

The export is written to a temporary folder first (steps and energy between the heart rates, as in
a real one), and is gone afterwards, like the database. The commands run in processes of their own;
their resident memory, and that of the database's largest session without what all share, are
looked at ten times a second, beside how far the file has been read in the last pass over it. Flat
means: the highest by the end of that pass is at most 1.2 times the highest by a tenth of it, or
8 MiB more.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.common import scratch_database
from registry.database import Engine, open_engine, raw_cursor, transaction
from registry.patients import add_patient

INTERVAL_S = 0.1
PARTS = (0.1, 0.5, 1.0)
MOST_GROWTH = 1.2
MOST_RISE_MIB = 8.0
MIB = 2**20
PATIENT = "exported"

_START = datetime(2016, 1, 1, tzinfo=UTC)
_DAY_MINUTES = 1440
_SESSIONS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """At one moment: how far the file was read, and MiB of the command and of the sessions."""

    place: int
    command_mib: float
    sessions_mib: float


# --- the export -----------------------------------------------------------------------------


def write_export(file: Path, size: int) -> int:
    """Write an export of about `size` bytes; how many vitals it holds."""
    vitals = 0
    with file.open("w", encoding="utf-8") as out:
        out.write(_HEAD)
        for day in range(1 << 20):
            lines = list(_day(_START + timedelta(days=day)))
            out.write("".join(lines))
            vitals += sum("count/min" in line or 'unit="%"' in line for line in lines)
            if out.tell() >= size:
                break
        out.write("</HealthData>\n")
    return vitals


def _day(midnight: datetime) -> Iterator[str]:
    """A day: every minute steps, distance and energy, a heart rate; every half hour a saturation
    and a respiratory rate."""
    for minute in range(_DAY_MINUTES):
        moment = f"{midnight + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S +0000}"
        yield _record("StepCount", "count", str(minute % 90), moment)
        yield _record("DistanceWalkingRunning", "km", f"0.0{minute % 10}", moment)
        yield _record("ActiveEnergyBurned", "Cal", f"0.{minute % 100}", moment)
        yield _record("HeartRate", "count/min", str(58 + minute % 37), moment)
        if minute % 30 == 0:
            yield _record("OxygenSaturation", "%", f"0.9{minute // 30 % 10}", moment)
            yield _record("RespiratoryRate", "count/min", str(12 + minute % 7), moment)


def _record(kind: str, unit: str, value: str, moment: str) -> str:
    return (f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="Apple Watch" '
            f'sourceVersion="10.1" device="&lt;&lt;HKDevice: 0x2823&gt;, name:Apple Watch, '
            f'manufacturer:Apple Inc., model:Watch&gt;" unit="{unit}" creationDate="{moment}" '
            f'startDate="{moment}" endDate="{moment}" value="{value}"/>\n')


# --- memory ---------------------------------------------------------------------------------


def watch(arguments: Sequence[str], file: Path, env: dict[str, str],
          engine: Engine | None) -> tuple[list[Look], float]:
    """Run `vitalcast import …` to its end; what was seen, and its seconds."""
    began = time.perf_counter()
    command = subprocess.Popen(
        [Path(sys.executable).with_name("vitalcast"), "import", "apple-health", file,
         "--patient", PATIENT, *arguments],
        env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    looks = []
    while command.poll() is None:
        place = _place(command.pid, file)
        if place is not None:
            looks.append(Look(place=place, command_mib=_resident(command.pid, "VmRSS:"),
                              sessions_mib=_sessions(engine) if engine else 0.0))
        time.sleep(INTERVAL_S)
    if command.returncode:
        raise SystemExit("the import failed: see above")
    return looks, time.perf_counter() - began


def last_pass(looks: Sequence[Look]) -> list[Look]:
    """The looks since the file was last begun anew."""
    start = max((i for i in range(1, len(looks)) if looks[i].place < looks[i - 1].place),
                default=0)
    return list(looks[start:])


def peaks(looks: Sequence[Look], size: int) -> dict[str, Any]:
    """The highest memory by each part of the pass, MiB, and whether it is flat."""
    def highest(name: str) -> dict[str, Any]:
        found = [max(getattr(one, name) for one in looks if one.place <= part * size)
                 for part in PARTS]
        flat = found[-1] <= max(MOST_GROWTH * found[0], found[0] + MOST_RISE_MIB)
        return {**{f"{part:.0%}": round(mib, 1) for part, mib in zip(PARTS, found, strict=True)},
                "flat": flat}

    told = {"command_mib": highest("command_mib")}
    if any(one.sessions_mib for one in looks):
        told["sessions_mib"] = highest("sessions_mib")
    return told


def _place(pid: int, file: Path) -> int | None:
    """Where in the file a process reads; None while it has not opened it."""
    with suppress(OSError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            if one.readlink() == file:
                told = Path(f"/proc/{pid}/fdinfo/{one.name}").read_text()
                return int(told.split()[1])
    return None


def _sessions(engine: Engine) -> float:
    """The largest session of the database, without the memory that all share."""
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.execute(_SESSIONS)
        return max((_resident(pid, "RssAnon:") for pid, in cursor), default=0.0)


def _resident(pid: int, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024 / MIB
    return 0.0


# --- figures --------------------------------------------------------------------------------


def figures(size: int) -> dict[str, Any]:
    """Of the dry run and of the import, with the export's size and the rows stored."""
    with tempfile.TemporaryDirectory(prefix="vitalcast-export-") as folder:
        file = Path(folder).resolve() / "export.xml"
        vitals = write_export(file, size)
        told: dict[str, Any] = {"bytes": file.stat().st_size, "vitals": vitals}
        looks, seconds = watch(["--dry-run", "--json"], file, {}, None)
        told["dry_run"] = {"seconds": round(seconds, 1), **peaks(last_pass(looks), told["bytes"])}
        with scratch_database() as url:
            engine = open_engine(url)
            with transaction(engine) as conn:
                add_patient(conn, PATIENT)
            env = {"VITALCAST_DATABASE_URL": url, "VITALCAST_HOME": folder}
            looks, seconds = watch([], file, env, engine)
            told["import"] = {"seconds": round(seconds, 1),
                              **peaks(last_pass(looks), told["bytes"]), "rows": _rows(engine)}
            engine.dispose()
    return told


def _rows(engine: Engine) -> int:
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.execute("SELECT count(*) FROM observations")
        return int(cursor.fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2000,
                        help="size of the export; 100 at least, or nothing is seen of a tenth")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    told = figures(arguments.megabytes * 10**6)
    if arguments.json:
        print(json.dumps(told))
        return
    print(f"{told['bytes'] / 1e9:.2f} GB, {told['vitals']} vitals, "
          f"{told['import']['rows']} rows stored")
    for name in ("dry_run", "import"):
        print(f"{name:8s}{told[name]['seconds']:8.1f} s")
        for whose in ("command_mib", "sessions_mib"):
            if whose in told[name]:
                print("   ", whose, *(f"{key} {value}" for key, value in told[name][whose].items()))


if __name__ == "__main__":
    main()
