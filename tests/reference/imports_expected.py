"""What the shared payloads hold, one line an observation, by file.

Vital, value, start (+ length where it is an interval), granularity, statistic, context, method, and
offset from UTC in seconds; each was checked by eye against its payload.
"""

EXPECTED: dict[str, list[str]] = {
    "apple/export_min.xml": [
        "heart_rate 109 2026-08-06T07:18:21Z sample instant rest device +3600",
        "respiratory_rate 14.5 2026-08-06T02:00:00Z sample instant unknown device +3600",
        "spo2 96 2026-08-06T02:00:00Z+15s sample instant unknown device +3600",
        "body_temperature 37 2026-08-06T06:09:00Z sample instant unknown device +3600",
        "systolic_bp 121 2026-08-06T06:09:00Z sample instant unknown device +3600",
        "diastolic_bp 79 2026-08-06T06:09:00Z sample instant unknown device +3600",
    ],
    "fhir/blood_pressure.json": [
        "systolic_bp 121 2026-08-06T12:01:29Z sample instant unknown device +0",
        "diastolic_bp 79 2026-08-06T12:01:29Z sample instant unknown device +0",
    ],
    "fhir/body_temperature.json": [
        "body_temperature 37.2 2026-08-06T12:01:29Z sample instant unknown device +0",
    ],
    "fhir/heart_rate.json": [
        "heart_rate 72 2026-08-06T12:01:29Z sample instant unknown device +0",
    ],
    "fhir/respiratory_rate.json": [
        "respiratory_rate 14.6 2026-08-06T12:01:29Z sample instant unknown device +0",
    ],
    "fhir/spo2.json": [
        "spo2 96.8 2026-08-06T12:01:29Z sample instant unknown device +0",
    ],
    "fitbit/breathing_rate_interval.json": [
        "respiratory_rate 17.8 2021-10-25T00:00:00Z+43200s night mean sleep derived -",
        "respiratory_rate 17.9 2021-10-26T00:00:00Z+43200s night mean sleep derived -",
    ],
    "fitbit/temp_skin_interval.json": [
        "skin_temperature_deviation -0.6 2021-10-25T00:00:00Z+43200s night mean sleep derived -",
    ],
    "garmin/push_all_day_respiration.json": [
        "respiratory_rate 11.33 2026-06-24T16:30:00Z sample instant unknown device +7200",
        "respiratory_rate 15.36 2026-06-24T16:31:00Z sample instant unknown device +7200",
        "respiratory_rate 16.0 2026-06-24T16:32:00Z sample instant unknown device +7200",
    ],
    "garmin/push_blood_pressures.json": [
        "systolic_bp 112 2026-06-16T21:00:00Z sample instant unknown manual -18000",
        "diastolic_bp 73 2026-06-16T21:00:00Z sample instant unknown manual -18000",
        "heart_rate 69 2026-06-16T21:00:00Z sample instant unknown manual -18000",
    ],
    "garmin/push_dailies.json": [
        "heart_rate 60 2024-01-15T00:00:00Z sample instant unknown device -18000",
        "heart_rate 65 2024-01-15T00:15:00Z sample instant unknown device -18000",
        "heart_rate 70 2024-01-15T00:30:00Z sample instant unknown device -18000",
        "heart_rate 72 2024-01-15T00:00:00Z+86400s day mean unknown device -18000",
        "resting_heart_rate 55 2024-01-15T00:00:00Z+86400s day mean rest device -18000",
    ],
    "garmin/push_epochs.json": [
        "heart_rate 85 2024-01-15T09:00:00Z+900s interval mean active device -18000",
        "heart_rate 95 2024-01-15T09:00:00Z+900s interval max active device -18000",
    ],
    "garmin/push_pulseox.json": [
        "spo2 98 2024-01-15T00:00:00Z sample instant unknown device -18000",
        "spo2 97 2024-01-15T00:05:00Z sample instant unknown device -18000",
    ],
    "google_health/core_body_temperature_list.json": [
        "body_temperature 37.2 2026-08-07T14:46:22Z sample instant unknown manual -14400",
    ],
    "google_health/daily_respiratory_rate_list.json": [
        "respiratory_rate 14.6 2026-08-06T00:00:00Z+43200s night mean sleep derived -",
    ],
    "google_health/daily_sleep_temperature_derivations_list.json": [
        "skin_temperature 33.9 2026-08-06T00:00:00Z+43200s night mean sleep derived -",
    ],
    "google_health/oxygen_saturation_list.json": [
        "spo2 96.8 2026-08-06T05:02:00Z sample instant unknown device -14400",
    ],
    "google_health/respiratory_rate_sleep_summary_list.json": [
        "respiratory_rate 14.6 2026-08-06T11:07:00Z night mean sleep derived -14400",
    ],
    "omh/blood_pressure.json": [
        "systolic_bp 140 2020-02-05T15:25:00Z sample instant unknown device -28800",
        "diastolic_bp 60 2020-02-05T15:25:00Z sample instant unknown device -28800",
    ],
    "omh/body_temperature_F.json": [
        "body_temperature 36.111 2023-02-05T06:25:00Z sample instant unknown device +3600",
    ],
    "omh/heart_rate.json": [
        "heart_rate 67.5 2020-02-05T15:25:00Z sample instant unknown device -28800",
    ],
    "omh/ihealth_bp_shimmer.json": [
        "systolic_bp 120 2015-09-17T20:04:23Z sample instant unknown device -28800",
        "diastolic_bp 90 2015-09-17T20:04:23Z sample instant unknown device -28800",
        "heart_rate 100 2015-09-17T20:04:23Z sample instant unknown device -28800",
        "systolic_bp 130 2015-09-17T20:07:45Z sample instant unknown manual -21600",
        "diastolic_bp 95 2015-09-17T20:07:45Z sample instant unknown manual -21600",
        "heart_rate 75 2015-09-17T20:07:45Z sample instant unknown manual -21600",
    ],
    "omh/ihealth_spo2_shimmer.json": [
        "spo2 99 2015-09-23T21:46:00Z sample instant unknown device -21600",
        "heart_rate 80 2015-09-23T21:46:00Z sample instant unknown device -21600",
        "spo2 90 2015-09-24T21:03:00Z sample instant unknown manual -21600",
        "heart_rate 65 2015-09-24T21:03:00Z sample instant unknown manual -21600",
    ],
    "omh/oxygen_saturation.json": [
        "spo2 95 2013-02-05T07:25:00Z sample instant unknown device +0",
    ],
    "omh/respiratory_rate.json": [
        "respiratory_rate 10 2020-02-05T15:05:00Z+3600s interval min unknown device -28800",
    ],
    "oura/daily_readiness.json": [
        "skin_temperature_deviation -0.12 2024-01-16T00:00:00Z+43200s night mean sleep derived -",
    ],
    "oura/daily_spo2.json": [
        "spo2 97.4 2024-01-16T00:00:00Z+43200s night mean sleep derived -",
    ],
    "oura/heartrate.json": [
        "heart_rate 78 2024-01-12T06:04:46Z sample instant rest device -",
        "heart_rate 79 2024-01-12T06:09:46Z sample instant rest device -",
        "heart_rate 75 2024-01-12T06:14:46Z sample instant rest device -",
    ],
    "oura/heartrate_v135.json": [
        "heart_rate 58 2026-08-06T06:04:46Z sample instant sleep device -",
    ],
    "oura/sleep.json": [
        "respiratory_rate 15.5 2024-01-15T23:00:00Z+28800s night mean sleep derived +0",
        "heart_rate 55.0 2024-01-15T23:00:00Z+28800s night mean sleep derived +0",
        "heart_rate 48 2024-01-15T23:00:00Z+28800s night min sleep derived +0",
    ],
    "terra/daily_min.json": [
        "heart_rate 72 2026-08-06T12:01:29Z sample instant unknown device -14400",
        "heart_rate 72 2026-08-06T04:00:00Z+86400s day mean unknown device -14400",
        "resting_heart_rate 55 2026-08-06T04:00:00Z+86400s day mean rest device -14400",
        "spo2 96.8 2026-08-06T04:00:00Z+86400s day mean unknown device -14400",
    ],
    "withings/getintradayactivity.json": [
        "heart_rate 71 2023-07-27T20:53:56Z sample instant unknown device -",
        "respiratory_rate 15 2023-07-27T20:53:56Z sample instant unknown device -",
        "spo2 96.0 2023-07-27T20:53:56Z sample instant unknown device -",
        "heart_rate 73 2023-07-27T20:54:56Z sample instant unknown device -",
    ],
    "withings/getmeas_blood_pressure.json": [
        "diastolic_bp 106.00 2021-05-03T11:00:31Z sample instant unknown device -",
        "systolic_bp 143.00 2021-05-03T11:00:31Z sample instant unknown device -",
        "heart_rate 82.00 2021-05-03T11:00:31Z sample instant unknown device -",
        "diastolic_bp 96.00 2021-05-02T11:00:33Z sample instant unknown device -",
        "systolic_bp 177.00 2021-05-02T11:00:33Z sample instant unknown device -",
        "heart_rate 65.00 2021-05-02T11:00:33Z sample instant unknown device -",
        "diastolic_bp 113.00 2021-05-01T11:00:35Z sample instant unknown device -",
        "systolic_bp 118.00 2021-05-01T11:00:35Z sample instant unknown device -",
        "heart_rate 63.00 2021-05-01T11:00:35Z sample instant unknown device -",
        "heart_rate 69 2021-05-07T08:58:49Z sample instant unknown manual -",
        "heart_rate 59 2021-10-12T13:08:39Z sample instant unknown manual -",
    ],
    "withings/getmeas_page1_more.json": [
        "diastolic_bp 106.00 2021-05-03T11:00:31Z sample instant unknown device -",
        "systolic_bp 143.00 2021-05-03T11:00:31Z sample instant unknown device -",
        "heart_rate 82.00 2021-05-03T11:00:31Z sample instant unknown device -",
    ],
    "withings/getmeas_spo2_temperature.json": [
        "spo2 97 2023-07-27T20:53:56Z sample instant unknown device -",
        "body_temperature 36.930 2023-07-27T20:33:20Z sample instant unknown device -",
        "skin_temperature 34.650 2023-07-27T20:33:20Z sample instant unknown device -",
    ],
    "withings/sleep_get_hr_rr.json": [
        "heart_rate 52 2021-04-19T23:32:04Z sample instant sleep device -",
        "heart_rate 50 2021-04-19T23:33:04Z sample instant sleep device -",
        "heart_rate 50 2021-04-19T23:34:04Z sample instant sleep device -",
        "heart_rate 50 2021-04-19T23:35:04Z sample instant sleep device -",
        "heart_rate 50 2021-04-19T23:36:04Z sample instant sleep device -",
        "respiratory_rate 19 2021-04-19T23:32:04Z sample instant sleep device -",
        "respiratory_rate 18 2021-04-19T23:33:04Z sample instant sleep device -",
        "respiratory_rate 18 2021-04-19T23:34:04Z sample instant sleep device -",
        "respiratory_rate 17 2021-04-19T23:35:04Z sample instant sleep device -",
        "respiratory_rate 17 2021-04-19T23:36:04Z sample instant sleep device -",
    ],
    "withings/sleep_summary.json": [
        "heart_rate 90 2022-01-08T21:30:01Z+21229s night mean sleep derived -",
        "heart_rate 50 2022-01-08T21:30:01Z+21229s night min sleep derived -",
        "heart_rate 120 2022-01-08T21:30:01Z+21229s night max sleep derived -",
        "respiratory_rate 16 2022-01-08T21:30:01Z+21229s night mean sleep derived -",
        "respiratory_rate 10 2022-01-08T21:30:01Z+21229s night min sleep derived -",
        "respiratory_rate 20 2022-01-08T21:30:01Z+21229s night max sleep derived -",
        "heart_rate 73 2022-01-09T21:30:01Z+23440s night mean sleep derived -",
        "heart_rate 50 2022-01-09T21:30:01Z+23440s night min sleep derived -",
        "heart_rate 103 2022-01-09T21:30:01Z+23440s night max sleep derived -",
        "respiratory_rate 12 2022-01-09T21:30:01Z+23440s night mean sleep derived -",
        "respiratory_rate 10 2022-01-09T21:30:01Z+23440s night min sleep derived -",
        "respiratory_rate 18 2022-01-09T21:30:01Z+23440s night max sleep derived -",
    ],
}
