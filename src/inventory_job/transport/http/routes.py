"""The HTTP routes of a service, from the google.api.http options in its descriptor."""

from __future__ import annotations

from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True, slots=True)
class Route:
    """One method: `POST path`, with the whole request message as the body."""

    path: str
    descriptor: MethodDescriptor
    request_type: type[Message]

    @property
    def name(self) -> str:
        """The name of the RPC, which is also that of the servicer's method."""
        return self.descriptor.name

    @property
    def method(self) -> str:
        """The full name, `/package.Service/method`."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"


def routes_of(service: ServiceDescriptor) -> tuple[Route, ...]:
    """The routes of `service`, in the order of its methods; ValueError for other bindings."""
    routes = []
    for method in service.methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        if not rule.post or rule.body != "*" or "{" in rule.post or rule.additional_bindings:
            raise ValueError(f"{method.full_name} is not bound to POST with the whole body")
        routes.append(Route(rule.post, method, GetMessageClass(method.input_type)))
    return tuple(routes)
