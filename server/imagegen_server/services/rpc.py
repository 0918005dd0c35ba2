"""Binds a service's methods to its descriptor: rules are checked before them, errors are translated after them.

An rpc like WatchJob is the method `watch_job(request, context)` of the service object. Methods with one answer return
it; methods with a stream of answers write it to the context, as messages or as bytes that are serialized already.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from imagegen_server.errors import Refused, store_unavailable
from imagegen_server.stores.store import StoreError
from imagegen_server.wire.errors import code_of, encode_refusal
from imagegen_server.wire.rules import check_rules

log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]


def bind(descriptor: ServiceDescriptor, service: object) -> grpc.GenericRpcHandler:
    """The handler of all rpcs of the service."""
    handlers = {
        method.name: _handler(method, getattr(service, snake_case(method.name))) for method in descriptor.methods
    }
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _handler(
    method: MethodDescriptor, implementation: Callable[..., Awaitable[Any]]
) -> "grpc.RpcMethodHandler[Any, Any]":
    if method.client_streaming and not method.server_streaming:
        make = grpc.stream_unary_rpc_method_handler
    elif method.server_streaming and not method.client_streaming:
        make = grpc.unary_stream_rpc_method_handler
    else:
        assert not method.server_streaming, f"{method.full_name} streams both ways, which nothing here does yet"
        make = grpc.unary_unary_rpc_method_handler

    async def answer(request: Any, context: Context) -> Any:
        try:
            return await implementation(_checked(request), context)
        except Refused as refused:
            await _abort(context, refused)
        except StoreError as error:
            log.error("call failed for the store", method=method.full_name, reason=str(error))  # noqa: TRY400
            await _abort(context, store_unavailable())
        except grpc.aio.InternalError as error:
            # What gRPC makes of a caller that went away while it was written to, before it cancels the call.
            log.debug("caller gone", method=method.full_name, reason=str(error))
            await context.abort(grpc.StatusCode.CANCELLED, "the caller is gone")
        except Exception:
            log.exception("call failed unexpectedly", method=method.full_name)
            await _abort(context, Refused("INTERNAL", "a fault of this service; its log has more"))

    return make(
        answer, request_deserializer=GetMessageClass(method.input_type).FromString, response_serializer=_to_bytes
    )


def _checked(request: Any) -> Any:
    if isinstance(request, Message):
        check_rules(request)
        return request
    return _each_checked(request)


async def _each_checked(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        check_rules(request)
        yield request


async def _abort(context: Context, refused: Refused) -> None:
    status = encode_refusal(refused)
    details = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(code_of(refused.reason), status.message, trailing_metadata=(details,))


def _to_bytes(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()
