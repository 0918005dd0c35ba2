"""From google.rpc.Status to our errors."""

import grpc
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # no stubs

from imagegen.v1.error_pb2 import ErrorReason
from imagegen.v1.job_pb2 import JobState
from imagegen_client import Client, ImagegenError, InvalidRequest, Overloaded, ServerFault, Violation
from imagegen_client.commands.exits import EXIT_OF_ERROR, EXIT_OF_STATE, MEANINGS, Exit
from imagegen_client.commands.session import sentences
from imagegen_client.errors import ERROR_CLASSES, error_from_status
from tests.client.fake import FakeServer, Fault


def error_classes() -> set[type[ImagegenError]]:
    return {ImagegenError, *ImagegenError.__subclasses__()}


def test_every_status_code_has_its_error() -> None:
    assert set(ERROR_CLASSES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_every_error_and_every_state_has_its_exit_status() -> None:
    assert set(EXIT_OF_ERROR) == error_classes()
    assert set(EXIT_OF_STATE) == set(JobState.values())
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize("code", list(ERROR_CLASSES))
async def test_error_holds_all_that_the_server_says(server: FakeServer, client: Client, code: grpc.StatusCode) -> None:
    server.faults["GetJob"] = [
        Fault(code=code, message="no", reason="INTERNAL", violations={"spec.x": "is wrong"}, retry_after_s=2.5),
        Fault(code=code, message="no", reason="INTERNAL", violations={"spec.x": "is wrong"}, retry_after_s=2.5),
    ]
    client._give_up_after_s = 0

    with pytest.raises(ERROR_CLASSES[code]) as caught:
        await client.get_job("any")

    error = caught.value
    assert (str(error), error.code, error.reason, error.retry_after_s) == ("no", code, "INTERNAL", 2.5)
    assert error.violations == (Violation("spec.x", "is wrong"),)


@pytest.mark.parametrize("reason", [each.name.removeprefix("ERROR_REASON_") for each in ErrorReason.DESCRIPTOR.values])
def test_every_reason_of_the_catalogue_arrives(reason: str) -> None:
    assert error_from_status(Fault(reason=reason).status()).reason == reason


def test_a_fault_that_the_message_cuts_off_is_said_once_and_whole() -> None:
    fault = Violation("spec.workflow.inputs.sampler", "no such sampler; allowed: euler, heun, and many more")
    other = Violation("steps", "too many")
    error = InvalidRequest("spec.workflow.inputs.sampler: no such sampler; allowed: eu…", violations=(fault, other))
    assert sentences(error, "") == [
        "imagegen: sampler: no such sampler; allowed: euler, heun, and many more",
        "  steps: too many",
    ]


def test_status_without_details_is_an_error_without_reason() -> None:
    error = error_from_status(Status(code=13, message="boom"))

    assert isinstance(error, ServerFault)
    assert (error.reason, error.violations, error.retry_after_s) == ("", (), None)


def test_unreadable_detail_does_not_hide_the_error() -> None:
    status = Status(code=8, message="full")
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")

    assert isinstance(error_from_status(status), Overloaded)


def test_code_that_does_not_exist_is_unknown() -> None:
    assert error_from_status(Status(code=99)).code is grpc.StatusCode.UNKNOWN


async def test_details_that_disagree_with_the_status_are_not_believed(server: FakeServer, client: Client) -> None:
    class Disagreeing(Fault):
        def status(self) -> Status:
            status = super().status()
            status.code = 5
            return status

    server.faults["GetJob"] = [Disagreeing(code=grpc.StatusCode.INVALID_ARGUMENT, reason="JOB_NOT_FOUND")]

    with pytest.raises(InvalidRequest) as caught:
        await client.get_job("any")

    assert caught.value.reason == ""
