"""Proto and domain say the same, both ways, and the tables leave nothing out."""

import json
import math
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import error_pb2, event_pb2, job_pb2, queue_pb2
from imagegen.v1.image_gen_pb2 import (
    CreateJobRequest,
    GenerateImagesResponse,
    Labels,
    PreviewDelivery,
    UpdateJobRequest,
    WatchJobRequest,
    WatchJobResponse,
    WatchJobsRequest,
    WatchJobsResponse,
    WatchOptions,
)
from imagegen_adapters.contract import (
    Handle,
    HiresParameters,
    ImageParameters,
    Lora,
    Phase,
    Planned,
    PlanNode,
    RawGraph,
    Warned,
)
from imagegen_adapters.errors import AdapterError, AtNode, GpuFault, NodeFailed, Rejected, Unreachable, Violation
from imagegen_server.errors import Excess, Refused
from imagegen_server.happenings import (
    AttemptFailed,
    AttemptStarted,
    Completed,
    Durable,
    DurableEvent,
    JobUpdated,
    StateChanged,
    Updated,
)
from imagegen_server.jobs import (
    Asset,
    AssetOrigin,
    Attempt,
    AttemptState,
    Ending,
    Failure,
    Invocation,
    Job,
    JobSpec,
    JobState,
    Move,
    MoveKind,
    Output,
    PreviewOptions,
    Slice,
    UncertainPolicy,
)
from imagegen_server.ledger import KINDS
from imagegen_server.scheduling import Place, WaitReason
from imagegen_server.wire import errors, events, rules
from imagegen_server.wire.jobs import JobCodec, decode_update
from imagegen_server.wire.queue import decode_move
from imagegen_server.wire.scalars import from_duration, from_struct, from_timestamp, to_struct, to_timestamp
from imagegen_server.wire.specs import (
    Defaults,
    decode_graph,
    decode_image,
    decode_spec,
    encode_image,
    encode_spec,
    fields_of,
)
from tests.server.serving import refusal_in

# --- scalars ---------------------------------------------------------------------------------------------------------


@given(st.floats(0, 4e9))
def test_a_time_reads_back_to_the_nanosecond(seconds: float) -> None:
    assert from_timestamp(to_timestamp(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(st.floats(1.6e9, 4e9))
def test_a_time_of_our_days_reads_back_exactly(seconds: float) -> None:
    assert from_timestamp(to_timestamp(seconds)) == seconds


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=3))
def test_free_form_values_read_back(values: dict[str, object]) -> None:
    assert from_struct(to_struct(values)) == values


def test_whole_numbers_stay_whole() -> None:
    struct = Struct()
    struct.update({"steps": 3, "scale": 1.5})
    assert {key: type(value) for key, value in from_struct(struct).items()} == {"steps": int, "scale": float}


# --- specs -----------------------------------------------------------------------------------------------------------


def test_defaults_are_resolved() -> None:
    assert decode_image(job_pb2.ImageParameters(prompt="fox"), Defaults(seed=7)) == ImageParameters(
        prompt="fox", width=512, height=512, steps=20, cfg_scale=7.0, seed=7, count=1, batch_size=1, denoise=0.75
    )


def test_what_is_left_open_is_as_the_defaults_say() -> None:
    chosen = Defaults(
        seed=7,
        model="flux",
        negative_prompt="blurry",
        width=1024,
        height=768,
        steps=8,
        cfg_scale=1.0,
        sampler="euler",
        scheduler="simple",
    )
    found = decode_image(job_pb2.ImageParameters(prompt="fox", steps=4, loras=[job_pb2.Lora(name="warm")]), chosen)
    assert found == ImageParameters(
        prompt="fox",
        negative_prompt="blurry",
        model="flux",
        width=1024,
        height=768,
        steps=4,
        cfg_scale=1.0,
        sampler="euler",
        scheduler="simple",
        seed=7,
        loras=(Lora(name="warm", weight=1.0, text_encoder_weight=None),),
    )


QUIET = PreviewOptions(enabled=False, max_rate_hz=2.0, max_pixels=256, format="webp", quality=50)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (job_pb2.PreviewOptions(), QUIET),
        (job_pb2.PreviewOptions(mode=job_pb2.PREVIEW_MODE_ON), replace(QUIET, enabled=True)),
        (job_pb2.PreviewOptions(max_rate_hz=5, quality=90), replace(QUIET, max_rate_hz=5.0, quality=90)),
        (
            job_pb2.PreviewOptions(max_pixels=64, format=job_pb2.PREVIEW_FORMAT_JPEG),
            replace(QUIET, max_pixels=64, format="jpeg"),
        ),
    ],
)
def test_previews_are_as_the_defaults_say_where_they_are_left_open(
    given: job_pb2.PreviewOptions, expected: PreviewOptions
) -> None:
    spec = decode_spec(job_pb2.JobSpec(preview=given), ImageParameters(prompt="fox"), preview=QUIET)
    assert spec.preview == expected


def test_zero_is_a_value_where_it_differs_from_unset() -> None:
    image = job_pb2.ImageParameters(cfg_scale=0.0, seed=0, init_image="a" * 64, denoise=0.0, mask="b" * 64, mask_blur=0)
    source = decode_image(image, Defaults(seed=7))
    assert (source.cfg_scale, source.seed, source.denoise, source.mask_blur) == (0.0, 0, 0.0, 0)


@pytest.mark.parametrize(
    ("size", "expected"), [((640, 480), (640, 480)), ((1001, 767), (1000, 760)), ((10, 9000), (64, 4096))]
)
def test_the_size_is_that_of_the_initial_image(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = job_pb2.ImageParameters(init_image="a" * 64)
    source = decode_image(image, Defaults(seed=7, width=size[0], height=size[1]))
    assert (source.width, source.height) == expected


digests = st.just("a" * 64) | st.just("b" * 64)
unit = st.floats(0, 1)
names = st.text(max_size=5)


loras = st.builds(Lora, name=names, weight=st.floats(-10, 10), text_encoder_weight=st.none() | st.floats(-10, 10))


@st.composite
def images(draw: st.DrawFn) -> ImageParameters:
    init_image = draw(st.just("") | digests)
    mask = draw(digests) if init_image and draw(st.booleans()) else ""
    hires = None
    if not init_image and draw(st.booleans()):
        hires = HiresParameters(
            scale=draw(st.floats(1.1, 4)),
            upscaler=draw(names),
            steps=draw(st.none() | st.integers(1, 9)),
            denoise=draw(unit),
        )
    return ImageParameters(
        prompt=draw(names),
        negative_prompt=draw(names),
        model=draw(names),
        vae=draw(names),
        width=draw(st.integers(8, 512)) * 8,
        height=draw(st.integers(8, 512)) * 8,
        steps=draw(st.integers(1, 500)),
        cfg_scale=draw(st.floats(0, 100)),
        sampler=draw(names),
        scheduler=draw(names),
        seed=draw(st.integers(0, 2**63 - 64)),
        count=draw(st.integers(1, 64)),
        batch_size=draw(st.integers(1, 16)),
        init_image=init_image,
        mask=mask,
        denoise=draw(unit) if init_image else 0.75,
        mask_blur=draw(st.integers(0, 64)) if mask else 4,
        hires=hires,
        loras=tuple(draw(st.lists(loras, max_size=2))),
        text_encoders=tuple(draw(st.lists(names, max_size=2))),
        distilled_cfg_scale=draw(st.none() | st.floats(0, 100)),
    )


graphs = st.builds(RawGraph, json=st.text(min_size=2), images=st.dictionaries(st.just("1.image"), digests))
previews = st.builds(
    PreviewOptions,
    enabled=st.booleans(),
    max_rate_hz=st.floats(0.1, 30),
    max_pixels=st.just(0) | st.integers(16, 2048),
    format=st.sampled_from(["", "jpeg", "webp"]),
    quality=st.integers(1, 100),
)
deadlines = st.none() | st.floats(0.001, 2_592_000).map(lambda seconds: round(seconds, 3))
specs = st.builds(
    JobSpec,
    source=images() | graphs,
    preview=previews,
    backend=st.sampled_from(["", "demo"]),
    labels=st.dictionaries(st.text(min_size=1), st.text(), max_size=2),
    backend_options=st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers(0, 9)), max_size=2),
    priority=st.integers(-10, 10),
    start_deadline_s=deadlines,
    execution_deadline_s=deadlines,
    on_uncertain=st.sampled_from(UncertainPolicy),
    backend_labels=st.dictionaries(st.text(min_size=1), st.text(), max_size=2),
    reuse=st.booleans(),
    invocation=st.none()
    | st.builds(
        Invocation,
        workflow_id=names,
        revision=st.integers(1, 9),
        inputs=st.dictionaries(names, st.text() | st.integers(0, 2**53) | st.booleans() | st.lists(names), max_size=3),
    ),
)

OTHERS = Defaults(
    seed=99, model="m", negative_prompt="n", width=8, height=8, steps=9, cfg_scale=9, sampler="s", scheduler="s"
)


@given(specs)
def test_a_resolved_spec_reads_back(spec: JobSpec) -> None:
    """Texts that were resolved to nothing are those that a default would still fill."""
    encoded = encode_spec(replace(spec, invocation=None))
    graph = decode_graph(encoded.graph)
    left_open = {"model", "negative_prompt", "sampler", "scheduler"}
    kept = {name: "" for name in left_open if not getattr(encoded.image, name)}
    image = decode_image(encoded.image, replace(OTHERS, **kept))  # type: ignore[arg-type]  # texts
    source = graph if isinstance(spec.source, RawGraph) else image
    assert decode_spec(encoded, source, invocation=spec.invocation) == spec


@given(specs)
def test_of_a_workflow_its_invocation_is_shown_and_not_what_it_was_made_into(spec: JobSpec) -> None:
    encoded = encode_spec(spec)
    assert (encoded.WhichOneof("source") == "workflow") == (spec.invocation is not None)
    if spec.invocation is not None:
        shown = encoded.workflow
        assert Invocation(
            workflow_id=shown.workflow_id, revision=shown.revision, inputs=from_struct(shown.inputs)
        ) == replace(spec.invocation, inputs=dict(spec.invocation.inputs))


@given(images())
def test_the_fields_of_parameters_are_those_of_the_proto(image: ImageParameters) -> None:
    assert job_pb2.ImageParameters(**fields_of(image)) == encode_image(image)


# --- jobs ------------------------------------------------------------------------------------------------------------

times = st.floats(1.6e9, 2e9)
failures = st.builds(
    Failure,
    reason=st.sampled_from(sorted(errors.CODES)),
    message=names,
    violations=st.lists(st.builds(Violation, field=names, description=names), max_size=2).map(tuple),
).flatmap(lambda failure: st.sampled_from([failure, replace(failure, node_id="3", node_type="KSampler")]))
assets = st.builds(
    Asset,
    digest=digests,
    size_bytes=st.integers(0, 2**40),
    media_type=names,
    width=st.integers(0, 4096),
    height=st.integers(0, 4096),
    create_time=times,
    origin=st.sampled_from(AssetOrigin),
    job_id=names,
)
outputs = st.builds(
    Output,
    index=st.integers(0, 9),
    asset=assets,
    image_index=st.integers(0, 63),
    seed=st.none() | st.integers(0, 2**63 - 1),
    node_id=names,
    intermediate=st.booleans(),
    attempt=st.integers(1, 9),
)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 9),
    attempt_id=names,
    backend=names,
    handle=st.builds(Handle, remote_id=names, client_id=names),
    state=st.sampled_from(AttemptState),
    start_time=times,
    slice=st.builds(Slice, first=st.integers(0, 63), count=st.integers(1, 64)),
    end_time=st.none() | times,
    failure=st.none() | failures,
)
warnings = st.builds(Warned, code=names, message=names)
jobs = st.builds(
    Job,
    job_id=names,
    spec=specs,
    state=st.sampled_from(JobState),
    create_time=times,
    request_id=names,
    owner=names,
    start_time=st.none() | times,
    end_time=st.none() | times,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    outputs=st.lists(outputs, max_size=2).map(tuple),
    warnings=st.lists(warnings, max_size=2).map(tuple),
    failure=st.none() | failures,
    sequence=st.integers(0, 2**40),
    retry_of=names,
    reused_from=names,
    is_paused=st.booleans(),
    lined_up=st.none() | times,
    move=st.none() | st.builds(Move, kind=st.sampled_from(MoveKind), time=times, anchor=names),
    ending=st.none() | st.builds(Ending, state=st.sampled_from(JobState), failure=failures),
)


@given(jobs)
def test_a_stored_job_reads_back(job: Job) -> None:
    assert JobCodec().decode(JobCodec().encode(job)) == job


# --- events ----------------------------------------------------------------------------------------------------------

JOB = Job(job_id="j", spec=JobSpec(source=ImageParameters(prompt="")), state=JobState.SUCCEEDED, create_time=1.0)
ASSET = Asset(
    digest="a" * 64, size_bytes=1, media_type="image/png", width=1, height=1, create_time=1.0, origin=AssetOrigin.OUTPUT
)
ATTEMPT = Attempt(
    number=1,
    attempt_id="i",
    backend="b",
    handle=Handle(remote_id="r"),
    state=AttemptState.FAILED,
    start_time=1.0,
    slice=Slice(first=2, count=3),
)
PAYLOADS: list[Durable] = [
    StateChanged(before=None, after=JobState.QUEUED),
    AttemptStarted(attempt=ATTEMPT),
    AttemptFailed(attempt=ATTEMPT, will_retry=True),
    Planned(images=2, nodes=(PlanNode(node_id="3", class_type="KSampler", title="sample", cached=True),)),
    Output(index=0, asset=ASSET, image_index=0, seed=1, node_id="", intermediate=True, attempt=1),
    Warned(code="SIZE_ADJUSTED", message="smaller"),
    JobUpdated(job=JOB),
    Completed(job=JOB),
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: type(payload).__name__)
def test_each_durable_event_is_told_by_its_name(payload: Durable) -> None:
    event = DurableEvent(job_id="j", sequence=4, time=2.5, attempt=1, payload=payload)
    told = WatchJobResponse.FromString(events.encode_durable(event, "token")).event
    assert told.WhichOneof("event") == KINDS[type(payload)]
    assert (told.job_id, told.sequence, told.attempt, told.resume_token) == ("j", 4, 1, "token")
    assert from_timestamp(told.time) == 2.5


def test_completed_carries_its_own_token() -> None:
    event = DurableEvent(job_id="j", sequence=4, time=2.5, attempt=1, payload=Completed(job=JOB))
    told = WatchJobResponse.FromString(events.encode_durable(event, "token")).event
    assert told.completed.job.resume_token == "token"


def test_an_attempt_tells_which_images_it_makes() -> None:
    event = DurableEvent(job_id="j", sequence=1, time=1.0, attempt=1, payload=AttemptStarted(attempt=ATTEMPT))
    started = WatchJobResponse.FromString(events.encode_durable(event, "token")).event.attempt_started
    assert (started.number, started.backend, started.first_image, started.image_count) == (1, "b", 2, 3)


def test_the_bytes_serve_all_three_streams() -> None:
    event = DurableEvent(job_id="j", sequence=1, time=1.0, attempt=0, payload=PAYLOADS[0])
    data = events.encode_durable(event, "token")
    one, many, generated = (
        kind.FromString(data).event for kind in (WatchJobResponse, WatchJobsResponse, GenerateImagesResponse)
    )
    assert one == many == generated


def test_an_ephemeral_event_tells_where_the_watcher_stands() -> None:
    event = events.EphemeralEvent("j", 1, 2.0, event_pb2.JobEvent(model_loading=event_pb2.ModelLoading(model="m")))
    for sequence, token in ((3, "a"), (4, "b")):
        told = WatchJobResponse.FromString(event.encode(sequence=sequence, token=token, variant=None)).event
        assert (told.sequence, told.resume_token, told.model_loading.model) == (sequence, token, "m")


def test_enums_have_the_same_names() -> None:
    def without_prefix(keys: list[str], prefix: str) -> set[str]:
        return {key.removeprefix(prefix) for key in keys} - {"UNSPECIFIED"}

    assert without_prefix(job_pb2.JobState.keys(), "JOB_STATE_") == {state.name for state in JobState}
    assert without_prefix(job_pb2.AttemptState.keys(), "ATTEMPT_STATE_") == {state.name for state in AttemptState}
    assert without_prefix(job_pb2.UncertainPolicy.keys(), "UNCERTAIN_POLICY_") == {p.name for p in UncertainPolicy}
    assert without_prefix(job_pb2.Phase.keys(), "PHASE_") == {phase.name for phase in Phase}
    assert without_prefix(job_pb2.WaitReason.keys(), "WAIT_REASON_") == {reason.name for reason in WaitReason}


# --- the queue -------------------------------------------------------------------------------------------------------


def test_a_place_says_what_is_foreseen() -> None:
    place = Place(ahead=1, length=3, start_s=2.5, finish_s=10.0, backend="one", reason=WaitReason.OWNER_LIMIT)
    told = events.encode_place(place)
    assert told is not None
    assert (told.ahead, told.length, told.backend, told.reason) == (1, 3, "one", job_pb2.WAIT_REASON_OWNER_LIMIT)
    assert (from_duration(told.start_eta), from_duration(told.finish_eta)) == (2.5, 10.0)


def test_what_was_not_measured_is_not_foreseen() -> None:
    told = events.encode_place(Place(ahead=0, length=1))
    assert told == job_pb2.QueueInfo(length=1, reason=job_pb2.WAIT_REASON_TURN)
    assert events.encode_place(None) is None


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ({"end": queue_pb2.QUEUE_END_FIRST}, Move(kind=MoveKind.FIRST, time=5.0)),
        ({"end": queue_pb2.QUEUE_END_LAST}, None),
        ({"before_job_id": "b"}, Move(kind=MoveKind.BEFORE, time=5.0, anchor="b")),
        ({"after_job_id": "b"}, Move(kind=MoveKind.AFTER, time=5.0, anchor="b")),
    ],
)
def test_every_place_to_move_to(to: dict[str, Any], expected: Move | None) -> None:
    assert decode_move(queue_pb2.MoveJobRequest(job_id="a", **to), 5.0) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Updated()),
        ({"priority": 0, "paused": False}, Updated(priority=0, is_paused=False)),
        ({"labels": Labels()}, Updated(labels={})),
        ({"labels": Labels(labels={"a": "b"}), "paused": True}, Updated(labels={"a": "b"}, is_paused=True)),
    ],
)
def test_an_update_changes_what_is_given(fields: dict[str, Any], expected: Updated) -> None:
    assert decode_update(UpdateJobRequest(job_id="a", **fields)) == expected


# --- errors ----------------------------------------------------------------------------------------------------------


def test_every_reason_has_a_code() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert set(errors.CODES) == reasons - {"UNSPECIFIED"}


def test_every_reason_has_the_code_that_its_comment_names() -> None:
    """The catalogue's comments begin with the code: what users read is what they get."""
    described = FileDescriptorSet.FromString((files("imagegen.v1") / "imagegen.binpb").read_bytes())
    (file,) = [each for each in described.file if each.name == error_pb2.DESCRIPTOR.name]
    comments = {
        location.path[3]: location.leading_comments
        for location in file.source_code_info.location
        if len(location.path) == 4
    }
    for number, value in enumerate(file.enum_type[0].value):
        reason = value.name.removeprefix("ERROR_REASON_")
        if reason != "UNSPECIFIED":
            words = comments[number].replace(",", ".").strip()
            assert words.split(".")[0] == errors.CODES[reason].name, value.name


def all_subclasses(of: type[AdapterError]) -> set[type[AdapterError]]:
    return {each for child in of.__subclasses__() for each in {child, *all_subclasses(child)}}


def test_every_adapter_error_has_a_reason() -> None:
    ours = {each for each in all_subclasses(AdapterError) if each.__module__ == "imagegen_adapters.errors"}
    assert set(errors.REASONS) == ours - {AtNode}
    assert set(errors.REASONS.values()) <= set(errors.CODES)


def test_a_failure_keeps_what_the_adapter_said() -> None:
    rejected = errors.failure_of(Rejected("no", [Violation("image.model", "no such model")]))
    assert rejected == Failure(
        reason="BACKEND_REJECTED", message="no", violations=(Violation("image.model", "no such model"),)
    )
    for error, reason in ((NodeFailed, "NODE_FAILED"), (GpuFault, "BACKEND_GPU_FAULT")):
        broken = errors.failure_of(error("it broke", node_id="3", node_type="KSampler"))
        assert broken == Failure(reason=reason, message="it broke", node_id="3", node_type="KSampler")
        assert errors.decode_failure(errors.encode_failure(broken)) == broken


def test_a_kind_of_adapter_error_has_the_reason_of_its_parent() -> None:
    class Silent(Unreachable):
        pass

    assert errors.failure_of(Silent("no frame for 30 s")).reason == "BACKEND_UNREACHABLE"


def test_a_refusal_has_everything_that_helps() -> None:
    refused = Refused(
        "QUEUE_FULL",
        "full",
        violations=[Violation("a.b", "c")],
        excess=Excess(reason="QUEUE_FULL", subject="queue", description="5 jobs wait already"),
        metadata={"job_id": "j"},
        retry_after_s=1.5,
    )
    told = refusal_in(errors.encode_refusal(refused), errors.code_of("QUEUE_FULL"))
    assert (told.reason, told.message, told.fields, told.quota, told.retry_after_s, told.metadata) == (
        "QUEUE_FULL",
        "full",
        {"a.b": "c"},
        {"queue": "5 jobs wait already"},
        1.5,
        {"job_id": "j"},
    )


def test_a_refusal_stays_small_enough_for_every_client() -> None:
    many = [Violation(f"graph.json[{number}]", "ü" * 5000) for number in range(1000)]
    status = errors.encode_refusal(Refused("INVALID_GRAPH", "ü" * 5000, violations=many))
    on_the_wire = math.ceil(status.ByteSize() * 4 / 3) + 3 * len(status.message.encode())
    assert on_the_wire < 8 * 1024
    assert refusal_in(status, errors.code_of("INVALID_GRAPH")).fields


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (CreateJobRequest(), "spec"),
        (CreateJobRequest(spec=job_pb2.JobSpec()), "spec.source"),
        (CreateJobRequest(spec=job_pb2.JobSpec(image=job_pb2.ImageParameters(width=65))), "spec.image.width"),
        (CreateJobRequest(spec=job_pb2.JobSpec(image=job_pb2.ImageParameters(mask="a" * 64))), "spec.image"),
        (
            CreateJobRequest(spec=job_pb2.JobSpec(image=job_pb2.ImageParameters(), labels={"k": "x" * 300})),
            'spec.labels["k"]',
        ),
        (WatchJobsRequest(job_ids=["a", ""]), "job_ids[1]"),
        (WatchJobRequest(), "job_id"),
    ],
)
def test_a_broken_rule_names_its_field(request_: CreateJobRequest, path: str) -> None:
    with pytest.raises(Refused) as caught:
        rules.check_rules(request_)
    assert caught.value.reason == "INVALID_REQUEST"
    assert [each.field for each in caught.value.violations] == [path]


@pytest.mark.parametrize(
    ("request_", "description"),
    [
        (
            queue_pb2.MoveJobRequest(job_id="a", end=queue_pb2.QUEUE_END_UNSPECIFIED),
            "must be one of QUEUE_END_FIRST, QUEUE_END_LAST",
        ),
        (
            WatchJobRequest(job_id="a", watch=WatchOptions(previews=PreviewDelivery.ValueType(9))),
            "must be one of PREVIEW_DELIVERY_UNSPECIFIED",
        ),
        (queue_pb2.PauseQueueRequest(owner="änne"), "must be printable ASCII characters"),
    ],
)
def test_a_broken_rule_says_what_is_allowed(request_: Message, description: str) -> None:
    with pytest.raises(Refused) as caught:
        rules.check_rules(request_)
    assert description in caught.value.violations[0].description


def test_every_pattern_of_the_contract_has_words() -> None:
    contract = "".join(path.read_text() for path in Path(queue_pb2.__file__).parent.glob("*.proto"))
    patterns = {json.loads(each) for each in re.findall(r'pattern: ("[^"]+")', contract)}
    patterns |= {json.loads(each) for each in re.findall(r'string\.pattern = ("[^"]+")', contract)}
    assert patterns == set(rules.PATTERNS)
