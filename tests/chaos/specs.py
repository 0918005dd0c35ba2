"""What the planned jobs ask for, and what the pictures that come of it tell about themselves."""

import io
import json
import re
from typing import Any

from google.protobuf.duration_pb2 import Duration
from PIL import Image

from imagegen.v1.job_pb2 import ImageParameters, JobSpec, RawGraph, UncertainPolicy, WorkflowInvocation
from imagegen.v1.workflow_pb2 import (
    WORKFLOW_INPUT_TYPE_INT,
    WORKFLOW_INPUT_TYPE_SEED,
    WORKFLOW_INPUT_TYPE_TEXT,
    InputTarget,
    Workflow,
    WorkflowInput,
)
from tests.chaos.plan import JobKind, Owner, PlannedJob
from tests.fakes.comfyui.server import CHECKPOINTS

_SIDE = 64
_FAIL, _RETRY = UncertainPolicy.UNCERTAIN_POLICY_FAIL, UncertainPolicy.UNCERTAIN_POLICY_RETRY
_PRIORITIES = {Owner.BOSS: 5}
_SAMPLER = "5"
"""Node of the graph."""
_WORKFLOW = "chaos"
_INPUTS = {
    "prompt": (WORKFLOW_INPUT_TYPE_TEXT, "2", "text"),
    "seed": (WORKFLOW_INPUT_TYPE_SEED, _SAMPLER, "seed"),
    "steps": (WORKFLOW_INPUT_TYPE_INT, _SAMPLER, "steps"),
    "count": (WORKFLOW_INPUT_TYPE_INT, "4", "batch_size"),
}


def draw_picture() -> bytes:
    """What image-to-image begins with."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((_SIDE, _SIDE)).convert("RGB").save(out, "PNG")
    return out.getvalue()


def spec_of(job: PlannedJob, picture: str) -> JobSpec:
    spec = JobSpec(
        backend=job.backend,
        priority=_PRIORITIES.get(job.owner),
        start_deadline=_duration(job.start_deadline_s),
        execution_deadline=_duration(job.execution_deadline_s),
        on_uncertain=_FAIL if job.fails_if_uncertain else _RETRY,
    )
    if job.number % 2:
        spec.workflow.CopyFrom(_invocation(job, picture))
    elif job.kind is JobKind.GRAPH:
        spec.graph.CopyFrom(RawGraph(json=json.dumps(_graph(job))))
    else:
        spec.image.CopyFrom(_image(job, picture))
    return spec


def make_workflow(job: PlannedJob) -> Workflow:
    """What jobs invoke for their graphs; made of the graph of any."""
    inputs = [
        WorkflowInput(name=name, type=type_, targets=[InputTarget(node_id=node_id, input=input_name)])
        for name, (type_, node_id, input_name) in _INPUTS.items()
    ]
    return Workflow(workflow_id=_WORKFLOW, graph_json=json.dumps(_graph(job)), inputs=inputs)


def first_seed(spec: JobSpec) -> int:
    """The seed of a job's first image."""
    if spec.HasField("image"):
        return spec.image.seed
    if spec.HasField("workflow"):
        seed = spec.workflow.inputs["seed"]
        assert isinstance(seed, str | float)
        return int(seed)
    return int(json.loads(spec.graph.json)[_SAMPLER]["inputs"]["seed"])


def seed_of(picture: bytes, node_id: str) -> int | None:
    """The seed that a picture says it was made with; `node_id` is the ComfyUI node that saved it."""
    texts = Image.open(io.BytesIO(picture)).info
    if "prompt" in texts:
        return _seed_above(json.loads(texts["prompt"]), node_id)
    found = re.search(r"Seed: (\d+)", str(texts.get("parameters", "")))
    return None if found is None else int(found[1])


def _seed_above(graph: dict[str, Any], node_id: str) -> int | None:
    """Of the nearest sampler that a node's input comes from."""
    inputs = graph[node_id]["inputs"]
    if "seed" in inputs:
        return int(inputs["seed"])
    links = [value[0] for value in inputs.values() if isinstance(value, list)]
    return next((seed for link in links if (seed := _seed_above(graph, link)) is not None), None)


def _duration(seconds: float | None) -> Duration | None:
    return None if seconds is None else Duration(nanos=int(seconds % 1 * 1e9), seconds=int(seconds))


def _image(job: PlannedJob, picture: str) -> ImageParameters:
    return ImageParameters(
        prompt=f"chaos {job.number}",
        width=_SIDE,
        height=_SIDE,
        steps=job.steps,
        seed=job.seed,
        count=job.count,
        batch_size=job.batch_size,
        init_image=picture if job.kind is JobKind.IMAGE else "",
    )


def _invocation(job: PlannedJob, picture: str) -> WorkflowInvocation:
    """The same as the parameters, or the graph, of the job."""
    workflow_id = {JobKind.GRAPH: _WORKFLOW, JobKind.IMAGE: "image-to-image"}.get(job.kind, "text-to-image")
    values: dict[str, Any] = {field.name: value for field, value in _image(job, picture).ListFields()}
    invocation = WorkflowInvocation(workflow_id=workflow_id)
    invocation.inputs.update(
        {name: value for name, value in values.items() if job.kind is not JobKind.GRAPH or name in _INPUTS}
    )
    return invocation


def _graph(job: PlannedJob) -> dict[str, object]:
    sampler = {
        "seed": job.seed,
        "steps": job.steps,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "model": ["1", 0],
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
    }
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINTS[0]}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": f"chaos {job.number}", "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": job.count}},
        _SAMPLER: {"class_type": "KSampler", "inputs": sampler},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": [_SAMPLER, 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"filename_prefix": "chaos", "images": ["6", 0]}},
    }
