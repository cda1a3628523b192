"""Whom a database connection trusts: the certificate authorities of Amazon RDS, or those that its URL names.

Before `database` and `migrate`, which both connect. libpq and asyncpg look for authorities in the user's home, where a
task has none; production's URLs say sslmode=verify-full.
"""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from platform_sdk.errors import PlatformError

RDS_CA_CERTIFICATES: Final = Path(__file__).with_name("rds-ca-certificates.pem")
"""Where AWS publishes them, and when to renew them, stands on top of the file."""


class CertificatesNotRead(PlatformError):
    """`sslrootcert` of a database's URL names no file of certificates."""


def ssl_context(database_url: str) -> ssl.SSLContext | None:
    """For `asyncpg.connect(ssl=…)`: checks the server's certificate, and with verify-full its name too.

    None where the URL's sslmode is neither verify-ca nor verify-full: asyncpg does by itself what the others ask for.

    Raises:
        CertificatesNotRead
    """
    parameters = parse_qs(urlsplit(database_url).query)
    mode = parameters.get("sslmode", ["prefer"])[-1]
    if mode not in {"verify-ca", "verify-full"}:
        return None
    certificates = parameters.get("sslrootcert", [str(RDS_CA_CERTIFICATES)])[-1]
    # Not ssl.create_default_context: from Python 3.13 on it refuses certificates for faults of form that libpq, and
    # with it sslmode, takes no offence at (VERIFY_X509_STRICT).
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "verify-full"
    try:
        context.load_verify_locations(certificates)
    except OSError as error:
        raise CertificatesNotRead(
            f"the certificate authorities in {certificates} cannot be read",
            because=str(error),
            hint="name a file of PEM certificates with sslrootcert, or leave it out to trust those of Amazon RDS",
        ) from error
    return context
