"""What vendors tell by themselves: is it theirs, and what does it say.

`verify` decides by signature or secret before anything is stored; `read_event` says afterwards
which accounts to fetch from (`Hint`), which readings came along (`Push`) or wait at an address
(`Pull`), who left (`Gone`). None of this asks the network or a clock; `pings` and `subscriptions`,
which do, are imported by those who need them.
"""

from providers.webhooks.events import EventRefused, Gone, Hint, Part, Pull, Push, read_event
from providers.webhooks.verify import (
    SIGNED,
    UNSIGNED,
    WebhookSecrets,
    is_handshake,
    path_secret,
    verify,
)

__all__ = [
    "SIGNED", "UNSIGNED", "EventRefused", "Gone", "Hint", "Part", "Pull", "Push", "WebhookSecrets",
    "is_handshake", "path_secret", "read_event", "verify",
]
