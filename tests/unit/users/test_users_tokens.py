"""Keys, key sets and the tokens that they sign."""

import base64
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from platform_sdk.runtime.http.auth import TokenVerifier, public_keys_of
from platform_sdk.runtime.http.problems import Problem
from users.tokens import TokenSigner, load_private_key, load_public_keys, public_jwk

ISSUER, AUDIENCE = "https://issuer.test", "platform"


def pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: Ed25519PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def signer(current: Ed25519PrivateKey, *previous: Ed25519PublicKey) -> TokenSigner:
    return TokenSigner(current, previous, issuer=ISSUER, audience=AUDIENCE, lifetime_seconds=900)


def verifier(of: TokenSigner) -> TokenVerifier:
    return TokenVerifier.from_public_keys(public_keys_of(of.jwks), issuer=ISSUER, audience=AUDIENCE)


def test_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    x = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    jwk = public_jwk(Ed25519PublicKey.from_public_bytes(x))
    assert jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert set(jwk) == {"kty", "crv", "x", "use", "alg", "kid"}, "and no private part"


async def test_token_says_who_and_which_session_and_for_how_long() -> None:
    user_id, session_id = uuid4(), uuid4()
    own = signer(Ed25519PrivateKey.generate())
    token = own.issue(user_id=user_id, role="admin", session_id=session_id)

    principal = await verifier(own).verify(token.text)

    assert (principal.user_id, principal.roles, principal.session_id) == (user_id, frozenset({"admin"}), session_id)
    assert token.expires_in_seconds == 900
    header = jwt.get_unverified_header(token.text)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": own.jwks["keys"][0]["kid"]}
    claims = jwt.decode(token.text, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "roles", "sid", "jti", "iat", "nbf", "exp"}
    assert claims["exp"] - claims["iat"] == 900


async def test_token_signed_before_a_rotation_is_valid_until_the_old_key_is_withdrawn() -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    token = signer(old).issue(user_id=uuid4(), role="customer", session_id=uuid4()).text
    rotated = signer(new, *load_public_keys(public_pem(old)))

    await verifier(rotated).verify(token)
    key_ids = [key["kid"] for key in rotated.jwks["keys"]]
    assert key_ids == [public_jwk(key.public_key())["kid"] for key in (new, old)]
    with pytest.raises(Problem):
        await verifier(signer(new)).verify(token)


def test_previous_keys_may_be_public_or_private_and_the_current_is_listed_once() -> None:
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    previous = load_public_keys(public_pem(first) + pem(second))
    assert len(signer(second, *previous).jwks["keys"]) == 2


def test_what_is_no_ed25519_key_is_refused_without_being_shown() -> None:
    other = generate_ec_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for text in (other.decode(), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "secret"):
        for load in (load_private_key, load_public_keys):
            with pytest.raises(ValueError, match="key") as refusal:
                load(text)
            assert text not in str(refusal.value)
            assert refusal.value.__cause__ is None
