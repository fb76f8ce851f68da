"""Processes as /proc shows them: whose children they are, whether they live, where they listen."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process; `began` tells it from a later one with the same number."""

    pid: int
    parent: int
    began: int
    command: str


def processes() -> dict[int, Process]:
    """Every process that is no zombie, by its number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (one := _read(int(folder.name))):
            found[one.pid] = one
    return found


def descendants(pid: int) -> list[Process]:
    """Children of a process, their children, and so on."""
    every = processes()
    family = {pid}
    while more := {one.pid for one in every.values() if one.parent in family} - family:
        family |= more
    return [every[one] for one in sorted(family - {pid})]


def alive(process: Process) -> bool:
    """Whether this very process still runs."""
    now = _read(process.pid)
    return now is not None and now.began == process.began


def listening_addresses(process: Process) -> set[str]:
    """The local addresses, in /proc's hexadecimal, at which a process accepts connections."""
    own: set[str] = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                own.add(str(descriptor.readlink()))
    return {address for inode, address in _listeners() if f"socket:[{inode}]" in own}


def _listeners() -> list[tuple[str, str]]:
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                found.append((fields[9], fields[1].split(":")[0]))
    return found


def _read(pid: int) -> Process | None:
    try:
        state, parent, *rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return None
    if state in "ZX":
        return None
    return Process(pid=pid, parent=int(parent), began=int(rest[17]), command=command)
