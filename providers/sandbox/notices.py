"""The vendors' webhooks: telling that a patient has something new, signed as each vendor signs.

Google is told where to by `/sandbox/webhooks`, which stands for its console; Oura and Withings by
their subscriptions. A notice speaks of the hour before the clock, so that two at one clock are the
same bytes, as when a vendor sends again.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import orjson
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from providers.observation import Provider
from providers.sandbox.notifications import Told
from providers.sandbox.readings import HOUR_S, Subject
from providers.sandbox.subscriptions import Subscription, loopback
from providers.sandbox.world import World, iso

KEYSET_PATH = f"/{Provider.GOOGLE_HEALTH}/webhooks/webhooks_public_keyset.json"

_TIMEOUT_S = 20
_KEY_ID = 0x5A4DB0C5
_PARAMS = bytes((0x12, 6, 8, 3, 16, 2, 24, 2))     # SHA256, NIST_P256, DER, by Tink's numbers
_GOOGLE = ("heart-rate", "oxygen-saturation", "core-body-temperature", "sleep")


class GoogleKey:
    """A signing key of this sandbox, new with each start, in the forms of Google's Tink."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def signature(self, body: bytes) -> str:
        """Of exactly these bytes: prefix, key id, ECDSA in DER."""
        der = self._key.sign(body, ec.ECDSA(SHA256()))
        return base64.b64encode(b"\x01" + _KEY_ID.to_bytes(4) + der).decode()

    def keyset(self) -> dict[str, Any]:
        """The public keyset, Tink's JSON."""
        numbers = self._key.public_key().public_numbers()
        point = b"".join(bytes((tag, 33)) + number.to_bytes(33)
                         for tag, number in ((0x1A, numbers.x), (0x22, numbers.y)))
        return {"primaryKeyId": _KEY_ID, "key": [{
            "keyId": _KEY_ID, "status": "ENABLED", "outputPrefixType": "TINK",
            "keyData": {"typeUrl": "type.googleapis.com/google.crypto.tink.EcdsaPublicKey",
                        "keyMaterialType": "ASYMMETRIC_PUBLIC",
                        "value": base64.b64encode(_PARAMS + point).decode()}}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One webhook before it is sent."""

    address: str
    body: bytes
    headers: Mapping[str, str]


class Place(BaseModel):
    """Where a vendor without subscriptions of its own sends its webhooks; on loopback alone."""

    model_config = ConfigDict(extra="forbid")
    provider: Literal[Provider.GOOGLE_HEALTH]
    address: str
    authorization: Annotated[str, Field(description="sent by Google with each")] = ""


class Ping(BaseModel):
    """Tell that this patient has something new."""

    model_config = ConfigDict(extra="forbid")
    provider: Provider
    subject_id: str


class Sent(BaseModel):
    """The HTTP status of each answer; 0 where none came."""

    answers: list[int]


@dataclass(slots=True)
class Switchboard:
    """Who is told of what, and what it is signed with."""

    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    told: Told = field(default_factory=set)
    places: dict[Provider, Place] = field(default_factory=dict)
    key: GoogleKey = field(default_factory=GoogleKey)

    def notices(self, world: World, subject: Subject) -> Iterator[Notice]:
        """What the patient's vendor sends: one a kind of data, none where nobody is to be told."""
        place = self.places.get(subject.provider)
        if subject.provider is Provider.OURA:
            yield from self._oura(world, subject)
        elif subject.provider is Provider.WITHINGS:
            yield from _withings(world, subject, self.told)
        elif place:
            yield from self._google(world, subject, place)

    def _oura(self, world: World, subject: Subject) -> Iterator[Notice]:
        for one in self.subscriptions.values():
            if one.expires_at <= world.now or one.event_type == "delete":
                continue
            stamp = str(world.now)
            body = orjson.dumps({
                "event_type": one.event_type, "data_type": one.data_type,
                "object_id": _named(subject, f"{one.data_type} {world.now // HOUR_S}"),
                "event_time": iso(world.now), "user_id": oura_account(subject)})
            digest = hmac.new(world.settings.client_secret.encode(), stamp.encode() + body,
                              hashlib.sha256).hexdigest().upper()
            yield Notice(address=one.address, body=body, headers={
                "content-type": "application/json", "x-oura-timestamp": stamp,
                "x-oura-signature": digest})

    def _google(self, world: World, subject: Subject, place: Place) -> Iterator[Notice]:
        for kind in _GOOGLE:
            body = orjson.dumps({"data": {
                "version": "1", "clientProvidedSubscriptionName": "sandbox",
                "healthUserId": f"{world.user_number(subject.subject_id):019d}",
                "operation": "UPSERT", "dataType": kind, "intervals": [_interval(world.now)]}})
            yield Notice(address=place.address, body=body, headers={
                "content-type": "application/json", "authorization": place.authorization,
                "google-health-api-signature": self.key.signature(body)})


def oura_account(subject: Subject) -> str:
    """The account's id, as `personal_info` tells it."""
    return _named(subject, "account 0")


def _named(subject: Subject, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{subject.subject_id} {what}"))


def _withings(world: World, subject: Subject, told: Told) -> Iterator[Notice]:
    for subject_id, address, kind in sorted(told):
        if subject_id != subject.subject_id:
            continue
        body = urlencode({"userid": world.user_number(subject.subject_id), "appli": kind,
                          "startdate": world.now - HOUR_S, "enddate": world.now}).encode()
        yield Notice(address=address, body=body, headers={
            "content-type": "application/x-www-form-urlencoded"})


def _interval(now: int) -> dict[str, Any]:
    """The hour before, in physical and civil time: the sandbox's patients live in UTC."""
    ends = {"start": now - HOUR_S, "end": now}
    return {"physicalTimeInterval": {f"{end}Time": iso(t) for end, t in ends.items()},
            "civilDateTimeInterval": {f"{end}DateTime": _civil(t) for end, t in ends.items()}}


def _civil(t: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(t, UTC)
    return {"date": {"year": at.year, "month": at.month, "day": at.day},
            "time": {"hours": at.hour, "minutes": at.minute}}


def _send(notices: list[Notice]) -> list[int]:
    answers = []
    for one in notices:
        try:
            answers.append(requests.post(one.address, data=one.body, headers=dict(one.headers),
                                         timeout=_TIMEOUT_S, allow_redirects=False).status_code)
        except requests.RequestException:
            answers.append(0)
    return answers


def router(world: World, board: Switchboard) -> APIRouter:
    """Google's public keyset, and the sandbox's own ways to set webhooks up and send them."""
    routes = APIRouter(tags=["sandbox"])

    @routes.get(KEYSET_PATH)
    async def keyset() -> dict[str, Any]:
        return board.key.keyset()

    @routes.put("/sandbox/webhooks", status_code=204)
    async def place(given: Place) -> None:
        if not loopback(given.address):
            raise HTTPException(422, "the sandbox tells addresses on loopback alone")
        board.places[given.provider] = given

    @routes.post("/sandbox/ping")
    async def ping(given: Ping) -> Sent:
        subject = world.subjects.get(given.subject_id)
        if subject is None or subject.provider is not given.provider:
            raise HTTPException(404, f"no subject {given.subject_id} of {given.provider}; see "
                                     "/sandbox/subjects")
        notices = list(board.notices(world, subject))
        if not notices:
            raise HTTPException(409, "nobody is to be told: set an address by PUT "
                                     "/sandbox/webhooks, or subscribe at the vendor")
        return Sent(answers=await run_in_threadpool(_send, notices))

    return routes
