"""Which interruptions of a stream pass by themselves."""

import grpc
import pytest

from imagegen_gateway.following import retry_delay_s

CODES = grpc.StatusCode


def error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """As gRPC itself raises it, without a word of the server."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=code.name)


@pytest.mark.parametrize("code", [CODES.UNAVAILABLE, CODES.CANCELLED, CODES.INTERNAL, CODES.UNKNOWN])
def test_what_a_dying_server_leaves_behind_is_tried_again(code: grpc.StatusCode) -> None:
    assert retry_delay_s(error(code)) == 0.0


@pytest.mark.parametrize("code", [CODES.NOT_FOUND, CODES.INVALID_ARGUMENT, CODES.UNIMPLEMENTED])
def test_an_answer_is_an_answer(code: grpc.StatusCode) -> None:
    assert retry_delay_s(error(code)) is None
