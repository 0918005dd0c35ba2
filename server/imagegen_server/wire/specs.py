"""What a job is asked to make."""

from dataclasses import dataclass
from typing import assert_never

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import HiresParameters, ImageParameters, RawGraph
from imagegen_server.jobs import JobSpec, PreviewOptions, UncertainPolicy
from imagegen_server.wire.scalars import from_duration, from_struct, to_duration, to_struct

DEFAULT_SIZE = 512
_MIN_SIZE, _MAX_SIZE, _SIZE_STEP = 64, 4096, 8
_DEFAULT_STEPS = 20
_DEFAULT_CFG_SCALE = 7.0
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
    width: int = DEFAULT_SIZE
    """Of the initial image, where there is one."""
    height: int = DEFAULT_SIZE


def decode_spec(spec: job_pb2.JobSpec, defaults: Defaults) -> JobSpec:
    """The spec with every default resolved. `spec` has passed the rules of the proto."""
    source: ImageParameters | RawGraph
    if spec.WhichOneof("source") == "graph":
        source = RawGraph(json=spec.graph.json, images=dict(spec.graph.images))
    else:
        source = _decode_image(spec.image, defaults)
    return JobSpec(
        source=source,
        preview=_decode_preview(spec.preview),
        backend=spec.backend,
        labels=dict(spec.labels),
        backend_options=from_struct(spec.backend_options),
        priority=spec.priority,
        start_deadline_s=from_duration(spec.start_deadline) if spec.HasField("start_deadline") else None,
        execution_deadline_s=from_duration(spec.execution_deadline) if spec.HasField("execution_deadline") else None,
        on_uncertain=_POLICIES_BACK.get(spec.on_uncertain, UncertainPolicy.RETRY),
        backend_labels=dict(spec.backend_labels),
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
    )
    if spec.backend_options:
        encoded.backend_options.CopyFrom(to_struct(spec.backend_options))
    match spec.source:
        case ImageParameters():
            encoded.image.CopyFrom(_encode_image(spec.source))
        case RawGraph(json=json, images=images):
            encoded.graph.CopyFrom(job_pb2.RawGraph(json=json, images=dict(images)))
        case _ as never:
            assert_never(never)
    return encoded


def _decode_image(image: job_pb2.ImageParameters, defaults: Defaults) -> ImageParameters:
    return ImageParameters(
        prompt=image.prompt,
        negative_prompt=image.negative_prompt,
        model=image.model,
        vae=image.vae,
        width=image.width or _fitting(defaults.width),
        height=image.height or _fitting(defaults.height),
        steps=image.steps if image.HasField("steps") else _DEFAULT_STEPS,
        cfg_scale=image.cfg_scale if image.HasField("cfg_scale") else _DEFAULT_CFG_SCALE,
        sampler=image.sampler,
        scheduler=image.scheduler,
        seed=image.seed if image.HasField("seed") else defaults.seed,
        count=image.count or 1,
        batch_size=image.batch_size or 1,
        init_image=image.init_image,
        mask=image.mask,
        # Without the picture that they are about, these two mean nothing, and are not echoed either.
        denoise=image.denoise if image.init_image and image.HasField("denoise") else _DEFAULT_DENOISE,
        mask_blur=image.mask_blur if image.mask and image.HasField("mask_blur") else _DEFAULT_MASK_BLUR,
        hires=_decode_hires(image.hires) if image.HasField("hires") else None,
    )


def _encode_image(image: ImageParameters) -> job_pb2.ImageParameters:
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
    )


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


def _decode_preview(preview: job_pb2.PreviewOptions) -> PreviewOptions:
    return PreviewOptions(
        enabled=preview.mode != job_pb2.PREVIEW_MODE_OFF,
        max_rate_hz=preview.max_rate_hz or _PREVIEW.max_rate_hz,
        max_pixels=preview.max_pixels,
        format=_FORMAT_NAMES[preview.format],
        quality=preview.quality or _PREVIEW.quality,
    )


def _encode_preview(preview: PreviewOptions) -> job_pb2.PreviewOptions:
    return job_pb2.PreviewOptions(
        mode=job_pb2.PREVIEW_MODE_ON if preview.enabled else job_pb2.PREVIEW_MODE_OFF,
        max_rate_hz=preview.max_rate_hz,
        max_pixels=preview.max_pixels,
        format=_FORMATS[preview.format],
        quality=preview.quality,
    )
