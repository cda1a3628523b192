"""Which sslmode asks for which checks."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from platform_sdk.runtime.database.pool import RDS_CA_CERTIFICATES, CertificatesNotRead, ssl_context

URL = "postgresql://orders@db.example.com:5432/platform"


@pytest.mark.parametrize("parameters", ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require"])
def test_other_modes_are_left_to_asyncpg(parameters: str) -> None:
    assert ssl_context(URL + parameters) is None


@pytest.mark.parametrize(("mode", "checks_name"), [("verify-ca", False), ("verify-full", True)])
def test_verifying_modes_trust_the_authorities_of_rds_and_nobody_else(mode: str, checks_name: bool) -> None:
    context = ssl_context(f"{URL}?sslmode={mode}")
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is checks_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    trusted = sorted(context.get_ca_certs(binary_form=True))
    authorities = x509.load_pem_x509_certificates(RDS_CA_CERTIFICATES.read_bytes())
    assert trusted == sorted(one.public_bytes(Encoding.DER) for one in authorities)


def test_a_url_may_name_other_authorities(tmp_path: Path) -> None:
    first = RDS_CA_CERTIFICATES.read_text().partition("-----END CERTIFICATE-----")
    (tmp_path / "ca.pem").write_text(first[0] + first[1])
    context = ssl_context(f"{URL}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")
    assert context is not None
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CertificatesNotRead, match=str(file)):
        ssl_context(f"{URL}?sslmode=verify-ca&sslrootcert={file}")
