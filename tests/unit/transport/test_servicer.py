"""The servicer has every method of the contract."""

from __future__ import annotations

import pytest

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.servicer import JobServicer

METHODS = [method.name for method in job_pb2.DESCRIPTOR.services_by_name["Job"].methods]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_the_contract_is_implemented(name: str) -> None:
    assert name in vars(JobServicer)
