"""Two domains that give tokens."""

from __future__ import annotations

import pytest

from tests.support.tokens import Issuer


@pytest.fixture(scope="module")
def domain() -> Issuer:
    return Issuer("domain-1")


@pytest.fixture(scope="module")
def stranger() -> Issuer:
    return Issuer("domain-2")
