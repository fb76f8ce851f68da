"""Signing as the vendors do, with keys made here: the other side of `providers.webhooks`."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256


def private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class GoogleSigner:
    """A keyset in Tink's JSON and signatures by its key."""

    key_id: int = 0xFEDCBA98
    key: ec.EllipticCurvePrivateKey = field(default_factory=private_key)

    def signature(self, body: bytes) -> str:
        der = self.key.sign(body, ec.ECDSA(SHA256()))
        return base64.b64encode(b"\x01" + self.key_id.to_bytes(4) + der).decode()

    def entry(self, status: str = "ENABLED", params: bytes = b"\x08\x03\x10\x02\x18\x02",
              ) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        message = b"\x12" + bytes([len(params)]) + params
        for tag, number in ((b"\x1a", numbers.x), (b"\x22", numbers.y)):
            message += tag + bytes([33]) + number.to_bytes(33)
        return {
            "keyId": self.key_id, "status": status, "outputPrefixType": "TINK",
            "keyData": {"typeUrl": "type.googleapis.com/google.crypto.tink.EcdsaPublicKey",
                        "keyMaterialType": "ASYMMETRIC_PUBLIC",
                        "value": base64.b64encode(message).decode()}}

    def keyset(self) -> str:
        return json.dumps({"primaryKeyId": self.key_id, "key": [self.entry()]})


def oura_headers(secret: str, body: bytes, stamp: str = "1786000000") -> dict[str, str]:
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    return {"x-oura-timestamp": stamp, "x-oura-signature": digest.upper()}


def terra_headers(secret: str, body: bytes, stamp: int) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"terra-signature": f"t={stamp},v1={digest}"}
