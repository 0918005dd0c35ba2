"""Jobs that run a stored workflow, over a real socket."""

import io
import json
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from PIL import Image

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1 import job_pb2
from imagegen.v1.asset_pb2 import DeleteAssetRequest
from imagegen.v1.job_pb2 import JOB_STATE_SUCCEEDED, Job, JobSpec, WorkflowInvocation
from imagegen.v1.workflow_pb2 import (
    WORKFLOW_INPUT_TYPE_FLOAT,
    WORKFLOW_INPUT_TYPE_IMAGE,
    WORKFLOW_INPUT_TYPE_MASK,
    WORKFLOW_INPUT_TYPE_SEED,
    WORKFLOW_INPUT_TYPE_TEXT,
    CreateWorkflowRequest,
    DeleteWorkflowRequest,
    InputTarget,
    UpdateWorkflowRequest,
    Workflow,
    WorkflowInput,
    WorkflowInputs,
)
from imagegen_adapters.contract import Capabilities, ImageParameters, RawGraph
from imagegen_server.wire.scalars import from_struct
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import Caller, Refusal, asking, refusal_of, serving, text_to_image

GRAPH: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "denoise": 1.0, "latent_image": ["10", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
}


def an_input(name: str, type_: Any, node_id: str, input_name: str, **fields: Any) -> WorkflowInput:
    return WorkflowInput(name=name, type=type_, targets=[InputTarget(node_id=node_id, input=input_name)], **fields)


PROMPT = an_input("prompt", WORKFLOW_INPUT_TYPE_TEXT, "6", "text")
SEED = an_input("seed", WORKFLOW_INPUT_TYPE_SEED, "3", "seed")
STRENGTH = an_input("strength", WORKFLOW_INPUT_TYPE_FLOAT, "3", "denoise", minimum=0, maximum=1)
PICTURE = an_input("init_image", WORKFLOW_INPUT_TYPE_IMAGE, "10", "image")


@pytest.fixture
def adapter() -> ScriptedAdapter:
    capabilities = Capabilities(graphs=True, image_to_image=True)
    return ScriptedAdapter(plays=ScriptedRun.complete, capabilities=capabilities)


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    """Every job is made at once; the server stops when all have been."""
    async with serving(tmp_path, {"one": adapter}) as caller:
        await caller.refresh("one")
        yield caller
        for job in (await caller.jobs.ListJobs(pb.ListJobsRequest())).jobs:
            await caller.until_ended(job.job_id)


async def store(caller: Caller, *inputs: WorkflowInput, **fields: Any) -> None:
    known: dict[str, Any] = {"workflow_id": "portrait", "inputs": inputs}
    if "base" not in fields:
        known["graph_json"] = json.dumps(GRAPH)
    await caller.workflows.CreateWorkflow(CreateWorkflowRequest(workflow=Workflow(**known | fields)))


def running(workflow_id: str, revision: int = 0, **inputs: Any) -> JobSpec:
    given = Struct()
    given.update(inputs)
    return JobSpec(workflow=WorkflowInvocation(workflow_id=workflow_id, revision=revision, inputs=given))


def inputs_of(job: Job) -> dict[str, Any]:
    return from_struct(job.spec.workflow.inputs)


def graph_in(run: ScriptedRun) -> dict[str, Any]:
    source = run.task.source
    assert isinstance(source, RawGraph)
    graph: dict[str, Any] = json.loads(source.json)
    return graph


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def retry(caller: Caller, job: Job, **fields: Any) -> Job:
    return (await caller.jobs.RetryJob(pb.RetryJobRequest(job_id=job.job_id, **fields))).job


# --- what runs -------------------------------------------------------------------------------------------------------


async def test_a_graph_gets_the_values_and_the_job_says_all_of_them(caller: Caller, adapter: ScriptedAdapter) -> None:
    await store(caller, PROMPT, SEED, STRENGTH)
    job = await caller.create(running("portrait", prompt="a fox", seed=str(2**64 - 1)))
    assert (job.spec.workflow.workflow_id, job.spec.workflow.revision) == ("portrait", 1)
    assert inputs_of(job) == {"prompt": "a fox", "seed": str(2**64 - 1), "strength": 1}
    graph = graph_in(await adapter.next_run())
    assert graph["6"]["inputs"]["text"] == "a fox"
    assert graph["3"]["inputs"] == GRAPH["3"]["inputs"] | {"seed": 2**64 - 1}
    done = await caller.until_ended(job.job_id)
    assert (done.state, done.spec) == (JOB_STATE_SUCCEEDED, job.spec)


async def test_a_built_in_workflow_is_made_into_parameters_with_the_usual_defaults(
    caller: Caller, adapter: ScriptedAdapter
) -> None:
    asset = await caller.write(picture(1, (96, 72)))
    spec = running("image-to-image", init_image=asset.digest, prompt="a fox", denoise=0.5, seed=str(2**60))
    job = await caller.create(spec)
    source = (await adapter.next_run()).task.source
    assert isinstance(source, ImageParameters)
    assert (source.prompt, source.denoise, source.width, source.height, source.steps) == ("a fox", 0.5, 96, 72, 20)
    done = await caller.until_ended(job.job_id)
    told = inputs_of(done)
    assert (told["width"], told["height"], told["steps"], told["model"]) == (96, 72, 20, "first")
    assert (told["seed"], source.seed) == (str(2**60), 2**60)


async def test_a_variant_has_defaults_of_its_own(caller: Caller, adapter: ScriptedAdapter) -> None:
    quick = WorkflowInput(name="steps")
    quick.default_value.number_value = 4
    await store(caller, quick, workflow_id="quick", base="text-to-image")
    job = await caller.create(running("quick", prompt="a fox"))
    source = (await adapter.next_run()).task.source
    assert isinstance(source, ImageParameters)
    assert (source.steps, inputs_of(job)["steps"], job.spec.workflow.workflow_id) == (4, 4, "quick")


async def test_a_seed_is_chosen_for_each_job(caller: Caller) -> None:
    await store(caller, SEED)
    jobs = [await caller.create(running("portrait"), validate_only=True) for _ in range(4)]
    assert len({inputs_of(job)["seed"] for job in jobs}) > 1


async def test_a_picture_is_held_and_uploaded_where_the_input_says(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = None
    await store(caller, PICTURE)
    asset = await caller.write(picture(9))
    job = await caller.create(running("portrait", init_image=asset.digest))
    run = await adapter.next_run()
    assert isinstance(run.task.source, RawGraph)
    assert run.task.source.images == {"10.image": asset.digest}
    assert run.task.files == {asset.digest: picture(9)}
    told = await refused(caller.assets.DeleteAsset(DeleteAssetRequest(digest=asset.digest)))
    assert told.reason == "ASSET_IN_USE"
    run.complete()
    await caller.until_ended(job.job_id)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason", "path", "said"),
    [
        (running("portrai"), "WORKFLOW_NOT_FOUND", "workflow_id", "portrait"),
        (running("portrait", revision=7), "WORKFLOW_NOT_FOUND", "revision", "the newest is 1"),
        (running("portrait", strenght=1), "INVALID_REQUEST", "inputs.strenght", "strength"),
        (running("portrait", strength=2), "INVALID_REQUEST", "inputs.strength", "from 0 to 1"),
        (running("portrait", init_image="a" * 64), "ASSET_NOT_FOUND", "inputs.init_image", "a" * 64),
        (running("text-to-image", sampler="eulr"), "INVALID_REQUEST", "inputs.sampler", "euler"),
        (running("text-to-image", batch_size=9), "INVALID_REQUEST", "inputs.batch_size", "at most 1"),
        (running("text-to-image", seed=str(2**63 - 1), count=2), "INVALID_REQUEST", "inputs.seed", "must not exceed"),
        (running("inpaint", mask="a" * 64), "INVALID_REQUEST", "inputs.init_image", "required"),
    ],
)
async def test_what_cannot_be_is_named_by_its_input(
    caller: Caller, spec: JobSpec, reason: str, path: str, said: str
) -> None:
    await store(caller, PROMPT, SEED, STRENGTH, PICTURE)
    told = await refused(caller.create(spec))
    assert (told.reason, list(told.fields)) == (reason, [f"spec.workflow.{path}"])
    assert said in told.fields[f"spec.workflow.{path}"]


# --- again -----------------------------------------------------------------------------------------------------------


async def test_a_job_is_repeated_in_its_revision_also_when_the_workflow_is_gone(
    caller: Caller, adapter: ScriptedAdapter
) -> None:
    await store(caller, PROMPT, SEED)
    first = await caller.until_ended((await caller.create(running("portrait", prompt="a fox"))).job_id)
    await caller.workflows.UpdateWorkflow(
        UpdateWorkflowRequest(workflow_id="portrait", inputs=WorkflowInputs(inputs=[SEED]))
    )
    assert (await caller.create(running("portrait"), validate_only=True)).spec.workflow.revision == 2
    await caller.workflows.DeleteWorkflow(DeleteWorkflowRequest(workflow_id="portrait"))
    again = await retry(caller, first)
    assert again.spec == first.spec
    assert (await adapter.next_run(2)).task.source == (await adapter.next_run(1)).task.source
    assert (await refused(caller.create(running("portrait")))).reason == "WORKFLOW_NOT_FOUND"


async def test_masks_mean_the_same_in_graphs_as_in_parameters(caller: Caller, adapter: ScriptedAdapter) -> None:
    """What is transparent is kept, although its colour is white; also when the graph is repeated by itself."""
    graph = GRAPH | {"11": {"class_type": "LoadImageMask", "inputs": {"image": "mask.png", "channel": "alpha"}}}
    mask = an_input("mask", WORKFLOW_INPUT_TYPE_MASK, "11", "image")
    made = Workflow(workflow_id="masked", graph_json=json.dumps(graph), inputs=[mask, PICTURE])
    await caller.workflows.CreateWorkflow(CreateWorkflowRequest(workflow=made))
    data = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(data, "PNG")
    digest = (await caller.write(data.getvalue())).digest
    job = await caller.until_ended((await caller.create(running("masked", mask=digest, init_image=digest))).job_id)
    assert inputs_of(job)["mask"] == digest
    await caller.jobs.RetryJob(pb.RetryJobRequest(job_id=job.job_id, new_seeds=True))
    for task in [(await adapter.next_run(number)).task for number in (1, 2)]:
        assert isinstance(task.source, RawGraph)
        assert task.source.images["10.image"] == digest, "the same file is also a picture"
        with Image.open(io.BytesIO(task.files[task.source.images["11.image"]])) as plain:
            assert (plain.mode, plain.getextrema()) == ("L", (0, 0))


async def test_a_mask_of_a_graph_is_one_of_its_uploads(caller: Caller) -> None:
    refusal = await refused(caller.create(JobSpec(graph=job_pb2.RawGraph(json=json.dumps(GRAPH), masks=["11.image"]))))
    assert refusal.fields == {"spec.graph.masks[0]": "must be a key of images, and there is no '11.image'"}


async def test_new_seeds_are_those_of_its_seed_inputs(caller: Caller, adapter: ScriptedAdapter) -> None:
    await store(caller, PROMPT, SEED)
    first = await caller.until_ended((await caller.create(running("portrait", seed=str(2**60)))).job_id)
    again = await retry(caller, first, new_seeds=True)
    assert inputs_of(again)["seed"] < 2**32
    assert graph_in(await adapter.next_run(2))["3"]["inputs"]["seed"] == inputs_of(again)["seed"]
    again.spec.workflow.inputs.fields["seed"].CopyFrom(first.spec.workflow.inputs.fields["seed"])
    assert again.spec == first.spec


async def test_a_workflow_without_seed_inputs_is_repeated_as_its_graph(caller: Caller) -> None:
    await store(caller, PROMPT)
    first = await caller.until_ended((await caller.create(running("portrait", prompt="a fox"))).job_id)
    again = await retry(caller, first, new_seeds=True)
    graph = json.loads(again.spec.graph.json)
    assert graph["6"]["inputs"]["text"] == "a fox"
    assert graph["3"]["inputs"]["seed"] != 5


async def test_jobs_are_found_by_their_workflow_and_their_prompt(caller: Caller) -> None:
    await store(caller, PROMPT)
    ours = await caller.create(running("portrait", prompt="A Fox by the sea"))
    built_in = await caller.create(running("text-to-image", prompt="a fox in the snow"))
    plain = await caller.create(text_to_image(prompt="a fox"))

    async def found(**fields: Any) -> list[str]:
        answer = await caller.jobs.ListJobs(pb.ListJobsRequest(**fields))
        return [job.job_id for job in answer.jobs]

    assert await found(workflow_id="portrait") == [ours.job_id]
    assert await found(workflow_id="text-to-image") == [built_in.job_id]
    assert await found(text="FOX") == [plain.job_id, built_in.job_id, ours.job_id]
    assert await found(text="the sea") == [ours.job_id]


async def test_the_same_request_id_gives_one_job(caller: Caller) -> None:
    await store(caller, SEED)
    request = pb.CreateJobRequest(spec=running("portrait"), request_id="r")
    first, second = [await caller.jobs.CreateJob(request, metadata=asking("anna")) for _ in range(2)]
    assert (first.replayed, second.replayed, second.job.job_id) == (False, True, first.job.job_id)
