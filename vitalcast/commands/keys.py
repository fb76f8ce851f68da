"""`vitalcast keys rotate | drop-old`: another key for vendors' tokens. No key is ever printed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from registry.connections import key_id
from registry.database import transaction
from registry.token_keys import encrypt_anew, links_by_key
from vitalcast.errors import UserError
from vitalcast.keys import Keys, add_token_key, drop_old_token_keys, load_keys
from vitalcast.local_database import database_server
from vitalcast.settings import Settings, load_settings
from vitalcast.stack import only_one
from vitalcast.wiring import System, open_system, token_keys


class Action(StrEnum):
    """What can be done to the keys."""

    ROTATE = "rotate"
    DROP_OLD = "drop-old"


def keys(
    action: Annotated[Action, typer.Argument(
        help="rotate: a new key in front, every token under it; drop-old: forget older ones")],
) -> None:
    """Change the key that vendors' tokens are stored with.

    Without VITALCAST_TOKEN_KEYS the keys are in the home folder, and this command makes the new
    one; with it, put a new key in front there first.

    Example: vitalcast keys rotate
    """
    settings = load_settings()
    if settings.token_keys:
        _rotate_given(settings, action)
        return
    with only_one(settings.home):
        kept = add_token_key(settings.home) if action is Action.ROTATE else load_keys(settings.home)
        with _system(settings, kept.token_key) as system:
            unused = _rotate(system)
        if action is Action.DROP_OLD:
            _drop(settings.home, kept, unused)
        elif unused:
            typer.echo(f"{_named(unused)} may be removed: vitalcast keys drop-old")


def _rotate_given(settings: Settings, action: Action) -> None:
    if action is Action.DROP_OLD:
        raise UserError("VITALCAST_TOKEN_KEYS is set: remove the old key there, once "
                        "`vitalcast keys rotate` says that it may be removed")
    with _system(settings, settings.token_keys) as system:
        unused = _rotate(system)
    if unused:
        typer.echo(f"{_named(unused)} may be removed from VITALCAST_TOKEN_KEYS")
    elif len(token_keys(settings.token_keys)) == 1:
        typer.echo("there is one key alone: put a new one in front of it in VITALCAST_TOKEN_KEYS, "
                   "restart whatever runs, then run this again")


def _rotate(system: System) -> Sequence[str]:
    """Every token under the first key; ids of the keys that open nothing any more."""
    done = encrypt_anew(system.engine, system.cipher)
    first, *older = system.cipher.key_ids
    typer.echo(f"tokens of {done.links} links encrypted anew, all with key {first}")
    if done.unreadable:
        raise UserError(f"no key opens the tokens of {', '.join(done.unreadable)}: put the key "
                        "back that they were stored with, or have the patients connect again")
    with transaction(system.engine) as conn:
        in_use = links_by_key(conn)
    return [one for one in older if one not in in_use]


def _drop(home: Path, kept: Keys, unused: Sequence[str]) -> None:
    if {key_id(one) for one in token_keys(kept.token_key)[1:]} - set(unused):
        raise UserError("an older key is still in use: run `vitalcast keys rotate` first")
    drop_old_token_keys(home)
    typer.echo(f"{_named(unused)} removed" if unused else "there is no older key")


@contextmanager
def _system(settings: Settings, keys_text: str) -> Iterator[System]:
    with database_server(settings) as url:
        system = open_system(settings.model_copy(update={
            "database_url": url, "token_keys": keys_text}))
        try:
            yield system
        finally:
            system.engine.dispose()


def _named(ids: Sequence[str]) -> str:
    return f"key {', '.join(ids)}" if len(ids) == 1 else f"keys {', '.join(ids)}"
