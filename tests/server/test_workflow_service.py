"""WorkflowService with the demo backend and ComfyUI's stand-in, over real sockets."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value
from PIL import Image, PngImagePlugin

from imagegen.v1 import workflow_pb2 as pb
from imagegen.v1.job_pb2 import ImageParameters, JobSpec, WorkflowInvocation
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings
from tests.fakes.comfyui import open_fake
from tests.server.scripted import ScriptedAdapter
from tests.server.serving import RHYTHM, Caller, Refusal, asking, calling, refusal_of, serving

GRAPH: dict[str, Any] = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreamshaper_8.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blur", "clip": ["4", 1]}},
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 2**64 - 1, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
}  # fmt: skip
LOADER = {
    "1": {"class_type": "LoraLoaderModelOnly", "inputs": {"lora_name": "a", "strength_model": 0.25, "model": ["2", 0]}},
    "2": {"class_type": "A"},
}
PROMPT = pb.WorkflowInput(
    name="prompt", type=pb.WORKFLOW_INPUT_TYPE_TEXT, targets=[pb.InputTarget(node_id="6", input="text")]
)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_fake() as comfy:
        backends = (
            BackendSettings(name="comfy", kind="comfyui", url=comfy.url),
            BackendSettings(name="demo", kind="demo", labels={"gpu": "none"}),
        )
        settings = ServerSettings(grpc="127.0.0.1:0", data_dir=tmp_path, backends=backends)
        async with serve(settings, rhythm=RHYTHM) as server, calling(server.address) as caller:
            await caller.refresh("comfy", "demo")
            yield caller


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Caller]:
    """A server whose only backend takes no graphs."""
    async with serving(tmp_path, {"plain": ScriptedAdapter()}) as caller:
        await caller.refresh("plain")
        yield caller


def a_workflow(title: str = "Portrait", **fields: Any) -> pb.Workflow:
    return pb.Workflow(**{"title": title, "graph_json": json.dumps(GRAPH), "inputs": [PROMPT], **fields})


async def created(caller: Caller, workflow: pb.Workflow | None = None, owner: str = "") -> pb.Workflow:
    request = pb.CreateWorkflowRequest(workflow=workflow or a_workflow())
    return (await caller.workflows.CreateWorkflow(request, metadata=asking(owner))).workflow


async def updated(caller: Caller, workflow_id: str = "portrait", **fields: Any) -> pb.Workflow:
    request = pb.UpdateWorkflowRequest(workflow_id=workflow_id, **fields)
    return (await caller.workflows.UpdateWorkflow(request)).workflow


async def got(caller: Caller, workflow_id: str = "portrait", revision: int = 0) -> pb.Workflow:
    request = pb.GetWorkflowRequest(workflow_id=workflow_id, revision=revision)
    return (await caller.workflows.GetWorkflow(request)).workflow


async def listed(caller: Caller, **filters: Any) -> list[str]:
    answer = await caller.workflows.ListWorkflows(pb.ListWorkflowsRequest(**filters))
    assert not any(each.graph_json or each.ui_json for each in answer.workflows)
    assert all(each.input_schema_json for each in answer.workflows)
    return [each.workflow_id for each in answer.workflows]


async def refused(call: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def invocation(workflow_id: str, **inputs: Any) -> WorkflowInvocation:
    wanted = WorkflowInvocation(workflow_id=workflow_id)
    wanted.inputs.update(inputs)
    return wanted


BUILT_IN = ["text-to-image", "image-to-image", "inpaint", "upscale"]


async def test_a_workflow_is_kept_as_it_was_given(library: Caller) -> None:
    made = await created(library, a_workflow(labels={"kind": "people"}, ui_json='{"nodes": []}'), owner="ann")
    assert (made.workflow_id, made.revision, made.owner, made.title) == ("portrait", 1, "ann", "Portrait")
    assert made.create_time == made.update_time
    assert json.loads(made.input_schema_json)["properties"]["prompt"]["default"] == "a fox"
    assert await got(library) == made
    assert (list(made.inputs), json.loads(made.graph_json)) == ([PROMPT], GRAPH)
    assert await listed(library) == [*BUILT_IN, "portrait"]


async def test_lists_are_in_order_and_filtered(library: Caller) -> None:
    for title in ("b", "A", "c"):
        await created(library, a_workflow(title, labels={"of": title}))
    assert await listed(library) == [*BUILT_IN, "a", "b", "c"]
    assert await listed(library, text="IMAGE TO") == ["image-to-image"]
    assert await listed(library, label="of") == ["a", "b", "c"]
    assert await listed(library, label="of=b") == ["b"]


async def test_revisions_stay_as_they_are(library: Caller) -> None:
    first = await created(library)
    second = await updated(library, title="Portraits", description="", expected_revision=1)
    assert (second.revision, second.title, second.graph_json) == (2, "Portraits", first.graph_json)
    assert second.create_time == first.create_time
    assert await updated(library, title="Portraits", labels=pb.WorkflowLabels()) == second
    assert await got(library, revision=1) == first
    third = await updated(library, inputs=pb.WorkflowInputs())
    assert (third.revision, len(third.inputs)) == (3, 0)
    answer = await library.workflows.ListWorkflowRevisions(pb.ListWorkflowRevisionsRequest(workflow_id="portrait"))
    assert [each.revision for each in answer.workflows] == [3, 2, 1]
    assert not any(each.graph_json or each.input_schema_json for each in answer.workflows)


async def test_who_has_seen_an_older_revision_changes_nothing(library: Caller) -> None:
    await created(library)
    await updated(library, title="b")
    told = await refused(updated(library, title="c", expected_revision=1))
    assert (told.code, told.reason) == (grpc.StatusCode.ABORTED, "CHANGED_MEANWHILE")
    assert "revision 2 is the newest, not 1" in told.message
    assert (await got(library)).title == "b"


@pytest.mark.parametrize(
    ("held", "type_", "limits"),
    [
        ("9" * 400, pb.WORKFLOW_INPUT_TYPE_INT, {"minimum": -1e300, "maximum": 1e300, "step": 1e300}),
        ("9" * 400, pb.WORKFLOW_INPUT_TYPE_LORAS, {}),
    ],
)
async def test_a_number_beyond_all_bounds_keeps_nobody_from_the_list(
    library: Caller, held: str, type_: pb.WorkflowInputType.ValueType, limits: dict[str, Any]
) -> None:
    graph = json.dumps(LOADER).replace("0.25", held)
    name = "strength_model" if type_ == pb.WORKFLOW_INPUT_TYPE_INT else "lora_name"
    given = pb.WorkflowInput(name="x", type=type_, targets=[pb.InputTarget(node_id="1", input=name)], **limits)
    await created(library, a_workflow(graph_json=graph, inputs=[given]))
    assert "portrait" in await listed(library)


@pytest.mark.parametrize("held", ["9" * 400, "Infinity", "NaN"])
async def test_a_float_is_one_that_can_be_written_back(library: Caller, held: str) -> None:
    graph = json.dumps(GRAPH).replace('"cfg": 8', f'"cfg": {held}')
    given = pb.WorkflowInput(
        name="x", type=pb.WORKFLOW_INPUT_TYPE_FLOAT, targets=[pb.InputTarget(node_id="3", input="cfg")]
    )
    told = await refused(created(library, a_workflow(graph_json=graph, inputs=[given])))
    assert "does not take FLOAT" in told.message
    imported = await library.workflows.ImportWorkflow(pb.ImportWorkflowRequest(text=graph))
    assert "cfg_scale" not in [each.name for each in imported.workflow.inputs]


async def test_changes_at_the_same_time_lose_nothing(library: Caller) -> None:
    await created(library)
    await asyncio.gather(
        updated(library, title="b"), updated(library, description="c"), created(library, a_workflow("d"))
    )
    newest = await got(library)
    assert (newest.title, newest.description, newest.revision) == ("b", "c", 3)


async def test_many_changes_at_the_same_time_are_all_made(library: Caller) -> None:
    """However many: who asks for no certain revision is never told that others were faster."""
    await created(library)
    await asyncio.gather(*(updated(library, title=f"title {number}") for number in range(15)))
    assert (await got(library)).revision == 16


async def test_a_deleted_one_is_found_by_its_revision_only_and_goes_on_counting(library: Caller) -> None:
    await created(library)
    delete = pb.DeleteWorkflowRequest(workflow_id="portrait")
    await library.workflows.DeleteWorkflow(delete)
    assert (await refused(library.workflows.DeleteWorkflow(delete))).reason == "WORKFLOW_NOT_FOUND"
    assert (await refused(got(library))).reason == "WORKFLOW_NOT_FOUND"
    assert (await refused(updated(library))).reason == "WORKFLOW_NOT_FOUND"
    assert (await got(library, revision=1)).title == "Portrait"
    assert await listed(library) == BUILT_IN
    assert (await created(library)).revision == 2


async def test_what_there_is_not(library: Caller) -> None:
    told = await refused(got(library, "inpant"))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND")
    assert told.fields == {"workflow_id": told.message}
    assert "no such workflow 'inpant'; allowed: inpaint" in told.message
    await created(library)
    assert "no revision 7; the newest is 1" in (await refused(got(library, revision=7))).message
    assert (await refused(got(library, "upscale", 2))).reason == "WORKFLOW_NOT_FOUND"


async def test_ids_are_unique_and_built_in_workflows_stay(library: Caller) -> None:
    await created(library)
    told = await refused(created(library))
    assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "WORKFLOW_EXISTS")
    assert (await refused(created(library, a_workflow("Inpaint")))).reason == "WORKFLOW_EXISTS"
    told = await refused(updated(library, "inpaint", title="x"))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WORKFLOW_BUILT_IN")
    told = await refused(library.workflows.DeleteWorkflow(pb.DeleteWorkflowRequest(workflow_id="inpaint")))
    assert told.reason == "WORKFLOW_BUILT_IN"


async def test_what_cannot_be_stored_is_named_by_its_path(library: Caller) -> None:
    lost = pb.WorkflowInput(name="x", type=PROMPT.type, targets=[pb.InputTarget(node_id="66", input="text")])
    told = await refused(created(library, a_workflow(inputs=[PROMPT, lost])))
    assert told.reason == "INVALID_REQUEST"
    assert list(told.fields) == ["workflow.inputs[1].targets[0].node_id"]
    told = await refused(created(library, a_workflow(inputs=[pb.WorkflowInput(name="x")])))
    assert told.fields == {"workflow.inputs[0].type": "must be given"}
    told = await refused(created(library, a_workflow(graph_json="{}")))
    assert (told.reason, list(told.fields)) == ("INVALID_GRAPH", ["workflow.graph_json"])
    await created(library)
    told = await refused(updated(library, inputs=pb.WorkflowInputs(inputs=[lost])))
    assert list(told.fields) == ["inputs.inputs[0].targets[0].node_id"]
    told = await refused(updated(library, graph_json="[]"))
    assert list(told.fields) == ["graph_json"]


async def test_a_variant_says_only_what_differs(library: Caller) -> None:
    steps = pb.WorkflowInput(name="steps", default_value=Value(number_value=30))
    made = await created(library, pb.Workflow(title="Slow", base="text-to-image", inputs=[steps]))
    properties = json.loads(made.input_schema_json)["properties"]
    assert (properties["steps"]["default"], properties["model"]["enum"]) == (30, ["first", "second"])
    assert [each.name for each in made.inputs] == ["steps"]


async def test_choices_are_those_of_now(tmp_path: Path) -> None:
    adapter = ScriptedAdapter()
    async with serving(tmp_path, {"plain": adapter}) as caller:
        await caller.refresh("plain")
        before = json.loads((await got(caller, "text-to-image")).input_schema_json)["properties"]["sampler"]
        adapter.current_catalog = type(adapter.current_catalog)()
        await caller.refresh("plain")
        after = json.loads((await got(caller, "text-to-image")).input_schema_json)["properties"]["sampler"]
    assert (before["enum"], "enum" in after) == (["euler", "heun"], False)


# --- importing ---


async def imported(caller: Caller, **fields: Any) -> pb.ImportWorkflowResponse:
    return await caller.workflows.ImportWorkflow(pb.ImportWorkflowRequest(**fields))


async def test_an_import_is_ready_to_be_created(caller: Caller) -> None:
    answer = await imported(caller, text=json.dumps(GRAPH), name="My fox.json")
    assert (answer.format, answer.workflow.workflow_id) == (pb.WORKFLOW_FORMAT_COMFYUI_API, "my-fox")
    names = {each.name for each in answer.workflow.inputs}
    assert names >= {"prompt", "negative_prompt", "model", "width", "height", "steps", "cfg_scale", "seed"}
    assert [each.name for each in answer.proposals] == [each.name for each in answer.workflow.inputs]
    made = await created(caller, answer.workflow)
    assert made.input_schema_json == answer.workflow.input_schema_json
    assert (await imported(caller, text=json.dumps(GRAPH), name="My fox.json")).workflow.workflow_id == "my-fox-2"


async def test_a_picture_brings_its_graph(caller: Caller) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", json.dumps(GRAPH))
    data = io.BytesIO()
    Image.new("RGB", (64, 64)).save(data, "PNG", pnginfo=texts)
    answer = await imported(caller, asset=(await caller.write(data.getvalue())).digest)
    assert json.loads(answer.workflow.graph_json) == GRAPH


async def test_what_is_no_workflow(caller: Caller) -> None:
    told = await refused(imported(caller, text="hello"))
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "NOT_A_WORKFLOW")
    assert list(told.fields) == ["text"]
    assert (await refused(imported(caller, asset="0" * 64))).reason == "ASSET_NOT_FOUND"
    assert (await refused(imported(caller, text="{}", backend="x"))).reason == "BACKEND_NOT_FOUND"
    told = await refused(imported(caller, text=json.dumps(GRAPH), openwebui_nodes_json="{}"))
    assert told.fields == {"openwebui_nodes_json": "must be a list"}


# --- validating and rendering ---


async def verdicts(caller: Caller, **fields: Any) -> dict[str, pb.BackendVerdict]:
    answer = await caller.workflows.ValidateWorkflow(pb.ValidateWorkflowRequest(**fields))
    return {each.backend: each for each in answer.verdicts}


async def test_each_backend_says_what_it_lacks(caller: Caller) -> None:
    found = await verdicts(caller, graph_json=json.dumps(GRAPH))
    assert list(found) == ["comfy", "demo"]
    (problem,) = found["comfy"].problems
    assert (problem.code, problem.node_id, problem.input) == ("MODEL_MISSING", "4", "ckpt_name")
    assert problem.suggestions
    assert not found["comfy"].runnable
    only = await verdicts(caller, graph_json='{"1": {"class_type": "SaveImag"}}', backend="demo")
    assert [each.code for each in only["demo"].problems][:1] == ["NODE_CLASS_MISSING"]


async def test_a_workflow_is_validated_with_the_values_that_there_are(caller: Caller) -> None:
    imported_one = (await imported(caller, text=json.dumps(GRAPH), name="fox")).workflow
    await created(caller, imported_one)
    assert not (await verdicts(caller, workflow=invocation("fox")))["comfy"].runnable
    model = json.loads((await got(caller, "fox")).input_schema_json)["properties"]["model"]["enum"][0]
    assert (await verdicts(caller, workflow=invocation("fox", model=model)))["comfy"].runnable
    told = await refused(verdicts(caller, workflow=invocation("fox", steps="many")))
    assert list(told.fields) == ["workflow.inputs.steps"]


async def test_built_in_workflows_run_where_they_can(caller: Caller) -> None:
    for workflow_id in BUILT_IN:
        found = await verdicts(caller, workflow=invocation(workflow_id))
        said = {name: (each.runnable, list(each.problems)) for name, each in found.items()}
        assert said == {"comfy": (True, []), "demo": (True, [])}, workflow_id


async def test_what_keeps_built_in_workflows_from_running(library: Caller) -> None:
    found = await verdicts(library, workflow=invocation("text-to-image", model="thrid"))
    (problem,) = found["plain"].problems
    assert (problem.code, problem.message.partition(";")[0]) == ("MODEL_MISSING", "model: no such name 'thrid'")
    found = await verdicts(library, workflow=invocation("upscale"))
    assert [each.code for each in found["plain"].problems] == ["NOT_SUPPORTED"]


async def test_a_backend_that_has_told_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, {"away": ScriptedAdapter(is_reachable=False)}) as caller:
        found = await verdicts(caller, workflow=invocation("text-to-image", sampler="any"))
    assert (found["away"].unknown, found["away"].runnable) == (True, True)


async def test_the_graph_that_would_be_sent(caller: Caller) -> None:
    async def rendered(spec: JobSpec) -> pb.RenderWorkflowResponse:
        return await caller.workflows.RenderWorkflow(pb.RenderWorkflowRequest(spec=spec))

    answer = await rendered(JobSpec(image=ImageParameters(prompt="a red fox"), backend="comfy"))
    texts = [node["inputs"].get("text") for node in json.loads(answer.graph_json).values()]
    assert (answer.backend, "a red fox" in texts) == ("comfy", True)
    picture = io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "PNG")
    digest = (await caller.write(picture.getvalue())).digest
    answer = await rendered(JobSpec(workflow=invocation("upscale", init_image=digest)))
    assert dict(answer.images) == {"picture.image": digest}
    # What is left out is chosen among what the backend has that is to run it.
    answer = await rendered(JobSpec(workflow=invocation("upscale", init_image=digest), backend="demo"))
    assert json.loads(answer.graph_json)["upscaler"]["inputs"]["model_name"].startswith("demo-")
    answer = await rendered(JobSpec(workflow=invocation("upscale", init_image=digest), backend_labels={"gpu": "none"}))
    assert answer.backend == "demo"
    told = await refused(rendered(JobSpec(workflow=invocation("upscale"))))
    assert told.fields == {"spec.workflow.inputs.init_image": "is required"}


async def test_nothing_is_rendered_for_what_takes_no_graphs(library: Caller) -> None:
    spec = JobSpec(image=ImageParameters(prompt="x"))
    told = await refused(library.workflows.RenderWorkflow(pb.RenderWorkflowRequest(spec=spec)))
    assert told.fields == {"spec.backend": "no backend that may run it takes graphs"}
