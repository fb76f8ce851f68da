"""Signatures of Google's Tink: ECDSA on P-256 with SHA-256, by a public keyset.

A signature is base64 of 0x01, the key's id in four bytes, and the signature in DER. The keyset is
Tink's JSON: every key a serialised `EcdsaPublicKey` message. Source: github.com/tink-crypto,
`proto/tink.proto` and `proto/ecdsa.proto`.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_TYPE = "type.googleapis.com/google.crypto.tink.EcdsaPublicKey"
_TINK_PREFIX = 0x01
_PREFIX_BYTES = 5
_PARAMS, _X, _Y = 2, 3, 4
_EXPECTED_PARAMS = {1: 3, 2: 2, 3: 2}
"""SHA256, NIST_P256 and DER, by the numbers of `EcdsaParams`."""

Keys = dict[int, ec.EllipticCurvePublicKey]


class KeysetInvalid(ValueError):
    """The keyset is not Tink's JSON of ECDSA P-256 keys; fetch it again from the vendor."""


def parse_keyset(text: bytes | str) -> Keys:
    """The enabled keys by id. KeysetInvalid when it cannot be read, or holds none."""
    try:
        keys = {one["keyId"]: _public_key(one["keyData"]) for one in orjson.loads(text)["key"]
                if one["status"] == "ENABLED" and one["outputPrefixType"] == "TINK"}
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise KeysetInvalid(KeysetInvalid.__doc__) from error
    if not keys:
        raise KeysetInvalid(KeysetInvalid.__doc__)
    return keys


def signed(keys: Keys, signature: str, body: bytes) -> bool:
    """Is `signature` one of these keys' over exactly these bytes."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    key = keys.get(int.from_bytes(raw[1:_PREFIX_BYTES]))
    if len(raw) <= _PREFIX_BYTES or raw[0] != _TINK_PREFIX or key is None:
        return False
    try:
        key.verify(raw[_PREFIX_BYTES:], body, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _public_key(data: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    if data["typeUrl"] != _TYPE:
        raise KeysetInvalid(KeysetInvalid.__doc__)
    message = dict(_fields(base64.b64decode(data["value"])))
    if dict(_fields(message[_PARAMS])) != _EXPECTED_PARAMS:
        raise KeysetInvalid(KeysetInvalid.__doc__)
    x, y = (int.from_bytes(message[number]) for number in (_X, _Y))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol buffer that holds varints and bytes alone."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        value, at = _varint(message, at)
        if kind == 2:
            if at + value > len(message):
                raise KeysetInvalid(KeysetInvalid.__doc__)
            yield number, message[at:at + value]
            at += value
        elif kind == 0:
            yield number, value
        else:
            raise KeysetInvalid(KeysetInvalid.__doc__)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
