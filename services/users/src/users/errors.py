"""The problems that this service adds to those of the SDK. Raised by use cases and routes, answered as problem+json."""

import math

from platform_sdk.runtime.http.problems import Problem, conflict, unauthenticated


def email_taken() -> Problem:
    return conflict("email-taken", "an account with this email address exists already")


def weak_password(detail: str) -> Problem:
    return Problem(422, "weak-password", "Weak Password", detail)


def invalid_credentials() -> Problem:
    """Return the same answer for an unknown address, a wrong password and a disabled account, to reveal nothing."""
    return _refused("invalid-credentials", "Invalid Credentials", "email address or password is wrong")


def wrong_old_password() -> Problem:
    return _refused("invalid-credentials", "Invalid Credentials", "the old password is wrong")


def invalid_refresh_token() -> Problem:
    """Return one answer for an unknown, an expired and a used refresh token."""
    detail = "the refresh token is unknown, expired or already used; log in again"
    return _refused("invalid-refresh-token", "Invalid Refresh Token", detail)


def _refused(slug: str, title: str, detail: str) -> Problem:
    # RFC 9110, section 15.5.2: a 401 always carries a challenge.
    return Problem(401, slug, title, detail, headers={"WWW-Authenticate": "Bearer"})


def session_ended() -> Problem:
    return unauthenticated("the session of this access token has ended; log in again", error="invalid_token")


def log_in_locked(seconds: float) -> Problem:
    """Return the problem for too many failed log-ins. The wait doubles with each further failure.

    Args:
        seconds: how much longer the account stays locked.
    """
    wait = max(1, math.ceil(seconds))
    detail = f"too many failed log-ins for this email address; try again in {wait} s"
    return Problem(429, "log-in-locked", "Too Many Failed Log-ins", detail, headers={"Retry-After": str(wait)})


def address_limit(limit: int) -> Problem:
    return conflict("address-limit", f"an account has at most {limit} addresses")


def own_account() -> Problem:
    return conflict("own-account", "administrators cannot disable themselves or change their own role")
