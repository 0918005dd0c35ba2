"""What only backends of A1111's kind can do: such requests go to one, or are refused where there is none. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111.faults import Refused, http_exception, invalid, unfit
from imagegen_gateway.dialects.a1111.fields import Wanted
from imagegen_gateway.dialects.a1111.names import (
    CHECKPOINT,
    LORA,
    Sampling,
    Stock,
    find_lora,
    near_lora,
    scheduler_label,
)
from imagegen_gateway.dialects.a1111.options import PREVIEW_OPTIONS

KIND: Final = "a1111"
"""Kind of the backends that may get it."""
EXTRA_NETWORK: Final = re.compile(r"<(?:lora|lyco|hypernet):([^<>:]*+)[^<>]*+>")
"""In a prompt: A1111 takes it out and loads a file; other kinds would read it as words."""
_WEIGHT: Final = r"(?::(-?[0-9]{0,3}\.?[0-9]{1,6}))?"
LORA_WORDS: Final = re.compile(rf"<lora:([^<>:]+){_WEIGHT}{_WEIGHT}>", re.ASCII)
MAX_OPTIONS_CHARS: Final = 1_000_000
"""Of what is passed through: it is stored with the job."""
SAME: Final = ("", "None", "Use same sampler", "Use same checkpoint", "Use same scheduler")


def pass_through(
    spec: job_pb2.JobSpec, wanted: Wanted, settings: Mapping[str, Any], how: Sampling, stock: Stock
) -> None:
    """Sends the job to a backend of A1111's kind if it needs one. Raises Refused where there is none."""
    if wanted["script_name"]:
        raise http_exception(422, f"Script {wanted['script_name']!r} not found")
    options = {name: wanted[name] for name in _peculiar(wanted, how)}
    others = {name: value for name, value in settings.items() if name not in PREVIEW_OPTIONS}
    if others:
        options["override_settings"] = others
    networks = list(EXTRA_NETWORK.finditer("\n".join((wanted["prompt"], wanted["negative_prompt"]))))
    if not options and not networks:
        return
    backends = [backend for backend in stock.healthy(KIND) if _has_model(stock, spec, backend.name)]
    if not backends:
        if not options and _ask_for_loras(spec, networks, stock):
            return
        if not options:
            _check_loras(networks, stock)
        raise _nobody_can(options, networks[0][0] if networks else "", others)
    for network in networks:
        _check_network(network, stock)
    if len(repr(options)) > MAX_OPTIONS_CHARS:
        raise http_exception(413, f"what is passed on to A1111 is longer than {MAX_OPTIONS_CHARS} characters")
    spec.backend = backends[0].name
    if options:
        spec.backend_options.update({KIND: options})


def _ask_for_loras(spec: job_pb2.JobSpec, networks: Iterable[re.Match[str]], stock: Stock) -> bool:
    """Whether all of it are LoRAs that a backend of another kind has; then the job asks for them as such."""
    loras = [_lora(network[0], stock, spec.image.model) for network in networks]
    if None in loras or EXTRA_NETWORK.search(spec.image.negative_prompt):
        return False
    spec.image.loras.extend(lora for lora in loras if lora is not None)
    spec.image.prompt = EXTRA_NETWORK.sub("", spec.image.prompt).strip()
    return True


def _lora(text: str, stock: Stock, model: str) -> job_pb2.Lora | None:
    """The LoRA in <lora:name:weight>, or <lora:name:weight for the text encoder:weight>; None: nobody has it."""
    words = LORA_WORDS.fullmatch(text)
    lora = find_lora(stock, words[1]) if words is not None else None
    if words is None or lora is None or (model and not stock.holders(CHECKPOINT, model) & set(lora.backends)):
        return None
    first, second = (float(number) if number else None for number in words.groups()[1:])
    if second is None:
        return job_pb2.Lora(name=lora.name, weight=first)
    return job_pb2.Lora(name=lora.name, weight=second, text_encoder_weight=first)


def _check_network(network: re.Match[str], stock: Stock) -> None:
    """A1111 makes the picture without one that it does not have."""
    names = {name for model in stock.of_type(LORA) for name in (model.name, model.description)}
    if network[1] not in names:
        raise _no_network(network, stock)


def _check_loras(networks: Iterable[re.Match[str]], stock: Stock) -> None:
    """Whether there are LoRAs of these names at all. Raises Refused."""
    for network in networks:
        words = LORA_WORDS.fullmatch(network[0])
        if words is not None and find_lora(stock, words[1]) is None:
            raise _no_network(network, stock)


def _no_network(network: re.Match[str], stock: Stock) -> Refused:
    near = near_lora(stock, network[1])
    meant = f"did you mean {near}? " if near else ""
    return unfit("prompt", f"{network[0][:100]!r}: there is no such network; {meant}/sdapi/v1/loras lists them")


def _has_model(stock: Stock, spec: job_pb2.JobSpec, backend: str) -> bool:
    return not spec.image.model or backend in stock.holders(CHECKPOINT, spec.image.model)


def _peculiar(wanted: Wanted, how: Sampling) -> Iterator[str]:
    """The fields that ask for something that only A1111 can do."""
    for name, neutral in NEUTRAL.items():
        if name in wanted.values and wanted[name] not in neutral:
            yield name
    if wanted["subseed_strength"]:
        yield "subseed"
    if wanted["eta"] not in (None, 0.0 if how.sampler_label.startswith("DDIM") else 1.0):
        yield "eta"
    if wanted["refiner_checkpoint"] not in (None, *SAME):
        yield from ("refiner_checkpoint", "refiner_switch_at")
    if any(wanted.values.get(name, -1) > 0 for name in ("seed_resize_from_w", "seed_resize_from_h")):
        yield from ("seed_resize_from_w", "seed_resize_from_h")
    if wanted.values.get("mask") and wanted["inpainting_fill"] > 1:
        yield "inpainting_fill"
    if wanted.values.get("enable_hr"):
        yield from _peculiar_hires(wanted, how)


def _peculiar_hires(wanted: Wanted, how: Sampling) -> Iterator[str]:
    same = {
        "hr_checkpoint_name": SAME,
        "hr_sampler_name": (*SAME, how.sampler_label),
        "hr_prompt": ("", wanted["prompt"]),
        "hr_negative_prompt": ("", wanted["negative_prompt"]),
    }
    for name, neutral in same.items():
        if wanted[name] is not None and wanted[name] not in neutral:
            yield name
    scheduler = wanted["hr_scheduler"]
    if scheduler not in (None, *SAME) and scheduler_label(scheduler) != how.scheduler_label:
        yield "hr_scheduler"


NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "styles": (None, []),
    "subseed_strength": (0,),
    "restore_faces": (None, False),
    "tiling": (None, False),
    "s_min_uncond": (None, 0),
    "s_churn": (None, 0),
    "s_tmin": (None, 0),
    "s_tmax": (None, 0),  # 0 stands for no bound
    "s_noise": (None, 1),
    "disable_extra_networks": (False,),
    "firstpass_image": (None, ""),
    "alwayson_scripts": ({},),
    "image_cfg_scale": (None, 1.5),  # counts with checkpoints of one family only, and this is its default there
    "initial_noise_multiplier": (None, 1),
    "latent_mask": (None, ""),
    "resize_mode": (0, 1, 2),
}
"""Values of a field that change nothing, or are done here."""


def _nobody_can(options: Mapping[str, Any], network: str, settings: Iterable[str]) -> Refused:
    """The answer where no backend of A1111's kind takes jobs."""
    if "alwayson_scripts" in options:
        return http_exception(422, f"Script {min(options['alwayson_scripts'])!r} not found")
    names = list(options)
    what = "only an A1111 backend can do it, and none that has the checkpoint is there"
    if not names:
        return unfit("prompt", f"{network[:100]!r}: {what}")
    places = [(name,) for name in names if name != "override_settings"]
    return invalid(
        *((place, what, "value_error") for place in places),
        *((("override_settings", name), what, "value_error") for name in settings),
    )
