"""What can go wrong between here and a vendor; every error of this room is one of these.

    ProviderError
    ├── TransportError             nothing, or half an answer, came back
    ├── RateLimited                the vendor asked to slow down, longer than we may wait
    ├── VendorUnavailable          the vendor's own failure (5xx)
    ├── CircuitOpen                the vendor failed again and again: it was not asked
    ├── RequestRejected            the vendor refuses what we asked for: a fault of the client
    ├── SchemaError                the answer has not the documented shape
    └── AuthorisationError
        ├── TokenRejected          the access token is not accepted; refresh it
        ├── ReauthorisationRequired  the refresh token is dead; the patient must consent again
        ├── ScopeMissing           the patient did not grant this resource
        ├── SubscriptionLapsed     the patient's membership at the vendor has ended
        ├── ConsentRevoked         the link was ended here; the patient may consent again
        ├── NotLinked              the patient chose an account that has no wearable
        └── ClientRefused          the application's own id or secret is not accepted

Messages name the path and the vendor's status code, and never hold tokens, headers or bodies.
`reason` is the word written to the fetch ledger; `connection_status` the one for the connection.
"""

from typing import ClassVar


class ProviderError(Exception):
    """The vendor could not be read; try again at the next cycle."""

    reason: ClassVar[str] = "provider_error"
    connection_status: ClassVar[str | None] = None
    transient: ClassVar[bool] = False

    def __init__(self, message: str = "", *, http_status: int | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.http_status = http_status


class TransportError(ProviderError):
    """No whole answer arrived; check the network, then wait for the next cycle."""

    reason = "transport"
    transient = True


class RateLimited(ProviderError):
    """The vendor's rate limit is used up; lower the configured rate or wait."""

    reason = "rate_limited"
    transient = True

    def __init__(self, message: str = "", *, http_status: int | None = None,
                 retry_after_s: float | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.retry_after_s = retry_after_s


class VendorUnavailable(ProviderError):
    """The vendor has a failure of its own; wait for the next cycle."""

    reason = "vendor_unavailable"
    transient = True


class CircuitOpen(ProviderError):
    """The vendor failed again and again and was not asked; the next cycle tries it anew."""

    reason = "circuit_open"


class RequestRejected(ProviderError):
    """The vendor refuses the request itself; the client needs to be changed."""

    reason = "request_rejected"


class SchemaError(ProviderError):
    """The answer has not the documented shape; compare the stored payload with the docs."""

    reason = "schema"


class AuthorisationError(ProviderError):
    """The vendor does not let us read; see the reason."""

    reason = "authorisation"


class TokenRejected(AuthorisationError):
    """The access token is not accepted, not even a fresh one; look at the vendor's status page."""

    reason = "token_rejected"


class ReauthorisationRequired(AuthorisationError):
    """The refresh token is no longer accepted; ask the patient to connect the account again."""

    reason = "reauth_required"
    connection_status = "reauth_required"


class ConsentRevoked(AuthorisationError):
    """The link was ended here; ask the patient to connect the account again."""

    reason = "revoked"
    connection_status = "revoked"


class ScopeMissing(AuthorisationError):
    """The patient did not grant this; ask for consent with the missing scope."""

    reason = "scope_missing"


class SubscriptionLapsed(AuthorisationError):
    """The patient's membership at the vendor has ended; readings resume when it is renewed."""

    reason = "subscription_lapsed"
    connection_status = "subscription_lapsed"


class NotLinked(AuthorisationError):
    """The chosen account has no wearable; ask the patient to connect the right account."""

    reason = "not_linked"
    connection_status = "not_linked"


class ClientRefused(AuthorisationError):
    """Client id or secret is not accepted; check the provider's settings."""

    reason = "client_refused"
