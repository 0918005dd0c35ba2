"""What a job is asked to make."""

from dataclasses import dataclass
from typing import Any, assert_never

from google.protobuf.message import Message

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import HiresParameters, ImageParameters, Lora, RawGraph
from imagegen_server.jobs import Invocation, JobSpec, PreviewOptions, UncertainPolicy
from imagegen_server.wire.scalars import from_duration, from_struct, to_duration, to_struct

_MIN_SIZE, _MAX_SIZE, _SIZE_STEP = 64, 4096, 8
_DEFAULT_DENOISE = 0.75
_DEFAULT_HIRES_DENOISE = 0.5
_DEFAULT_MASK_BLUR = 4
_PREVIEW = PreviewOptions()

_FORMATS = {
    "": job_pb2.PREVIEW_FORMAT_UNSPECIFIED,
    "jpeg": job_pb2.PREVIEW_FORMAT_JPEG,
    "webp": job_pb2.PREVIEW_FORMAT_WEBP,
}
_FORMAT_NAMES = {value: name for name, value in _FORMATS.items()}
_POLICIES = {policy: job_pb2.UncertainPolicy.Value(f"UNCERTAIN_POLICY_{policy.name}") for policy in UncertainPolicy}
_POLICIES_BACK = {value: policy for policy, value in _POLICIES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the server chooses where a request leaves it open, and cannot be known from the request alone."""

    seed: int
    """For a request without one."""
    model: str = ""
    negative_prompt: str = ""
    width: int = 512
    """As near to it as a size can be; of the initial image, where there is one."""
    height: int = 512
    steps: int = 20
    cfg_scale: float = 7.0
    sampler: str = ""
    scheduler: str = ""


def decode_spec(
    spec: job_pb2.JobSpec,
    source: ImageParameters | RawGraph,
    *,
    invocation: Invocation | None = None,
    preview: PreviewOptions = _PREVIEW,
) -> JobSpec:
    """The spec with every default resolved. `spec` has passed the rules of the proto; `preview` is for what it leaves
    open, `source` and `invocation` are what was made of its source.
    """
    return JobSpec(
        source=source,
        invocation=invocation,
        preview=_decode_preview(spec.preview, preview),
        backend=spec.backend,
        labels=dict(spec.labels),
        backend_options=from_struct(spec.backend_options),
        priority=spec.priority,
        start_deadline_s=from_duration(spec.start_deadline) if spec.HasField("start_deadline") else None,
        execution_deadline_s=from_duration(spec.execution_deadline) if spec.HasField("execution_deadline") else None,
        on_uncertain=_POLICIES_BACK.get(spec.on_uncertain, UncertainPolicy.RETRY),
        backend_labels=dict(spec.backend_labels),
        reuse=spec.reuse,
    )


def encode_spec(spec: JobSpec) -> job_pb2.JobSpec:
    encoded = job_pb2.JobSpec(
        preview=_encode_preview(spec.preview),
        backend=spec.backend,
        labels=dict(spec.labels),
        priority=spec.priority,
        start_deadline=to_duration(spec.start_deadline_s),
        execution_deadline=to_duration(spec.execution_deadline_s),
        on_uncertain=_POLICIES[spec.on_uncertain],
        backend_labels=dict(spec.backend_labels),
        reuse=spec.reuse,
    )
    if spec.backend_options:
        encoded.backend_options.CopyFrom(to_struct(spec.backend_options))
    if spec.invocation is not None:
        encoded.workflow.CopyFrom(_encode_invocation(spec.invocation))
        return encoded
    match spec.source:
        case ImageParameters():
            encoded.image.CopyFrom(encode_image(spec.source))
        case RawGraph():
            encoded.graph.CopyFrom(encode_graph(spec.source))
        case _ as never:
            assert_never(never)
    return encoded


def decode_graph(graph: job_pb2.RawGraph) -> RawGraph:
    return RawGraph(json=graph.json, images=dict(graph.images), masks=tuple(graph.masks))


def encode_graph(graph: RawGraph) -> job_pb2.RawGraph:
    return job_pb2.RawGraph(json=graph.json, images=graph.images, masks=graph.masks)


def decode_image(image: job_pb2.ImageParameters, defaults: Defaults) -> ImageParameters:
    """The parameters with every default resolved."""
    return ImageParameters(
        prompt=image.prompt,
        negative_prompt=image.negative_prompt or defaults.negative_prompt,
        model=image.model or defaults.model,
        vae=image.vae,
        width=image.width or _fitting(defaults.width),
        height=image.height or _fitting(defaults.height),
        steps=image.steps if image.HasField("steps") else defaults.steps,
        cfg_scale=image.cfg_scale if image.HasField("cfg_scale") else defaults.cfg_scale,
        sampler=image.sampler or defaults.sampler,
        scheduler=image.scheduler or defaults.scheduler,
        seed=image.seed if image.HasField("seed") else defaults.seed,
        count=image.count or 1,
        batch_size=image.batch_size or 1,
        init_image=image.init_image,
        mask=image.mask,
        # Without the picture that they are about, these two mean nothing, and are not echoed either.
        denoise=image.denoise if image.init_image and image.HasField("denoise") else _DEFAULT_DENOISE,
        mask_blur=image.mask_blur if image.mask and image.HasField("mask_blur") else _DEFAULT_MASK_BLUR,
        hires=_decode_hires(image.hires) if image.HasField("hires") else None,
        loras=tuple(_decode_lora(lora) for lora in image.loras),
        text_encoders=tuple(image.text_encoders),
        distilled_cfg_scale=image.distilled_cfg_scale if image.HasField("distilled_cfg_scale") else None,
    )


def encode_image(image: ImageParameters) -> job_pb2.ImageParameters:
    return job_pb2.ImageParameters(
        prompt=image.prompt,
        negative_prompt=image.negative_prompt,
        model=image.model,
        vae=image.vae,
        width=image.width,
        height=image.height,
        steps=image.steps,
        cfg_scale=image.cfg_scale,
        sampler=image.sampler,
        scheduler=image.scheduler,
        seed=image.seed,
        count=image.count,
        batch_size=image.batch_size,
        init_image=image.init_image,
        mask=image.mask,
        denoise=image.denoise if image.init_image else None,
        mask_blur=image.mask_blur if image.mask else None,
        hires=_encode_hires(image.hires) if image.hires is not None else None,
        loras=[_encode_lora(lora) for lora in image.loras],
        text_encoders=image.text_encoders,
        distilled_cfg_scale=image.distilled_cfg_scale,
    )


def fields_of(image: ImageParameters) -> dict[str, Any]:
    """What the parameters set, by the names of the proto, as plain values."""
    fields: dict[str, Any] = _plain(encode_image(image))
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return {field.name: _plain(inner) for field, inner in value.ListFields()}
    return value if isinstance(value, str | int | float) else [_plain(each) for each in value]


def _encode_invocation(invocation: Invocation) -> job_pb2.WorkflowInvocation:
    return job_pb2.WorkflowInvocation(
        workflow_id=invocation.workflow_id, revision=invocation.revision, inputs=to_struct(invocation.inputs)
    )


def _decode_lora(lora: job_pb2.Lora) -> Lora:
    return Lora(
        name=lora.name,
        weight=lora.weight if lora.HasField("weight") else 1.0,
        text_encoder_weight=lora.text_encoder_weight if lora.HasField("text_encoder_weight") else None,
    )


def _encode_lora(lora: Lora) -> job_pb2.Lora:
    return job_pb2.Lora(name=lora.name, weight=lora.weight, text_encoder_weight=lora.text_encoder_weight)


def _fitting(size: int) -> int:
    return min(max(size - size % _SIZE_STEP, _MIN_SIZE), _MAX_SIZE)


def _decode_hires(hires: job_pb2.HiresParameters) -> HiresParameters:
    return HiresParameters(
        scale=hires.scale,
        upscaler=hires.upscaler,
        steps=hires.steps if hires.HasField("steps") else None,
        denoise=hires.denoise if hires.HasField("denoise") else _DEFAULT_HIRES_DENOISE,
    )


def _encode_hires(hires: HiresParameters) -> job_pb2.HiresParameters:
    return job_pb2.HiresParameters(scale=hires.scale, upscaler=hires.upscaler, steps=hires.steps, denoise=hires.denoise)


def _decode_preview(preview: job_pb2.PreviewOptions, defaults: PreviewOptions) -> PreviewOptions:
    is_left_open = preview.mode == job_pb2.PREVIEW_MODE_UNSPECIFIED
    return PreviewOptions(
        enabled=defaults.enabled if is_left_open else preview.mode == job_pb2.PREVIEW_MODE_ON,
        max_rate_hz=preview.max_rate_hz or defaults.max_rate_hz,
        max_pixels=preview.max_pixels or defaults.max_pixels,
        format=_FORMAT_NAMES[preview.format] or defaults.format,
        quality=preview.quality or defaults.quality,
    )


def _encode_preview(preview: PreviewOptions) -> job_pb2.PreviewOptions:
    return job_pb2.PreviewOptions(
        mode=job_pb2.PREVIEW_MODE_ON if preview.enabled else job_pb2.PREVIEW_MODE_OFF,
        max_rate_hz=preview.max_rate_hz,
        max_pixels=preview.max_pixels,
        format=_FORMATS[preview.format],
        quality=preview.quality,
    )
