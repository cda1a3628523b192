"""The certificate authorities that production's database connections trust."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509

from platform_sdk.deploy.environment import load_environment
from platform_sdk.runtime.database.pool import RDS_CA_CERTIFICATES
from tests.support.repository import ROOT

KEYS = ("RSA2048", "RSA4096", "ECC384")
"""Aurora's three kinds of authority: rds-ca-rsa2048-g1, the default, rds-ca-rsa4096-g1 and rds-ca-ecc384-g1."""


@cache
def authorities() -> dict[str, x509.Certificate]:
    read = x509.load_pem_x509_certificates(RDS_CA_CERTIFICATES.read_bytes())
    names = [one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for one in read]
    assert len(set(names)) == len(names)
    return dict(zip(map(str, names), read, strict=True))


@pytest.mark.parametrize("name", authorities())
def test_each_is_a_root_that_signed_itself_and_is_valid_for_years(name: str) -> None:
    authority = authorities()[name]
    assert re.fullmatch(r"Amazon RDS [a-z]+-[a-z]+-\d Root CA (RSA2048|RSA4096|ECC384) G1", name)
    authority.verify_directly_issued_by(authority)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    now = datetime.now(UTC)
    assert authority.not_valid_before_utc < now
    assert now + timedelta(days=365) < authority.not_valid_after_utc


def test_openssl_reads_them_all_and_finds_each_valid() -> None:
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(RDS_CA_CERTIFICATES), str(RDS_CA_CERTIFICATES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_region_of_each_environment_that_verifies_is_there(environment: str) -> None:
    described = load_environment(ROOT, environment)
    assert described.database.sslmode == "verify-full"
    for key in KEYS:
        assert f"Amazon RDS {described.region} Root CA {key} G1" in authorities()
