"""Damaged files of every format: read, or refused as a whole; never anything else."""

import copy
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical.vitals import SPECS
from providers.imports import FORMATS, FileRefused
from providers.observation import Observation, Refusal

FOLDERS = {"apple": "apple-health", "omh": "open-mhealth", "google_health": "google-health"}
FUZZED = settings(max_examples=25, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, 2**62, -62_135_596_800, 253_402_300_799, "", " ", "x", "72",
    "NaN", "1e999", "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-11-21T06:00:00", "\U0001f600\0", [], {}, [[]], {"": None}, [1, "2"])


def format_of(name: str) -> str:
    folder = name.partition("/")[0]
    return "ihealth" if "ihealth" in name else FOLDERS.get(folder, folder)


@cache
def payloads(root: Path) -> dict[str, list[bytes]]:
    """What there is of each format."""
    found: dict[str, list[bytes]] = {name: [] for name in FORMATS}
    for path in sorted(root.glob("*/*")):
        found[format_of(path.relative_to(root).as_posix())].append(path.read_bytes())
    assert all(found.values())
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.xml", found["apple-health"][0])
    found["apple-health"].append(zipped.getvalue())
    return found


def read_or_refused(name: str, data: bytes) -> None:
    """Whatever it holds is plausible and in UTC; what is refused is named."""
    zone = ZoneInfo("Europe/Berlin")
    try:
        items = list(FORMATS[name].read(io.BytesIO(data), zone))
    except FileRefused:
        return
    for one in items:
        if isinstance(one, Observation):
            assert SPECS[one.vital].plausible(float(one.value))
            assert one.key("p", FORMATS[name].provider)
        elif isinstance(one, Refusal):
            assert one.record
            assert one.reason


@pytest.mark.parametrize("name", FORMATS)
@FUZZED
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_read_or_refused(
        shared: Path, name: str, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(payloads(shared / "fixtures")[name]))
    read_or_refused(name, whole[:data.draw(st.integers(0, len(whole)))])


@pytest.mark.parametrize("name", FORMATS)
@FUZZED
@given(data=st.data())
def test_a_file_with_garbled_bytes_is_read_or_refused(
        shared: Path, name: str, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(payloads(shared / "fixtures")[name])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(whole) - 1, 0)))
        whole[place:place + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"}", b"[", b",", b"<", b"&", b"-"]))
    read_or_refused(name, bytes(whole))


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON document."""
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(
            tree if isinstance(tree, list) else ()):
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(document: Any, place: tuple[Any, ...], value: Any, *, dropped: bool) -> Any:
    """A copy with another value at a place, or without it."""
    document = copy.deepcopy(document)
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    if dropped:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return document


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "apple-health"])
def test_a_document_with_any_one_value_changed_is_read_or_refused(shared: Path, name: str) -> None:
    for data in payloads(shared / "fixtures")[name]:
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue
        for number, place in enumerate(places(document)):
            for value in ODD if number < 12 else ODD[number % 6::6]:
                read_or_refused(name, orjson.dumps(changed(document, place, value, dropped=False)))
            read_or_refused(name, orjson.dumps(changed(document, place, None, dropped=True)))


def test_a_record_with_any_one_attribute_changed_is_read_or_refused(shared: Path) -> None:
    export = (shared / "fixtures" / "apple" / "export_min.xml").read_bytes()
    parts = export.split(b'"')
    for place in range(1, len(parts), 2):
        for value in (b"", b"x", b"-1", b"NaN", b"1e999", b"Infinity", b"0001-01-01 00:00:00 +1400",
                      b"9999-12-31 23:59:59 -1400", b"2026-02-30 00:00:00 +0000", b"\xff", b"&#0;"):
            read_or_refused("apple-health", b'"'.join([*parts[:place], value, *parts[place + 1:]]))


@pytest.mark.parametrize("name", FORMATS)
def test_brackets_without_end_are_refused(name: str) -> None:
    for data in (b"[" * 100_000, b'{"a":' * 100_000, b"<a>" * 100_000):
        with pytest.raises(FileRefused, match=r"line \d"):
            list(FORMATS[name].read(io.BytesIO(data), None))
