"""File formats: every shared payload value by value, and what is no file of a format."""

import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.vitals import SPECS, Vital
from providers.imports import FORMATS, FileRefused, Item, Owner
from providers.imports.apple import CHUNK_BYTES
from providers.imports.units import celsius, mmhg
from providers.observation import Observation, Refusal
from tests.reference.imports_expected import EXPECTED

FOLDERS = {"apple": "apple-health", "omh": "open-mhealth", "google_health": "google-health"}

NOTHING = {
    "fitbit/devices.json", "garmin/deregistrations.json", "garmin/ping_dailies.json",
    "google_health/empty_last_page.json", "google_health/empty_page_with_token.json",
    "google_health/identity.json", "google_health/paired_devices_list.json",
    "google_health/webhook_notification_heart_rate.json",
    "google_health/webhook_verification.json", "omh/data_point.json",
    "oura/ring_battery_level.json", "oura/webhook_event.json", "withings/getdevice.json",
    "withings/getmeas_weight.json", "withings/notification_form.txt",
    "withings/notify_list.json",
}
REFUSED_RECORDS = {
    "fhir/heart_rate_data_absent.json": 1, "fitbit/heart_intraday_1m.json": 5,
    "fitbit/spo2_intraday.json": 2, "fitbit/temp_core_interval.json": 1,
}
REFUSED_FILES = {
    "fitbit/error_401_expired.json", "fitbit/error_429.json",
    "google_health/error_400_bad_data_type.json", "google_health/error_401_unauthenticated.json",
    "google_health/error_403_scope_insufficient.json",
    "google_health/error_429_resource_exhausted.json", "google_health/error_500_internal.json",
    "omh/header.json", "withings/error_401_http200.json", "withings/error_503_http200.json",
    "withings/error_601_http200.json", "withings/token.json",
}


def format_of(name: str) -> str:
    folder = name.partition("/")[0]
    return "ihealth" if "ihealth" in name else FOLDERS.get(folder, folder)


def read(name: str, data: bytes, zone: str | None = None) -> list[Item]:
    return list(FORMATS[name].read(io.BytesIO(data), ZoneInfo(zone) if zone else None))


def observations(items: list[Item]) -> list[Observation]:
    return [one for one in items if isinstance(one, Observation)]


def refusals(items: list[Item]) -> list[Refusal]:
    return [one for one in items if isinstance(one, Refusal)]


def told(one: Observation) -> str:
    length = int((one.effective_end - one.effective_start).total_seconds())
    time = f"{one.effective_start:%Y-%m-%dT%H:%M:%SZ}" + (f"+{length}s" if length else "")
    offset = "-" if one.utc_offset_s is None else f"{one.utc_offset_s:+d}"
    return " ".join((one.vital, str(one.value), time, one.granularity, one.statistic, one.context,
                     one.method, offset))


def payloads(shared: Path) -> Iterator[tuple[str, bytes]]:
    root = shared / "fixtures"
    for path in sorted(root.glob("*/*")):
        yield path.relative_to(root).as_posix(), path.read_bytes()


def test_every_payload_gives_what_it_holds(shared: Path) -> None:
    for name, data in payloads(shared):
        if name in REFUSED_FILES:
            continue
        items = read(format_of(name), data)
        assert [told(one) for one in observations(items)] == EXPECTED.get(name, []), name
        assert len(refusals(items)) == REFUSED_RECORDS.get(name, 0), name


def test_every_payload_is_accounted_for(shared: Path) -> None:
    names = {name for name, _ in payloads(shared)}
    assert names == EXPECTED.keys() | NOTHING | REFUSED_RECORDS.keys() | REFUSED_FILES


def test_errors_and_tokens_are_refused_as_files(shared: Path) -> None:
    for name, data in payloads(shared):
        if name in REFUSED_FILES:
            with pytest.raises(FileRefused, match="line 1"):
                read(format_of(name), data)


def test_local_times_are_read_in_the_zone_that_is_named(shared: Path) -> None:
    data = (shared / "fixtures" / "fitbit" / "heart_intraday_1m.json").read_bytes()
    found = observations(read("fitbit", data, "America/Los_Angeles"))
    assert [told(one) for one in found][:2] == [
        "heart_rate 64 2015-08-21T07:01:00Z sample instant unknown device -25200",
        "heart_rate 63 2015-08-21T07:02:00Z sample instant unknown device -25200"]
    assert [one.value for one in found] == [64, 63, 64, 65, 65]
    spo2 = (shared / "fixtures" / "fitbit" / "spo2_intraday.json").read_bytes()
    assert [told(one) for one in observations(read("fitbit", spo2, "UTC"))] == [
        "spo2 95.7 2021-10-04T04:02:17Z sample instant sleep device +0",
        "spo2 99.5 2021-10-04T04:03:17Z sample instant sleep device +0"]


def test_both_pressures_of_one_reading_are_a_group(shared: Path) -> None:
    for name in ("fhir/blood_pressure.json", "omh/blood_pressure.json",
                 "omh/ihealth_bp_shimmer.json", "garmin/push_blood_pressures.json",
                 "apple/export_min.xml"):
        found = observations(read(format_of(name), (shared / "fixtures" / name).read_bytes()))
        groups = [one.group_id for one in found
                  if one.vital in (Vital.SYSTOLIC_BP, Vital.DIASTOLIC_BP)]
        assert None not in groups, name
        assert all(groups.count(group) == 2 for group in groups), name


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("data", [
    b"", b"  \n", b'{\n"data": [\n{"a": ', '{\n"ä": 1}'.encode("utf-16"), b"[1, 2", b"null", b"7",
    b'{"something": "else"}', b"\x00\xff\x00",
])
def test_what_is_no_file_of_the_format_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(FileRefused, match=r"line \d"):
        read(name, data)


@given(name=st.sampled_from(sorted(FORMATS)), data=st.data())
def test_any_json_is_read_or_refused(name: str, data: st.DataObject) -> None:
    leaves = st.none() | st.booleans() | st.integers(-2**40, 2**40) | st.floats(
        allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    keys = st.sampled_from((
        "data", "body", "status", "series", "measuregrps", "dataPoints", "heartRate", "bpm", "br",
        "value", "dateTime", "minutes", "activities-heart", "dailies", "userId", "entry", "type",
        "resourceType", "resource", "code", "coding", "heart_rate", "effective_time_frame",
        "date_time", "time_interval", "BPDataList", "BODataList", "HP", "metadata", "timestamp"))
    tree = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        keys, inner, max_size=4), max_leaves=12)
    try:
        items = read(name, orjson.dumps(data.draw(tree)), "Europe/Berlin")
    except FileRefused:
        return
    for one in observations(items):
        assert SPECS[one.vital].plausible(float(one.value))


def export(*lines: str, head: str = "") -> bytes:
    body = "\n".join(lines)
    return f'<?xml version="1.0"?>\n{head}<HealthData locale="en">\n{body}\n</HealthData>'.encode()


def record(kind: str, value: str, unit: str, *, source: str = "Watch", minute: int = 0) -> str:
    time = f"2026-08-06 07:{minute:02d}:00 +0100"
    return (f'<Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" unit="{unit}" '
            f'startDate="{time}" endDate="{time}" value="{value}"/>')


def test_an_export_with_its_document_type_is_read() -> None:
    head = "<!DOCTYPE HealthData [\n<!ELEMENT HealthData (Record*)>\n" \
           "<!ATTLIST Record type CDATA #REQUIRED>\n]>\n"
    items = read("apple-health", export(record("HeartRate", "61", "count/min"), head=head))
    assert [one.value for one in observations(items)] == [61]


def test_a_billion_laughs_are_refused() -> None:
    head = '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>\n'
    with pytest.raises(FileRefused, match="entities"):
        read("apple-health", export(record("HeartRate", "61", "count/min"), head=head))


def test_an_export_that_is_cut_off_names_the_line() -> None:
    whole = export(*[record("HeartRate", "61", "count/min", minute=i) for i in range(9)])
    cut = whole[:whole.index(b"07:04")]
    with pytest.raises(FileRefused, match=f"line {cut.count(chr(10).encode()) + 1}"):
        read("apple-health", cut)


def test_a_zipped_export_is_read_and_a_bomb_is_not() -> None:
    def zipped(data: bytes, name: str = "apple_health_export/export.xml") -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        return buffer.getvalue()

    good = export(record("OxygenSaturation", "0.96", "%"))
    assert [one.value for one in observations(read("apple-health", zipped(good)))] == [96]
    with pytest.raises(FileRefused, match="unpack to more"):
        read("apple-health", zipped(b" " * 5_000_000))
    with pytest.raises(FileRefused, match=r"no export\.xml"):
        read("apple-health", zipped(good, "other.xml"))
    with pytest.raises(FileRefused, match="zip"):
        read("apple-health", zipped(good)[:60])


def test_odd_records_of_an_export_are_refused_by_number() -> None:
    items = read("apple-health", export(
        record("HeartRate", "61", "count/min"), record("StepCount", "900", "count"),
        record("OxygenSaturation", "96", "%"), record("BodyTemperature", "37", "degF"),
        record("HeartRate", "many", "count/min"), record("HeartRate", "61", "Hz")))
    assert [one.value for one in observations(items)] == [61]
    assert [one.record for one in refusals(items)] == [
        "Record[2]", "Record[3]", "Record[4]", "Record[5]"]


def test_an_export_tells_whose_it_is() -> None:
    line = '<Me HKCharacteristicTypeIdentifierDateOfBirth="1970-02-03"/>'
    assert Owner(birth_date="1970-02-03") in read("apple-health", export(line))


def test_an_export_is_read_while_it_is_parsed() -> None:
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size <= CHUNK_BYTES
            self.reads += 1
            return super().read(size)

    lines = [record("HeartRate", "61", "count/min", minute=i % 60) for i in range(9000)]
    file = Counted(export(*lines))
    items = FORMATS["apple-health"].read(file, None)
    next(items)
    assert file.reads <= 2
    assert len(list(items)) == 8999
    assert file.reads > 4


@pytest.mark.parametrize(("fahrenheit", "expected"), [
    ("98.6", "37"), ("97", "36.111"), ("100.4", "38"), ("32", "0")])
def test_fahrenheit_becomes_exact_celsius(fahrenheit: str, expected: str) -> None:
    assert str(celsius(Decimal(fahrenheit))) == expected


def test_kilopascals_become_mmhg() -> None:
    assert mmhg(Decimal(16)) == Decimal("120.01")


def test_readings_below_zero_are_none_for_garmin() -> None:
    items = read("garmin", b'{"allDayRespiration": [{"summaryId": "a", "startTimeInSeconds": 60, '
                           b'"timeOffsetEpochToBreaths": {"0": -1, "60": 14.5, "x": 15}}]}')
    assert [one.value for one in observations(items)] == [Decimal("14.5")]
    assert len(refusals(items)) == 1


def test_a_muscles_saturation_is_no_spo2() -> None:
    body = (b'{"type": "body", "data": [{"oxygen_data": {"saturation_samples": ['
            b'{"timestamp": "2026-08-06T08:00:00Z", "percentage": 97},'
            b'{"timestamp": "2026-08-06T08:01:00Z", "percentage": 61, "type": 1},'
            b'{"timestamp": "2026-08-06T08:02:00", "percentage": 96}]}}]}')
    items = read("terra", body)
    assert [one.value for one in observations(items)] == [97]
    assert [one.reason for one in refusals(items)] == [
        "local time without a zone: name it with --timezone"]


def test_a_result_entered_in_error_is_refused(shared: Path) -> None:
    data = (shared / "fixtures" / "fhir" / "heart_rate.json").read_bytes()
    items = read("fhir", data.replace(b'"final"', b'"entered-in-error"'))
    assert not observations(items)
    assert len(refusals(items)) == 1
