"""The doctor's report as a file: fetched from the running page, with its login."""

from pathlib import Path
from urllib.parse import quote

import requests

from vitalcast.errors import UserError

_TIMEOUT_S = 120    # on a machine busy with other work a page has taken more than 30


def save_report(api_url: str, username: str, password: str, patient_id: str,
                folder: Path) -> Path:
    """Write the self-contained report of a patient into `folder`, readable by its owner alone."""
    try:
        answer = _report(api_url, username, password, patient_id)
    except requests.RequestException as error:
        raise UserError(f"the page does not answer ({type(error).__name__}): read api.log in the "
                        "home folder") from error
    if answer.status_code != 200:
        raise UserError(f"the page answered {answer.status_code} for the report of {patient_id}: "
                        "read api.log in the home folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{quote(patient_id, safe='')}.html"
    file.touch(mode=0o600)
    file.chmod(0o600)    # also where it stood there before
    file.write_bytes(answer.content)
    return file


def _report(api_url: str, username: str, password: str, patient_id: str) -> requests.Response:
    with requests.Session() as session:
        session.headers["Origin"] = api_url
        session.post(f"{api_url}/login", timeout=_TIMEOUT_S,
                     data={"username": username, "password": password})
        return session.get(f"{api_url}/patients/{quote(patient_id, safe='')}/report.html",
                           timeout=_TIMEOUT_S, allow_redirects=False)
