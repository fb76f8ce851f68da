"""The vocabulary of events holds what the other rooms say, and the documentation holds it."""

import re
from pathlib import Path
from string import Formatter

import pytest

from forecasting.detectors.charts import Kind as Drift
from providers import errors
from providers.fetching import Outcome
from registry.event_words import DRIFTS, KINDS, REASONS, SEVERITIES, WORDS, Kind
from vitalcast.model_config import ModelConfig

DOCS = Path(__file__).resolve().parents[3] / "docs" / "events.md"
COLUMNS = {"job", "shard", "provider", "vital", "member", "reason"}


def vendor_errors() -> list[type[errors.ProviderError]]:
    return [one for one in vars(errors).values()
            if isinstance(one, type) and issubclass(one, errors.ProviderError)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_kinds_sentence_names_columns_alone(kind: Kind) -> None:
    named = {name for _, name, _, _ in Formatter().parse(kind.message) if name}
    assert named <= COLUMNS
    assert kind.severity in SEVERITIES


def test_every_reason_of_a_vendor_and_every_status_of_a_link_is_a_word() -> None:
    assert {one.reason for one in vendor_errors()} <= REASONS
    assert {one.connection_status for one in vendor_errors() if one.connection_status} <= REASONS
    assert {outcome.value for outcome in Outcome} <= WORDS


def test_every_key_of_the_model_configuration_is_a_word() -> None:
    assert set(ModelConfig.model_fields) <= WORDS


def test_every_kind_of_drift_is_a_word() -> None:
    assert {kind.value for kind in Drift} <= set(DRIFTS)


def test_the_documentation_lists_every_kind() -> None:
    listed = set(re.findall(r"`([a-z]+\.[a-z]+)`", DOCS.read_text()))
    assert set(KINDS) <= listed
