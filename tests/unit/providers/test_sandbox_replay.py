"""Recorded readings as sandbox subjects."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from providers.observation import Provider
from providers.sandbox import ReplayDataError
from providers.sandbox.readings import HOUR_S, Channel
from providers.sandbox.replay import ReplaySubject, replay
from tests.reference.sandbox_user import NOW, sandbox_user


def folder(path: Path, vitals: list[tuple[str, str, str, float]],
           subjects: str = "a,withings\nb,google_health\n") -> Path:
    rows = [{"subject_id": who, "ts": datetime.fromisoformat(ts), "vital": vital, "value": value}
            for who, ts, vital, value in vitals]
    pq.write_table(pa.Table.from_pylist(rows), path / "readings.parquet")
    (path / "subjects.csv").write_text("subject_id,provider\n" + subjects)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return folder(tmp_path, [
        ("a", "2020-01-01T03:00:00", "respiratory_rate", 0.0),
        ("a", "2020-01-01T01:00:00", "respiratory_rate", 17.5),
        ("a", "2020-01-01T02:00:00", "systolic_bp", 120.0),
        ("b", "2016-05-12T15:48:00", "heart_rate", 71.4),
        ("b", "2016-05-12T15:47:00", "heart_rate", 70.0),
        ("b", "2016-05-12T15:47:00", "systolic_bp", 99.0),
    ])


def subject(path: Path, name: str, anchor: int) -> ReplaySubject:
    (found,) = [s for s in replay(path)(anchor) if s.subject_id == name]
    assert isinstance(found, ReplaySubject)
    return found


@pytest.mark.parametrize("anchor", [NOW, NOW + 1, NOW + 1234, NOW + HOUR_S - 1])
@pytest.mark.parametrize("name", ["a", "b"])
def test_last_reading_lies_in_the_hour_before_the_anchor(
        recording: Path, anchor: int, name: str) -> None:
    last = max(int(r.t[-1]) for r in subject(recording, name, anchor).recorded.values())
    assert anchor - HOUR_S <= last < anchor


def test_the_shift_is_whole_hours_and_the_same_for_every_vital(recording: Path) -> None:
    shifted = subject(recording, "a", NOW + 1234)
    breath = shifted.recorded[Channel.RESPIRATORY_RATE]
    assert ((breath.t % HOUR_S) == 0).all()
    assert breath.t[1] - breath.t[0] == 2 * HOUR_S
    assert shifted.recorded[Channel.SYSTOLIC_BP].t[0] - breath.t[0] == HOUR_S


def test_dirty_values_are_served_as_recorded(recording: Path) -> None:
    assert subject(recording, "a", NOW).recorded[Channel.RESPIRATORY_RATE].value.tolist() == [
        17.5, 0.0]


def test_a_vital_the_vendor_has_no_type_for_is_told_not_served(recording: Path) -> None:
    watch = subject(recording, "b", NOW)
    assert watch.channels == {Channel.HEART_RATE}
    assert watch.unserved == ("systolic_bp",)


def test_last_sync_is_the_last_reading_known(recording: Path) -> None:
    watch = subject(recording, "b", NOW)
    last = int(watch.recorded[Channel.HEART_RATE].t[-1])
    assert watch.last_sync(NOW) == last
    assert watch.last_sync(last - 60) == last - 60
    assert watch.last_sync(0) is None


@pytest.mark.parametrize(("subjects", "vital", "told"), [
    ("b,withings\n", "heart_rate", "lacks a"),
    ("a,polar\n", "heart_rate", "polar"),
    ("a,withings\n", "steps", "steps"),
])
def test_a_wrong_folder_is_refused_with_what_is_wrong(
        tmp_path: Path, subjects: str, vital: str, told: str) -> None:
    path = folder(tmp_path, [("a", "2020-01-01T03:00:00", vital, 1.0)], subjects)
    with pytest.raises(ReplayDataError, match=told):
        replay(path)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayDataError, match=r"subjects\.csv"):
        replay(tmp_path)


def test_columns_are_checked(tmp_path: Path) -> None:
    folder(tmp_path, [("a", "2020-01-01T03:00:00", "heart_rate", 1.0)])
    pq.write_table(pa.table({"x": [1]}), tmp_path / "readings.parquet")
    with pytest.raises(ReplayDataError, match="subject_id"):
        replay(tmp_path)


def test_every_real_subject_is_served_in_full(shared: Path) -> None:
    source = replay(shared / "data" / "replay")
    recorded = {s.subject_id: sum(len(s.readings(c, NOW)) for c in s.channels)
                for s in source(NOW)}
    with sandbox_user(source) as user:
        listed = {s["subject_id"]: s["readings"] for s in user.get("/sandbox/subjects")}
        assert listed == recorded
        assert len(listed) == 31
        assert sum(listed.values()) == 233_017
        watch = user.connect(Provider.GOOGLE_HEALTH, "wearable-7007744171")
        points = watch.points("heart-rate", pageSize=10000)
        assert len(points) == listed["wearable-7007744171"]


def test_dirty_zeros_reach_the_client(recording: Path) -> None:
    with sandbox_user(replay(recording)) as user:
        user.connect(Provider.WITHINGS, "a")
        answer = user.withings("/v2/measure", "getintradayactivity", data_fields="rr",
                               startdate=NOW - 24 * HOUR_S, enddate=NOW)
        assert [point["rr"] for point in answer["body"]["series"].values()] == [17.5, 0]
