"""What the server writes down of a vendor's answer."""

import logging

import pytest

from api.access_log import LOGGER, keep_codes_out

LINE = '%s - "%s %s HTTP/%s" %d'


@pytest.mark.parametrize(("path", "logged"), [
    ("/v1/connections/oura/callback?state=s3cret&code=s3cret", "/v1/connections/oura/callback"),
    ("/v1/webhooks/withings/s3cret", "/v1/webhooks/withings/…"),
    ("/v1/webhooks/oura?verification_token=s3cret", "/v1/webhooks/oura"),
    ("/v1/patients?limit=5", "/v1/patients"),
    ("/v1/patients/p17/severity?at=s3cret", "/v1/patients/…/severity"),
    ("/patients/p17", "/patients/…"),
    ("/v1/connections?patient_id=p17", "/v1/connections"),
    ("/v1/connections/oura%3Ap17", "/v1/connections/…"),
    ("/static/page.css", "/static/page.css")])
def test_names_queries_and_secrets_are_not_logged(
        caplog: pytest.LogCaptureFixture, path: str, logged: str) -> None:
    for _ in range(2):
        keep_codes_out()
    with caplog.at_level(logging.INFO, logger=LOGGER):
        logging.getLogger(LOGGER).info(LINE, "127.0.0.1:1", "GET", path, "1.1", 303)
    assert caplog.messages == [f'127.0.0.1:1 - "GET {logged} HTTP/1.1" 303']
