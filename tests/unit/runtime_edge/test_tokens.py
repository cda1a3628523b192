"""Attacks on tokens (RFC 8725), and what a good token yields."""

import base64
import hashlib
import hmac
import time
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from platform_sdk.runtime.http.auth import TokenVerifier, public_keys_of
from platform_sdk.runtime.http.problems import Problem, unavailable

ISSUER, AUDIENCE, KEY_ID = "https://users.test", "platform", "2026-01"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key()
USER = uuid4()


class CountingKeys:
    """A key source that counts, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def find(self, key_id: str) -> Ed25519PublicKey | None:
        self.asked += 1
        if self.is_away:
            raise unavailable("away")
        return PUBLIC if key_id == KEY_ID else None

    async def prepare(self) -> None:
        return None

    async def close(self) -> None:
        return None


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    all_claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "jti": "t-1",
        "roles": ["customer"],
        "iat": now,
        "exp": now + 3 * 86_400,
    } | changes
    return {name: value for name, value in all_claims.items() if value is not None}


def token(header: dict[str, Any] | None = None, key: Any = PRIVATE, algorithm: str = "EdDSA", **changes: Any) -> str:
    headers = {"typ": "at+jwt", "kid": KEY_ID} | (header or {})
    return jwt.encode(claims(**changes), key, algorithm, headers)


def unsigned(header: dict[str, Any], payload: dict[str, Any], sign: Any = lambda _: b"") -> str:
    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    start = f"{encode(orjson.dumps(header))}.{encode(orjson.dumps(payload))}"
    return f"{start}.{encode(sign(start.encode()))}"


def verifier(keys: Any = None) -> TokenVerifier:
    return TokenVerifier(keys or CountingKeys(), issuer=ISSUER, audience=AUDIENCE)


async def test_a_good_token_names_its_user_and_roles() -> None:
    principal = await verifier().verify(token(roles=["customer", "admin"]))
    assert principal.user_id == USER
    assert principal.roles == {"customer", "admin"}
    assert principal.token_id == "t-1"
    assert principal.is_admin


PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
HEADER = {"typ": "at+jwt", "kid": KEY_ID}
PAST, FUTURE = int(time.time()) - 120, int(time.time()) + 86_400  # a run may take a while to get here

ATTACKS = {
    "garbage": "x.y.z",
    "empty": "",
    "not ascii": "é.é.é",
    "too long": "a" * 5000,
    "no signature": token().rpartition(".")[0] + ".",
    "changed payload": ".".join([token().split(".")[0], token(roles=["admin"]).split(".")[1], token().split(".")[2]]),
    "algorithm none": unsigned(HEADER | {"alg": "none"}, claims()),
    "algorithm None": unsigned(HEADER | {"alg": "None"}, claims()),
    "HMAC with the public key": unsigned(
        HEADER | {"alg": "HS256"}, claims(), lambda text: hmac.new(PEM, text, hashlib.sha256).digest()
    ),
    "another key": token(key=Ed25519PrivateKey.generate()),
    "unknown key id": token({"kid": "other"}),
    "key id with a path": token({"kid": "../../dev/null"}),
    "key id with SQL": token({"kid": "' OR 1=1 --"}),
    "key id is no text": unsigned(HEADER | {"alg": "EdDSA", "kid": 1}, claims()),
    "no key id": unsigned({"typ": "at+jwt", "alg": "EdDSA"}, claims()),
    "own key in the header": token({"jwk": {"kty": "OKP"}, "kid": "mine"}, key=Ed25519PrivateKey.generate()),
    "critical extension": token({"crit": ["b64"], "b64": True}),
    "plain JWT": token({"typ": "JWT"}),
    "refresh token": token({"typ": "rt+jwt"}),
    "other issuer": token(iss="https://evil.test"),
    "other audience": token(aud="billing"),
    "no audience": token(aud=None),
    "expired": token(exp=PAST),
    "no expiry": token(exp=None),
    "expiry is no number": unsigned(HEADER | {"alg": "EdDSA"}, claims(exp="never")),
    "not valid yet": token(nbf=FUTURE),
    "issued in the future": token(iat=FUTURE),
    "no subject": token(sub=None),
    "subject is no user id": token(sub="admin"),
    "no token id": token(jti=None),
    "roles are no list": token(roles="admin"),
    "roles are no texts": token(roles=[["admin"]]),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_an_attack_is_401_invalid_token(attack: str) -> None:
    with pytest.raises(Problem) as caught:
        await verifier().verify(attack)
    assert caught.value.status == 401
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]


async def test_clocks_may_differ_by_half_a_minute() -> None:
    now = int(time.time())
    await verifier().verify(token(exp=now - 20, iat=now - 900))
    await verifier().verify(token(nbf=now + 20, iat=now + 20))


async def test_a_token_is_verified_once_and_remembered_until_it_expires() -> None:
    keys = CountingKeys()
    tokens = verifier(keys)
    good, ending = token(), token(exp=int(time.time()) - 10)
    for _ in range(3):
        await tokens.verify(good)
    assert keys.asked == 1
    for _ in range(3):
        await tokens.verify(ending)
    assert keys.asked == 4


async def test_while_no_key_is_known_the_answer_is_503_and_not_401() -> None:
    keys = CountingKeys()
    keys.is_away = True
    with pytest.raises(Problem) as caught:
        await verifier(keys).verify(token())
    assert caught.value.status == 503


async def test_the_signing_service_verifies_with_its_own_keys() -> None:
    tokens = TokenVerifier.from_public_keys({KEY_ID: PUBLIC}, issuer=ISSUER, audience=AUDIENCE)
    assert (await tokens.verify(token())).user_id == USER


def test_only_our_kind_of_key_is_taken_from_a_key_set() -> None:
    raw = base64.urlsafe_b64encode(PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw)).rstrip(b"=").decode()
    ours = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KEY_ID, "x": raw}
    document = {
        "keys": [
            ours,
            {"kty": "oct", "kid": "symmetric", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
            ours | {"kid": "encryption", "use": "enc"},
            ours | {"kid": "../x"},
        ]
    }
    assert set(public_keys_of(document)) == {KEY_ID}
