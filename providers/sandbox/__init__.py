"""A loopback server that speaks the APIs of Withings, Google Health v4 and Oura v2.

    SandboxError            base of what a caller can put right
    ├── ReplayDataError     the replay folder is not in the expected format
    ├── SandboxStateError   the state file cannot be read
    └── SandboxClockError   the clock is set further from the anchor than histories reach
"""


class SandboxError(Exception):
    """The sandbox cannot start as told; the message says what to change."""


class ReplayDataError(SandboxError):
    """The replay folder lacks a file or a column, or names an unknown vital or provider."""


class SandboxClockError(SandboxError):
    """The clock is too far past the anchor; start with a later --now, or another --anchor."""


class SandboxStateError(SandboxError):
    """The state file is unreadable; delete it to begin afresh."""
