"""The wire of vendor accounts: what `api.routes.connections` answers."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas import CYCLE, with_example

_LINK = {
    "connection_id": "oura:p03", "provider": "oura", "status": "active", "account_known": True,
    "scopes_granted": ["daily", "heartrate"], "consented_at": CYCLE, "last_refresh_at": CYCLE,
    "last_fetch": CYCLE,
    "scopes_missing": [{"scope": "spo2", "lost": ["spo2"], "fewer": []}]}


class ScopeOut(BaseModel):
    scope: str
    lost: Annotated[list[str], Field(description="vitals that no granted scope reads")]
    fewer: Annotated[list[str], Field(description="vitals of which some readings are missing")]


class LinkOut(BaseModel):
    """A patient's vendor account. Tokens are never shown."""

    model_config = with_example(_LINK)

    connection_id: str
    provider: str
    status: Literal["active", "reauth_required", "revoked", "not_linked", "subscription_lapsed",
                    "file"]
    account_known: Annotated[bool, Field(
        description="whether the vendor told whose account it is, so that it counts once")]
    scopes_granted: list[str]
    consented_at: AwareDatetime | None
    last_refresh_at: AwareDatetime | None
    last_fetch: Annotated[AwareDatetime | None, Field(
        description="newest cycle that was fetched whole")]
    scopes_missing: list[ScopeOut]


class LinksOut(BaseModel):
    model_config = with_example({"patient_id": "p03", "connections": [_LINK]})

    patient_id: str
    connections: list[LinkOut]


class AuthoriseOut(BaseModel):
    """Send the patient to `url`; the vendor sends back `state` and `code` or `error`."""

    model_config = with_example({"url": "https://cloud.ouraring.com/oauth/authorize?…",
                                 "expires_in": 600})

    url: str
    expires_in: Annotated[int, Field(description="seconds")]


class LinkedOut(BaseModel):
    model_config = with_example({"patient_id": "p03", "connection_id": "oura:p03"})

    patient_id: str
    connection_id: str


class EndedOut(BaseModel):
    model_config = with_example({"connection_id": "oura:p03", "status": "revoked",
                                 "ended_at_vendor": True})

    connection_id: str
    status: Literal["revoked"]
    ended_at_vendor: Annotated[bool, Field(
        description="false: the patient ends it in the vendor's own settings")]
