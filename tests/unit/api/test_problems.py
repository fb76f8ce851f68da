"""Every error that can reach the door has a status and says what to do."""

import inspect
from types import ModuleType

import pytest

from api import errors
from api.problems import KINDS
from registry import connections, consents, database, people, reading
from vitalcast import linking

# Raised by the command line's own calls, or told as 500 because no request can mend them.
NOT_AT_THE_DOOR = {errors.ApiError, database.RegistryError, database.TooOld, database.NotFound,
                   database.StatementFailed, people.UserExists, people.UserNotFound,
                   people.UnknownRole, connections.WrongKey}


def errors_of(module: ModuleType) -> list[type[Exception]]:
    return [one for _, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, Exception) and one.__module__ == module.__name__]


@pytest.mark.parametrize("module", [
    errors, database, people, reading, connections, consents, linking])
def test_every_error_is_mapped(module: ModuleType) -> None:
    for error in errors_of(module):
        assert error in KINDS or error in NOT_AT_THE_DOOR, error


def test_every_mapped_error_says_what_it_is() -> None:
    for error, kind in KINDS.items():
        assert error.__doc__ and "\n" not in error.__doc__
        assert 400 <= kind.status < 600


def test_slugs_tell_problems_apart() -> None:
    slugs = [kind.slug for kind in KINDS.values()]
    assert len(set(slugs)) == len(slugs)
