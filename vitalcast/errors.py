"""Errors that a person at the command line can act on.

UserError      what was asked cannot be done; the message says what to do. Exit code 2.
  ConfigInvalid  the model configuration was refused; the message lists every fault.
"""


class UserError(Exception):
    """What was asked cannot be done; the message says what to do instead."""


class ConfigInvalid(UserError):
    """The model configuration was refused; see the message for each fault."""
