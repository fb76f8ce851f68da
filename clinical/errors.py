"""What can go wrong in the clinical room.

ClinicalError      base of all
  InputError       a value that cannot be scored; names its column
  ProtocolError    a rule set, or the days given to it, that cannot be assessed
  OutlookError     a forecast distribution that cannot be scored
"""


class ClinicalError(Exception):
    """Base of every error of this room."""


class InputError(ClinicalError):
    """A value that cannot be scored: which column it stands in, and what to do about it."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"{column}: {message}")
        self.column = column


class ProtocolError(ClinicalError):
    """A protocol's rule set or the days given to it are not usable; the message says where."""


class OutlookError(ClinicalError):
    """A forecast distribution cannot be scored; the message names the vital and the fault."""
