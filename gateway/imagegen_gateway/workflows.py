"""What REST has about workflows beside the derived routes: each as an endpoint of its own, and uploads to import.

`POST /api/v1/workflows/{workflow_id}:run` takes the inputs as a flat JSON object, just as the workflow's schema says,
and what else there is to say about the job as query parameters. It answers as CreateJob: 201 for a new job, 200 for one
that was there already, and for a mere check. Errors name the inputs as the caller does.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import grpc
import orjson
from aiohttp import web
from google.protobuf.message import Message

from imagegen.v1 import image_gen_pb2, image_gen_pb2_grpc, job_pb2, workflow_pb2, workflow_pb2_grpc
from imagegen_client.specs import invocation
from imagegen_gateway.assets import Assets
from imagegen_gateway.callers import caller_of
from imagegen_gateway.config import MIB, GatewaySettings
from imagegen_gateway.decoding import bad_field, refuse_unknown, set_text
from imagegen_gateway.descriptors import descriptor_of
from imagegen_gateway.dialects.bodies import Part, idempotency_key, is_deeper, largest_form, read_bytes, read_form
from imagegen_gateway.encoding import to_json
from imagegen_gateway.errors import FieldError, Problem, from_rpc
from imagegen_gateway.transcoding import JSON_TYPES, read_body

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub
    from imagegen.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

ID: Final = "{workflow_id:[a-z0-9][a-z0-9-]{0,63}}"
MAX_DEPTH: Final = 32
MAX_TEXT_BYTES: Final = 8 * MIB
INPUTS: Final = "spec.workflow.inputs."
"""Where the caller's fields lie in the request that is made of them."""
PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""How files begin that are stored first, and then read for what is inside."""
OPTIONS: Final = ("backend", "priority", "reuse", "on_uncertain")
"""What of a JobSpec can be said in the query."""
FORM_FIELDS: Final = frozenset({"file", "name", "backend", "openwebui_nodes_json"})
RAW_TYPES: Final = frozenset({"application/octet-stream", "text/plain"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Workflows:
    """The handlers."""

    def __init__(
        self, channel: grpc.aio.Channel, settings: GatewaySettings, assets: Assets, import_json: Handler
    ) -> None:
        """`import_json` is the derived handler, for requests in JSON."""
        self._jobs: ImageGenServiceAsyncStub = image_gen_pb2_grpc.ImageGenServiceStub(channel)
        self._workflows: WorkflowServiceAsyncStub = workflow_pb2_grpc.WorkflowServiceStub(channel)
        self._settings = settings
        self._assets = assets
        self._import_json = import_json

    def routes(self) -> list[web.RouteDef]:
        """aiohttp routes; to be added before the derived ones, of which the last is one more way."""
        return [
            web.post(f"/api/v1/workflows/{ID}:run", self.run),
            web.get(f"/api/v1/workflows/{ID}/schema", self.schema),
            web.post("/api/v1/workflows:import", self.import_),
        ]

    async def run(self, request: web.Request) -> web.Response:
        """Makes a job of the inputs in the body."""
        wanted = run_request(request.match_info["workflow_id"], await read_body(request), list(request.query.items()))
        wanted.request_id = idempotency_key(request)
        metadata = caller_of(request).metadata
        try:
            answer = await self._jobs.CreateJob(wanted, timeout=self._settings.rpc_timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as exc:
            raise as_callers(from_rpc(exc)) from exc
        is_new = not (answer.replayed or wanted.validate_only)
        location = {"Location": f"/api/v1/jobs/{answer.job.job_id}"} if is_new else {}
        return _json(to_json(answer), status=201 if is_new else 200, headers=location)

    async def schema(self, request: web.Request) -> web.Response:
        """What `run` takes."""
        wanted = workflow_pb2.GetWorkflowRequest(workflow_id=request.match_info["workflow_id"])
        _set_all({"revision": wanted}, request.query.items())
        found = await self._workflows.GetWorkflow(
            wanted, timeout=self._settings.rpc_timeout_s, metadata=caller_of(request).metadata
        )
        return _json(found.workflow.input_schema_json.encode(), content_type="application/schema+json")

    async def import_(self, request: web.Request) -> web.StreamResponse:
        """Reads a workflow that is uploaded: as the body, as the file of a form, or within JSON."""
        kind = request.content_type
        if not request.body_exists or kind in JSON_TYPES:
            return await self._import_json(request)
        if kind == "multipart/form-data":
            refuse_unknown(request.query, ())
            parts = await read_form(request, largest_form(self._settings))
            wanted, data = import_request(parts)
        elif kind.startswith("image/") or kind in RAW_TYPES:
            wanted = workflow_pb2.ImportWorkflowRequest()
            _set_all(dict.fromkeys(FORM_FIELDS - {"file"}, wanted), request.query.items())
            data = await read_bytes(request, self._settings.max_upload_bytes)
        else:
            raise Problem(415, f"send JSON, a form with the field file, a picture or text/plain, not {kind}")
        return await self._import(request, wanted, data)

    async def _import(
        self, request: web.Request, wanted: workflow_pb2.ImportWorkflowRequest, data: bytes
    ) -> web.Response:
        if data.startswith(PICTURES):
            wanted.asset = (await self._assets.store(data, "file")).digest
        else:
            wanted.text = _text(data)
        answer = await self._workflows.ImportWorkflow(
            wanted, timeout=self._settings.rpc_timeout_s, metadata=caller_of(request).metadata
        )
        return _json(to_json(answer))


def run_request(workflow_id: str, body: bytes, query: list[tuple[str, str]]) -> image_gen_pb2.CreateJobRequest:
    """The request that inputs and options make. Raises Problem 400."""
    request = image_gen_pb2.CreateJobRequest(spec=job_pb2.JobSpec(workflow=invocation(workflow_id, _inputs(body))))
    spec = request.spec
    for text in (text for name, text in query if name == "label"):
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise bad_field("label", "must be KEY=VALUE")
        spec.labels[key] = value
    owners: dict[str, Message] = {"revision": spec.workflow, "validate_only": request, **dict.fromkeys(OPTIONS, spec)}
    refuse_unknown((name for name, _ in query), ["label", *owners])
    _set_all(owners, (pair for pair in query if pair[0] != "label"))
    return request


def _inputs(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as exc:
        raise Problem(400, f"the body is no JSON: {exc}", reason="INVALID_REQUEST") from exc
    if not isinstance(value, dict):
        raise bad_field("", "must be an object with the workflow's inputs")
    if is_deeper(value, MAX_DEPTH):
        raise bad_field("", f"must have at most {MAX_DEPTH} levels")
    return {name: item for name, item in value.items() if item is not None}


def import_request(parts: list[Part]) -> tuple[workflow_pb2.ImportWorkflowRequest, bytes]:
    """The request that a form makes, and the file. Raises Problem 400."""
    fields = {part.name: part for part in parts}
    for name in fields:
        if name not in FORM_FIELDS:
            raise bad_field(name, f"is no field of this form; allowed: {', '.join(sorted(FORM_FIELDS))}")
    if len(fields) < len(parts) or "file" not in fields:
        raise Problem(400, "the form must have the field file, and each field once", reason="INVALID_REQUEST")
    file = fields.pop("file")
    wanted = workflow_pb2.ImportWorkflowRequest(**{name: part.text() for name, part in fields.items()})
    wanted.name = wanted.name or (file.filename or "")[:256]
    return wanted, file.data


def as_callers(problem: Problem) -> Problem:
    """The same problem in the words of who sent the inputs alone."""
    for error in problem.errors:
        problem.detail = problem.detail.replace(error.field, _callers(error.field))
    problem.errors = tuple(
        FieldError(field=_callers(error.field), description=error.description) for error in problem.errors
    )
    return problem


def _callers(path: str) -> str:
    return path.removeprefix(INPUTS).removeprefix("spec.workflow.").removeprefix("spec.")


def _set_all(owners: Mapping[str, Message], query: Iterable[tuple[str, str]]) -> None:
    """Sets fields from query parameters; `owners` says of which message each is one. Raises Problem 400."""
    seen = set[str]()
    for name, text in query:
        refuse_unknown([name], owners)
        if name in seen:
            raise bad_field(name, "is given more than once")
        seen.add(name)
        set_text(owners[name], descriptor_of(owners[name]).fields_by_name[name], text, name)


def _text(data: bytes) -> str:
    if len(data) > MAX_TEXT_BYTES:
        raise bad_field("file", f"is larger than {MAX_TEXT_BYTES} bytes, and no picture")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise bad_field("file", "is neither text nor a picture") from exc


def _json(
    body: bytes, *, status: int = 200, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=body, status=status, content_type=content_type, headers={"Cache-Control": "no-store"} | (headers or {})
    )
