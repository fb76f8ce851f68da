"""What the API itself refuses. `api.problems` turns each into a status.

ApiError
  NotSignedInError      no valid login came with the request
  WrongLoginError       name or password is wrong
  TooManyLoginsError    too many failed logins; wait
  NotAllowedError       the role may not do this
  ForeignOriginError    a form was sent from another site
  NoForecastError       there is no forecast or severity yet
  EntryInFutureError    a clinical entry for a time that has not come
  WindowInvalidError    a window of time that is empty or too long
  HorizonTooLongError   more hours were asked than are stored
  WebhookUnknownError   no such webhook is set up, or its address is wrong
  WebhookRefusedError   the webhook is not signed by its vendor
  WebhookTooLargeError  the webhook's body is larger than it may be
  WebhookSlowError      the webhook's body did not come in time
"""


class ApiError(Exception):
    """The request is refused; the message says what to do."""


class NotSignedInError(ApiError):
    """Sign in first: POST /v1/token, then send the token as 'Authorization: Bearer …'."""


class WrongLoginError(ApiError):
    """The name or the password is wrong."""


class TooManyLoginsError(ApiError):
    """Too many failed logins; wait before trying again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed logins: try again in {retry_after_s} seconds")
        self.retry_after_s = retry_after_s


class NotAllowedError(ApiError):
    """Your role may not do this; ask with a login that may."""


class ForeignOriginError(ApiError):
    """The form was not sent from this site's own page; open the page here and send it again."""


class NoForecastError(ApiError):
    """There is nothing yet: run a cycle first (vitalcast demo, or the Airflow DAGs)."""


class HorizonTooLongError(ApiError):
    """More hours were asked than the stored forecast has."""


class EntryInFutureError(ApiError):
    """effective_at lies in the future: send when it was found, or leave it out for now."""


class WindowInvalidError(ApiError):
    """The window is empty or too long."""


class WebhookUnknownError(ApiError):
    """There is no such webhook here; correct the address, or set VITALCAST_WEBHOOK_… first."""


class WebhookRefusedError(ApiError):
    """The webhook's signature or secret is not its vendor's; nothing was stored."""


class WebhookTooLargeError(ApiError):
    """The webhook is larger than VITALCAST_WEBHOOK_MOST_BYTES; nothing was stored."""


class WebhookSlowError(ApiError):
    """The webhook's body did not come in time; send it again."""
