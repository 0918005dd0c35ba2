"""Workflows, their inputs, and what is said about graphs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import Value

from imagegen.v1 import model_pb2
from imagegen.v1 import workflow_pb2 as pb
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.inputs import Confidence, GraphInput, InputType, Proposal, Target
from imagegen_adapters.graphs.problems import GraphProblem, Severity
from imagegen_server.errors import invalid
from imagegen_server.wire.scalars import from_value, to_timestamp
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.values import as_json

_TYPES = {type_: pb.WorkflowInputType.Value(f"WORKFLOW_INPUT_TYPE_{type_.name}") for type_ in InputType}
_TYPES_BACK = {value: type_ for type_, value in _TYPES.items()}
_MODEL_TYPES = {
    "": model_pb2.MODEL_TYPE_UNSPECIFIED,
    "checkpoints": model_pb2.MODEL_TYPE_CHECKPOINT,
    "vaes": model_pb2.MODEL_TYPE_VAE,
    "loras": model_pb2.MODEL_TYPE_LORA,
    "embeddings": model_pb2.MODEL_TYPE_EMBEDDING,
    "upscalers": model_pb2.MODEL_TYPE_UPSCALER,
    "samplers": model_pb2.MODEL_TYPE_SAMPLER,
    "schedulers": model_pb2.MODEL_TYPE_SCHEDULER,
    "diffusion_models": model_pb2.MODEL_TYPE_DIFFUSION_MODEL,
    "text_encoders": model_pb2.MODEL_TYPE_TEXT_ENCODER,
    "controlnets": model_pb2.MODEL_TYPE_CONTROLNET,
    "clip_visions": model_pb2.MODEL_TYPE_CLIP_VISION,
}
_MODEL_TYPES_BACK = {value: name for name, value in _MODEL_TYPES.items()}
_CONFIDENCES = {each: pb.Confidence.Value(f"CONFIDENCE_{each.name}") for each in Confidence}
_SEVERITIES = {each: pb.ProblemSeverity.Value(f"PROBLEM_SEVERITY_{each.name}") for each in Severity}


def encode_workflow(workflow: Workflow, *, schema_json: str = "") -> pb.Workflow:
    return pb.Workflow(
        workflow_id=workflow.workflow_id,
        revision=workflow.revision,
        title=workflow.title,
        description=workflow.description,
        graph_json=workflow.graph_json,
        base=workflow.base,
        inputs=[_encode_input(each) for each in workflow.inputs],
        ui_json=workflow.ui_json,
        labels=dict(workflow.labels),
        built_in=workflow.is_built_in,
        input_schema_json=schema_json,
        owner=workflow.owner,
        create_time=to_timestamp(workflow.create_time) if workflow.create_time is not None else None,
        update_time=to_timestamp(workflow.update_time) if workflow.update_time is not None else None,
    )


def decode_workflow(workflow: pb.Workflow, *, path: str = "workflow") -> Workflow:
    """What the caller says of it, without what the server chooses. Refused: INVALID_REQUEST."""
    return Workflow(
        workflow_id=workflow.workflow_id,
        title=workflow.title,
        description=workflow.description,
        graph_json=workflow.graph_json,
        base=workflow.base,
        inputs=decode_inputs(workflow.inputs, workflow.base, path=path),
        ui_json=workflow.ui_json,
        labels=dict(workflow.labels),
    )


def decode_inputs(inputs: Iterable[pb.WorkflowInput], base: str, *, path: str) -> tuple[GraphInput, ...]:
    """`base` is that of the workflow; `path` that of the message which has the `inputs`. Refused: INVALID_REQUEST."""
    known = {field.name: field.input.type for field in BUILT_IN[base].form} if base in BUILT_IN else {}
    decoded: list[GraphInput] = []
    violations: list[Violation] = []
    for number, each in enumerate(inputs):
        type_ = _TYPES_BACK.get(each.type) or known.get(each.name)
        if type_ is None and base in BUILT_IN:
            type_ = InputType.STRING  # of an input that the base has not, which is said later
        if type_ is None:
            violations.append(Violation(f"{path}.inputs[{number}].type", "must be given"))
        else:
            decoded.append(_decode_input(each, type_))
    if violations:
        raise invalid(violations)
    return tuple(decoded)


def encode_document(workflow: Workflow) -> bytes:
    """What is stored of a revision; equal bytes for equal workflows."""
    encoded = encode_workflow(workflow)
    for chosen in ("revision", "owner", "create_time", "update_time"):
        encoded.ClearField(chosen)
    return encoded.SerializeToString(deterministic=True)


def decode_document(document: bytes) -> Workflow:
    """The way back; without what the server chose, which is stored beside it, and without the form."""
    return decode_workflow(pb.Workflow.FromString(document))


def encode_problems(problems: Iterable[GraphProblem]) -> list[pb.WorkflowProblem]:
    return [
        pb.WorkflowProblem(
            severity=_SEVERITIES[each.severity],
            code=each.code.value,
            message=each.message,
            node_id=each.node_id,
            node_title=each.node_title,
            class_type=each.class_type,
            input=each.input_name,
            suggestions=each.suggestions,
        )
        for each in problems
    ]


def encode_proposals(proposals: Iterable[Proposal]) -> list[pb.InputProposal]:
    return [
        pb.InputProposal(name=each.input.name, confidence=_CONFIDENCES[each.confidence], reason=each.reason)
        for each in proposals
    ]


def _encode_input(field: GraphInput) -> pb.WorkflowInput:
    return pb.WorkflowInput(
        name=field.name,
        type=_TYPES[field.type],
        targets=[pb.InputTarget(node_id=each.node_id, input=each.input_name) for each in field.targets],
        default_value=to_value(field.default) if field.default is not None else None,
        required=field.required,
        minimum=field.minimum,
        maximum=field.maximum,
        step=field.step,
        choices=field.choices,
        model_type=_MODEL_TYPES[field.model_type],
        title=field.title,
        help=field.help,
        group=field.group,
    )


def _decode_input(field: pb.WorkflowInput, type_: InputType) -> GraphInput:
    return GraphInput(
        name=field.name,
        type=type_,
        targets=tuple(Target(each.node_id, each.input) for each in field.targets),
        default=from_value(field.default_value) if field.HasField("default_value") else None,
        required=field.required,
        minimum=field.minimum if field.HasField("minimum") else None,
        maximum=field.maximum if field.HasField("maximum") else None,
        step=field.step if field.HasField("step") else None,
        choices=tuple(field.choices),
        model_type=_MODEL_TYPES_BACK[field.model_type],
        title=field.title,
        help=field.help,
        group=field.group,
    )


def to_value(value: Any) -> Value:
    """A JSON value; of whole numbers beyond 2^53 their digits."""
    match value:
        case None:
            return Value(null_value=0)  # type: ignore[arg-type]  # an enum of one value
        case bool():
            return Value(bool_value=value)
        case int():
            exact = as_json(value)
            return Value(string_value=exact) if isinstance(exact, str) else Value(number_value=exact)
        case float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Mapping():
            held = Value()
            held.struct_value.SetInParent()
            for key, inner in value.items():
                held.struct_value.fields[key].CopyFrom(to_value(inner))
            return held
        case _:
            held = Value()
            held.list_value.SetInParent()
            held.list_value.values.extend(to_value(inner) for inner in value)
            return held


def matching(text: str, label: str) -> Callable[[Workflow], bool]:
    """What ListWorkflows filters by."""
    wanted = text.casefold()
    key, has_value, value = label.partition("=")

    def matches(workflow: Workflow) -> bool:
        texts = (workflow.workflow_id, workflow.title, workflow.description)
        has_text = any(wanted in each.casefold() for each in texts)
        has_label = not label or (key in workflow.labels and (not has_value or workflow.labels[key] == value))
        return has_text and has_label

    return matches
