"""The report as a file: a page that does not answer is told in one line."""

import socket
from pathlib import Path

import pytest

from vitalcast.errors import UserError
from vitalcast.report import save_report


def test_a_page_that_does_not_answer_is_told_with_its_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UserError, match=r"does not answer.*api\.log"):
        save_report(f"http://127.0.0.1:{port}", "doctor", "password", "p-17", tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
