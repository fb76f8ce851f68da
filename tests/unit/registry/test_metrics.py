from pathlib import Path

from registry.metrics import FIGURES

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_every_figure_is_documented_as_it_is() -> None:
    lines = DOCUMENT.read_text().splitlines()
    told = [line for line in lines if line.startswith(
        ("| `vitalcast_job_", "| `vitalcast_cycle_", "| `vitalcast_coverage_",
         "| `vitalcast_forecast_", "| `vitalcast_quarantine_", "| `vitalcast_drift_",
         "| `vitalcast_events_"))]
    assert told == [
        f"| `{one.name}` | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in FIGURES]


def test_names_have_base_units_and_no_patient() -> None:
    for figure in FIGURES:
        assert not {"patient", "patient_id"} & set(figure.labels)
        assert not figure.name.endswith(("_ms", "_minutes", "_hours", "_percent", "_total"))
