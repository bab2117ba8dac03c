"""An identity service: a gRPC server speaking the published contract, over domains of the tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from spaceone.api.core.v2 import handler_pb2
from spaceone.api.identity.v2 import app_pb2, app_pb2_grpc, domain_pb2_grpc

from tests.support.tokens import Issuer


class IdentityService:
    """Starts, stops and starts again on one port; records its requests.

    `delay` seconds pass before each answer; requests in `broken` fail. Callers have to show
    `token`. An app that is not in `apps` may be disabled as well: identity answers the same.
    """

    def __init__(self, token: str, *issuers: Issuer) -> None:
        self.token = token
        self.keys: dict[str, str] = {each.domain_id: json.dumps(each.jwk) for each in issuers}
        self.apps: dict[str, tuple[list[str], list[str]]] = {}
        self.broken: set[str] = set()
        self.delay = 0.0
        self.requests: list[str] = []
        self.port = 0
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None
        self._credentials: grpc.ServerCredentials | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Serves, on the port it had before if any."""
        options = [("grpc.so_reuseport", 0)]
        server = grpc.server(ThreadPoolExecutor(16), options=options)
        domain_pb2_grpc.add_DomainServicer_to_server(_Domains(self), server)
        app_pb2_grpc.add_AppServicer_to_server(_Apps(self), server)
        address = f"127.0.0.1:{self.port}"
        self._credentials = credentials or self._credentials
        self.port = (
            server.add_secure_port(address, self._credentials)
            if self._credentials
            else server.add_insecure_port(address)
        )
        server.start()
        self._server = server

    def stop(self) -> None:
        """Ends at once, calls included."""
        if self._server is not None:
            self._server.stop(None).wait()

    def answer(
        self,
        request_name: str,
        context: grpc.ServicerContext,
        made: Callable[[], Any | None],
        absent: grpc.StatusCode = grpc.StatusCode.NOT_FOUND,
    ) -> Any:
        """What `made` gives, taken before the delay, as of a service that is slow to say it;
        ends with `absent` if that is nothing."""
        metadata: Mapping[str, Any] = dict(context.invocation_metadata())
        with self._lock:
            self.requests.append(request_name)
            answer = made()
        time.sleep(self.delay)
        if metadata.get("token") != self.token:
            _abort(context, grpc.StatusCode.UNAUTHENTICATED)
        if request_name in self.broken:
            _abort(context, grpc.StatusCode.INTERNAL)
        if answer is None:
            _abort(context, absent)
        return answer


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode) -> NoReturn:
    context.abort(code, "ERROR_TEST: Refused.")
    raise AssertionError("abort raises")


class _Domains(domain_pb2_grpc.DomainServicer):  # type: ignore[misc]  # published without types
    def __init__(self, service: IdentityService) -> None:
        self._service = service

    def get_public_key(self, request: Any, context: grpc.ServicerContext) -> Any:
        def made() -> Any | None:
            key = self._service.keys.get(request.domain_id)
            if key is None:
                return None
            return handler_pb2.AuthenticationResponse(domain_id=request.domain_id, public_key=key)

        return self._service.answer(f"key {request.domain_id}", context, made)


class _Apps(app_pb2_grpc.AppServicer):  # type: ignore[misc]  # published without types
    def __init__(self, service: IdentityService) -> None:
        self._service = service

    def check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def made() -> Any | None:
            grant = self._service.apps.get(request.client_id)
            return grant and app_pb2.CheckAppInfo(permissions=grant[0], projects=grant[1])

        request_name = f"app {request.domain_id} {request.client_id}"
        return self._service.answer(request_name, context, made, grpc.StatusCode.PERMISSION_DENIED)
