"""What is trusted of a cluster's certificate: everything is verified, but nothing is asked that old authorities cannot give."""

from __future__ import annotations

import ssl

from shared.clusters.connection import _tls_context


def test_chain_and_name_are_verified() -> None:
    context = _tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_an_authority_without_key_identifiers_is_not_refused() -> None:
    assert not _tls_context().verify_flags & ssl.VERIFY_X509_STRICT
