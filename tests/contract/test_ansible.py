"""The playbook by ansible-lint and by Ansible itself, and by what we promise of it.

`VITALCAST_LONG=1` runs it for real, into a clean Debian root: minutes, root and package servers.
"""

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


def ansible(program: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8",
           "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}
    return subprocess.run([str(BIN / program), *arguments], cwd=HERE, env=env, text=True,
                          capture_output=True, check=False)


def playbook(home: Path, secrets: Mapping[str, str], *arguments: str,
             ) -> subprocess.CompletedProcess[str]:
    """Look at the secrets of an inventory that names this machine, and do nothing else."""
    inventory = home / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"vitalcast": {"hosts": {"here": {
        "ansible_connection": "local", "ansible_become": False,
        "ansible_python_interpreter": sys.executable, **secrets}}}}))
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


def test_the_example_s_placeholders_are_refused_all_at_once(tmp_path: Path) -> None:
    done = playbook(tmp_path, yaml.safe_load(SECRETS.read_text()))
    assert done.returncode != 0
    wanted = set(filled()) - {"secret_redis"}
    assert set(re.findall(r"(secret_\w+) is missing", done.stdout)) == wanted


@pytest.mark.parametrize(("name", "given", "make"), [
    ("secret_api", None, "openssl rand -hex"),
    ("secret_metrics_token", "", "openssl rand -hex"),
    ("secret_airflow_database", "a pass/word with @ in it", "openssl rand -hex"),
    ("secret_token_keys", "0123456789abcdef" * 3, "urlsafe_b64encode"),
])
def test_a_missing_secret_is_named_with_how_to_make_it_before_anything_is_changed(
        tmp_path: Path, name: str, given: str | None, make: str) -> None:
    secrets = filled() | ({name: given} if given is not None else {})
    if given is None:
        del secrets[name]
    done = playbook(tmp_path, secrets)
    assert done.returncode != 0
    assert set(re.findall(r"(secret_\w+) is missing", done.stdout)) == {name}
    assert make in done.stdout and (not given or given not in done.stdout)
    assert re.search(r"here\s+: ok=0\s+changed=0\s+unreachable=0\s+failed=1", done.stdout)


def test_good_secrets_are_passed_and_never_shown(tmp_path: Path) -> None:
    done = playbook(tmp_path, filled(secret_token_keys=f"{FERNET},{FERNET}"), "-vv")
    assert done.returncode == 0, done.stdout
    assert not [value for value in filled().values() if value in done.stdout]


def test_redis_has_a_password_once_there_are_workers(tmp_path: Path) -> None:
    done = playbook(tmp_path, filled(airflow_workers="2", secret_redis="change-me"))
    assert done.returncode != 0 and "secret_redis is missing" in done.stdout


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


def test_units_run_without_rights_and_everything_listens_on_loopback() -> None:
    unit = (HERE / "roles/common/templates/service.j2").read_text()
    for line in ("NoNewPrivileges=true", "ProtectSystem=strict", "PrivateTmp=true",
                 "CapabilityBoundingSet=", "User={{ common_user }}"):
        assert line in unit.splitlines()
    texts = "\n".join(file.read_text() for file in (HERE / "roles").rglob("*.*"))
    assert "0.0.0.0" not in texts and "--allow-remote" not in texts


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
