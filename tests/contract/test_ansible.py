"""The playbook by ansible-lint and by Ansible itself, and by what we promise of it.

`VITALCAST_LONG=1` runs it for real, into a clean Debian root: minutes, root and package servers.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from vitalcast.airflow import POOLS
from vitalcast.settings import Settings

ROOT = Path(__file__).parents[2]
HERE = ROOT / "ansible"
BIN = Path(sys.executable).parent
ROLES = sorted(folder.name for folder in (HERE / "roles").iterdir())
EXAMPLE = HERE / "inventory/example"
SECRETS = EXAMPLE / "group_vars/vitalcast/secrets.yml"
FERNET = "A" * 43 + "="
UNFIT = "a pass/word with @ in it"


def ansible(program: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8",
           "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}
    return subprocess.run([str(BIN / program), *arguments], cwd=HERE, env=env, text=True,
                          capture_output=True, check=False)


def playbook(home: Path, hosts: Mapping[str, Mapping[str, str]], *arguments: str,
             ) -> subprocess.CompletedProcess[str]:
    """Look at the secrets of hosts that are all this machine, and do nothing else."""
    here = {"ansible_connection": "local", "ansible_become": False,
            "ansible_python_interpreter": sys.executable}
    inventory = home / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"vitalcast": {"hosts": {
        host: here | dict(secrets) for host, secrets in hosts.items()}}}))
    return ansible("ansible-playbook", "-i", str(inventory), "site.yml", "--tags", "secrets",
                   *arguments, home=home)


def filled(**others: str) -> dict[str, str]:
    known = yaml.safe_load(SECRETS.read_text())
    fernets = ("secret_token_keys", "secret_airflow_fernet")
    return {name: FERNET if name in fernets else "0123456789abcdef" * 3
            for name in known if name.startswith("secret_")} | others


def defaults(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / f"roles/{role}/defaults/main.yml").read_text())
    return found


def told(role: str) -> dict[str, Any]:
    specs = yaml.safe_load((HERE / f"roles/{role}/meta/argument_specs.yml").read_text())
    found: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return found


def tasks(found: Any) -> Iterator[dict[str, Any]]:
    """Every task, plays' and blocks' own among them."""
    for one in found:
        yield one
        for inner in ("tasks", "pre_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks(one.get(inner, ()))


def all_tasks() -> Iterator[dict[str, Any]]:
    files = [HERE / "site.yml", HERE / "secrets.yml", *HERE.glob("roles/*/tasks/*.yml"),
             *HERE.glob("roles/*/handlers/*.yml")]
    for file in files:
        yield from tasks(yaml.safe_load(file.read_text()))


@pytest.mark.slow
def test_ansible_lint_has_nothing_to_say_at_production_s_rules(tmp_path: Path) -> None:
    done = ansible("ansible-lint", "--offline", "--strict", home=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "0 failure(s), 0 warning(s)" in done.stderr and "'production'" in done.stderr


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Ansible says to hosts that each want something else."""
    done = playbook(tmp_path_factory.mktemp("refused"), {
        "example": yaml.safe_load(SECRETS.read_text()),
        "absent": {name: value for name, value in filled().items() if name != "secret_api"},
        "empty": filled(secret_metrics_token=""),
        "unfit": filled(secret_airflow_database=UNFIT),
        "no_fernet": filled(secret_token_keys="0123456789abcdef" * 3),
        "workers": filled(airflow_workers="2", secret_redis="change-me"),
        "good": filled()})
    assert done.returncode != 0
    return done.stdout


@pytest.mark.parametrize(("host", "names", "make"), [
    ("example", set(filled()) - {"secret_redis"}, "openssl|python3"),
    ("absent", {"secret_api"}, "openssl rand -hex"),
    ("empty", {"secret_metrics_token"}, "openssl rand -hex"),
    ("unfit", {"secret_airflow_database"}, "openssl rand -hex"),
    ("no_fernet", {"secret_token_keys"}, "urlsafe_b64encode"),
    ("workers", {"secret_redis"}, "openssl rand -hex"),
])
def test_missing_secrets_are_named_with_how_to_make_them(
        refused: str, host: str, names: set[str], make: str) -> None:
    named = re.findall(rf"failed: \[{host}\].*\b(secret_\w+) is missing.*(?:{make})", refused)
    assert set(named) == names and UNFIT not in refused


def test_nothing_is_changed_on_any_host_while_one_wants_a_secret(refused: str) -> None:
    recaps = re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+) .*failed=(\d)", refused, re.MULTILINE)
    assert len(recaps) == 7 and {changed for _, changed, _ in recaps} == {"0"}
    assert [host for host, _, failed in recaps if failed == "0"] == ["good"]
    assert "PLAY [Bring vitalcast to the host]" not in refused


def test_good_secrets_are_passed_and_never_shown(tmp_path: Path) -> None:
    done = playbook(tmp_path, {"here": filled(secret_token_keys=f"{FERNET},{FERNET}")}, "-vv")
    assert done.returncode == 0, done.stdout
    assert not [value for value in filled().values() if value in done.stdout]


def test_only_builtin_modules_are_used() -> None:
    words = {key for task in all_tasks() for key in task if "." in key}
    assert words and all(word.startswith("ansible.builtin.") for word in words)
    assert not [word for task in all_tasks() for word in ("shell", "raw", "local_action")
                if word in task or f"ansible.builtin.{word}" in task]


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_is_told_and_bears_its_name(role: str) -> None:
    assert set(told(role)) == set(defaults(role))
    assert all(name.startswith(f"{role}_") for name in defaults(role))
    assert all(option["description"] for option in told(role).values())


@pytest.mark.parametrize("role", ROLES)
def test_what_holds_a_secret_is_not_logged(role: str) -> None:
    holds = [name for name, value in defaults(role).items() if "secret_" in str(value)]
    for name in holds:
        option = told(role)[name]
        inner = [one.get("no_log") for one in option.get("options", {}).values()]
        assert option.get("no_log") or any(inner), name
    for task in all_tasks():
        if re.search(rf"\b({'|'.join([*holds, 'secret_'])})", str(task)) and "tasks" not in task:
            assert task.get("no_log") or "ansible.builtin.include_tasks" in task, task["name"]


def test_settings_that_the_roles_write_are_settings() -> None:
    known = {f"VITALCAST_{name.upper()}" for name in Settings.model_fields}
    texts = "\n".join(file.read_text() for file in HERE.rglob("*")
                      if file.suffix in (".j2", ".yml"))
    named = set(re.findall(r"\bVITALCAST_[A-Z_]+[A-Z]\b", texts))
    assert {"VITALCAST_DATABASE_URL", "VITALCAST_SECRET_KEY"} <= named <= known
    assert defaults("airflow")["airflow_pools"] == POOLS


def test_dags_run_from_the_start() -> None:
    written = (HERE / "roles/airflow/templates/airflow.env.j2").read_text()
    assert "'AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION': 'false'" in written


def test_units_run_without_rights_and_everything_listens_on_loopback() -> None:
    unit = (HERE / "roles/common/templates/service.j2").read_text()
    for line in ("NoNewPrivileges=true", "ProtectSystem=strict", "PrivateTmp=true",
                 "CapabilityBoundingSet=", "User={{ common_user }}"):
        assert line in unit.splitlines()
    texts = "\n".join(file.read_text() for file in (HERE / "roles").rglob("*.*"))
    assert "0.0.0.0" not in texts and "--allow-remote" not in texts


@pytest.mark.slow
@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="asks this machine's systemd")
@pytest.mark.parametrize("workers", [2, 0])
def test_fewer_workers_leave_no_unit_of_an_earlier_release(tmp_path: Path, workers: int) -> None:
    units = tmp_path / "units"
    units.mkdir()
    for name in ("worker-1", "worker-2", "worker-10", "scheduler"):
        (units / f"vitalcast-airflow-{name}.service").touch()
    role = HERE / "roles/airflow"
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "tasks": [
        {"ansible.builtin.include_vars": str(role / "vars/main.yml")},
        {"ansible.builtin.include_tasks": str(role / "tasks/fewer_workers.yml")}]}]))
    given = json.dumps({"airflow_workers": workers, "airflow_units_folder": str(units),
                        "ansible_python_interpreter": sys.executable})
    for changed in ("changed=2", "changed=0"):
        done = ansible("ansible-playbook", "-i", "localhost,", str(play), "-e", given,
                       home=tmp_path)
        assert done.returncode == 0 and changed in done.stdout, done.stdout
    assert {one.name for one in units.iterdir()} == {
        "vitalcast-airflow-scheduler.service",
        *(f"vitalcast-airflow-worker-{number + 1}.service" for number in range(workers))}


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.skipif(os.environ.get("VITALCAST_LONG") != "1", reason="VITALCAST_LONG=1 runs it")
@pytest.mark.parametrize("how", [(), ("--systemd",)], ids=["without-systemd", "with-systemd"])
def test_a_clean_host_comes_to_health_and_the_second_run_changes_nothing(
        how: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/ansible-try"), *how], text=True,
                          capture_output=True, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "/healthz: 200" in done.stdout and "/readyz: 200" in done.stdout
