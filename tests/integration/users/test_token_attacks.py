"""Access tokens that somebody made up: each is refused, and none is a 500 (RFC 8725)."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.users.users_service import SIGNING_KEY, Account, Json, Users, problem_of
from users.tokens import public_jwk

KEY_ID = public_jwk(SIGNING_KEY.public_key())["kid"]


def claims_of(account: Account) -> Json:
    claims: Json = jwt.decode(account.tokens["access_token"], options={"verify_signature": False})
    return claims


def signed(claims: Json, key: Any = SIGNING_KEY, algorithm: str = "EdDSA", **header: Any) -> str:
    headers = {name: value for name, value in {"typ": "at+jwt", "kid": KEY_ID, **header}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def unsigned(claims: Json, algorithm: str) -> str:
    header = {"alg": algorithm, "typ": "at+jwt", "kid": KEY_ID}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, ""])


def with_public_key_as_secret(claims: Json) -> str:
    raw = SIGNING_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return signed(claims, key=raw, algorithm="HS256")


def tampered(claims: Json) -> str:
    header, _, signature = signed(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "roles": ["admin"]}).encode()).decode().rstrip("=")
    return f"{header}.{body}.{signature}"


def changed(**changes: Any) -> Callable[[Json], str]:
    return lambda claims: signed({name: value for name, value in {**claims, **changes}.items() if value is not None})


own_jwk = public_jwk(Ed25519PrivateKey.generate().public_key())

ATTACKS: dict[str, Callable[[Json], str]] = {
    "algorithm none": lambda claims: unsigned(claims, "none"),
    "algorithm None": lambda claims: unsigned(claims, "None"),
    "no signature": lambda claims: unsigned(claims, "EdDSA"),
    "public key as HMAC secret": with_public_key_as_secret,
    "somebody else's key": lambda claims: signed(claims, key=Ed25519PrivateKey.generate()),
    "body changed": tampered,
    "expired": changed(exp=int(time.time()) - 120),
    "never expires": changed(exp=None),
    "not yet valid": changed(nbf=int(time.time()) + 86_400),
    "other issuer": changed(iss="https://evil.test"),
    "no issuer": changed(iss=None),
    "other audience": changed(aud="another"),
    "no audience": changed(aud=None),
    "no subject": changed(sub=None),
    "subject is no id": changed(sub="admin"),
    "roles are no list": changed(roles="admin"),
    "session is no id": changed(sid="x' OR 1=1 --"),
    "session is a number": changed(sid=7),
    "other type": lambda claims: signed(claims, typ="JWT"),
    "type of a refresh token": lambda claims: signed(claims, typ="rt+jwt"),
    "unknown key": lambda claims: signed(claims, kid="unknown"),
    "key id is a path": lambda claims: signed(claims, kid="../../../../dev/null"),
    "key id is SQL": lambda claims: signed(claims, kid="' UNION SELECT 'key' --"),
    "no key id": lambda claims: signed(claims, kid=None),
    "key in the header": lambda claims: signed(claims, key=Ed25519PrivateKey.generate(), jwk=own_jwk),
    "key elsewhere": lambda claims: signed(claims, jku="http://127.0.0.1:9/jwks", kid="unknown"),
    "unknown critical extension": lambda claims: signed(claims, crit=["evil"], evil=True),
    "nested deeply": lambda claims: signed({**claims, "x": json.loads("[" * 500 + "]" * 500)}) + "x",
    "not a token": lambda claims: "not.a.token",
    "too long": lambda claims: "e30." * 4000,
}


async def test_forged_tokens_are_refused(users: Users) -> None:
    account = await users.account()
    claims = claims_of(account)
    for attack, forge in ATTACKS.items():
        account.tokens["access_token"] = forge(claims)
        answer = await account.request("GET", "/users/me")
        assert problem_of(answer) == (401, "unauthenticated"), attack
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"'), attack


async def test_well_made_token_is_accepted_and_only_with_a_session_of_its_user(users: Users) -> None:
    account, stranger = await users.account(), await users.account()
    claims = claims_of(account)
    account.tokens["access_token"] = signed(claims)
    assert (await account.request("GET", "/users/me")).json()["id"] == str(account.id)

    for mismatch in ({"sub": str(stranger.id)}, {"sid": str(uuid4())}):
        account.tokens["access_token"] = signed({**claims, **mismatch})
        assert problem_of(await account.request("GET", "/users/me")) == (401, "unauthenticated")


async def test_refresh_token_is_no_access_token(users: Users) -> None:
    account = await users.account()
    account.tokens["access_token"] = account.tokens["refresh_token"]
    assert problem_of(await account.request("GET", "/users/me")) == (401, "unauthenticated")


async def test_other_credentials_are_refused(users: Users) -> None:
    for header in ("", "Bearer", "Basic YWRhOnNlY3JldA==", "Bearer a b"):
        answer = await users.http.get("/users/me", headers={"Authorization": header})
        assert problem_of(answer) == (401, "unauthenticated"), header


async def test_key_set_is_public_cacheable_and_has_no_private_part(users: Users) -> None:
    answer = await users.http.get("/users/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json() == {"keys": [public_jwk(SIGNING_KEY.public_key())]}

    again = await users.http.get("/users/.well-known/jwks.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
