"""A1111's `parameters` text as a request. Pure.

A text tells more than a request can carry; what is lost is told in notes.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imagegen_adapters.contract import HiresParameters, Lora
from imagegen_server.metadata import infotext
from imagegen_server.metadata.infotext import Infotext
from imagegen_server.metadata.names import (
    AUTOMATIC,
    LATENT,
    SAMPLERS,
    SCHEDULERS,
    find_file,
    find_name,
    split_sampler,
)

_MAX_SEED: Final = 2**63 - 1
_MAX_STEPS, _MAX_SCALE, _MAX_BLUR, _MAX_HIRES = 500, 100, 64, 4
_MIN_SIZE, _MAX_SIZE, _SIZE_STEP = 64, 4096, 8
_MAX_LORAS: Final = 16
_MAX_MODULES: Final = 4
_LORA: Final = re.compile(r" ?<lora:([^<>:]{1,512})((?::[^<>:]{0,64}){0,4})>")
_SIZE: Final = re.compile(r"(\d{1,6})x(\d{1,6})")
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,40})?(?:e-?\d{1,3})?")
_NOT_WORTH_A_NOTE: Final = frozenset(
    {"Version", "User", "Batch size", "Batch pos", "Model hash", "VAE hash", "Lora hashes", "TI hashes", "Hashes"}
    | {"Template", "Negative Template", "Created Date", "App"}
)
"""Neither changes the picture, or what changes it is told elsewhere in the text."""
_HARMLESS: Final = frozenset(
    {("Clip skip", "1"), ("Variation seed strength", "0"), ("VAE", "Automatic")}
    | {("Hires Module 1", "Use same choices")}
)
"""Settings that say no more than leaving them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Names that backends have, so that a text's names can be told in their words. Empty: not known."""

    models: Sequence[str] = ()
    """Checkpoints and diffusion models."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of models, by their names."""
    vaes: Sequence[str] = ()
    text_encoders: Sequence[str] = ()
    loras: Sequence[str] = ()
    samplers: Sequence[str] = ()
    schedulers: Sequence[str] = ()
    backends: Sequence["Known"] = ()
    """Each backend by itself: a name has to be one of a backend that has the model, too."""

    def having(self, model: str) -> "Known":
        """What those backends have, together, that have the model; all of it where none has it."""
        return united([backend for backend in self.backends if model in backend.models]) or self


NOTHING_KNOWN: Final = Known()


def united(backends: Sequence[Known]) -> Known | None:
    """What several backends have, each name once; None: there are no backends."""
    if len(backends) < 2:
        return backends[0] if backends else None

    def all_of(names: Callable[[Known], Sequence[str]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for backend in backends for name in names(backend)))

    return Known(
        models=all_of(lambda known: known.models),
        hashes={name: sha256 for backend in backends for name, sha256 in backend.hashes.items()},
        vaes=all_of(lambda known: known.vaes),
        text_encoders=all_of(lambda known: known.text_encoders),
        loras=all_of(lambda known: known.loras),
        samplers=all_of(lambda known: known.samplers),
        schedulers=all_of(lambda known: known.schedulers),
        backends=tuple(backends),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a text asks for."""

    image: dict[str, Any]
    """Keyword arguments of ImageParameters: those that the text tells, and `prompt`. `denoise` without `hires` tells of
    a picture that it was made from, and `mask_blur` of a mask, neither of which a text holds.
    """
    notes: tuple[str, ...]
    """What is not carried, or was understood with a guess: a sentence each."""


def is_parameters(text: str) -> bool:
    """Whether a text is A1111's: it has a line of settings with "Steps: ..."."""
    return bool(infotext.read(text).settings)


def parse(text: str, known: Known = NOTHING_KNOWN) -> Parsed:
    """What a text asks for; one without a line of settings is a prompt. Never raises.

    Names are told as a backend has them where `known` has one, and as written otherwise.
    """
    return _Reading(infotext.read(text), known).result()


class _Reading:
    """Takes settings one by one, so that what is left at the end is what is not carried."""

    def __init__(self, text: Infotext, known: Known) -> None:
        self._left = {name: value for name, value in text.settings.items() if (name, value) not in _HARMLESS}
        self._text = text
        self._known = known
        self._image: dict[str, Any] = {}
        self._notes: list[str] = []

    def result(self) -> Parsed:
        self._read_model()
        self._read_prompts()
        self._read_number("steps", "Steps", lambda number: int(number) if 1 <= number <= _MAX_STEPS else None)
        self._read_number("cfg_scale", "CFG scale", _scale)
        self._read_number("distilled_cfg_scale", "Distilled CFG Scale", _scale)
        self._read_number("seed", "Seed", lambda number: int(number) if 0 <= number <= _MAX_SEED else None)
        self._read_size()
        self._read_sampling()
        self._read_vae_and_encoders()
        self._read_second_pass()
        self._read_number("mask_blur", "Mask blur", lambda number: int(number) if 0 <= number <= _MAX_BLUR else None)
        self._note_what_is_left()
        return Parsed(image=self._image, notes=tuple(self._notes))

    def _read_prompts(self) -> None:
        loras: list[Lora] = []

        def take(tag: re.Match[str]) -> str:
            lora = _lora_of(tag, self._known.loras)
            if lora is None or len(loras) == _MAX_LORAS:
                self._notes.append(f"{tag[0].strip()} is not carried")
            else:
                loras.append(lora)
                if self._known.loras and lora.name not in self._known.loras:
                    self._notes.append(f"no backend has a LoRA called {lora.name}")
            return ""

        self._image["prompt"] = _LORA.sub(take, self._text.prompt).strip()
        if self._text.negative_prompt:
            self._image["negative_prompt"] = self._text.negative_prompt
        if loras:
            self._image["loras"] = tuple(loras)

    def _read_number(self, field_name: str, setting: str, convert: Callable[[float], float | None]) -> None:
        value = self._number(setting, convert)
        if value is not None:
            self._image[field_name] = value

    def _number(self, setting: str, convert: Callable[[float], float | None]) -> float | None:
        """The number of a setting; one that cannot be is left, to be noted."""
        value = _read_number(self._left.get(setting, ""))
        converted = convert(value) if value is not None else None
        if converted is not None:
            del self._left[setting]
        return converted

    def _read_size(self) -> None:
        size = _SIZE.fullmatch(self._left.get("Size", ""))
        if size is None:
            return
        # A1111 writes what was asked for, and makes what can be divided by eight.
        width, height = (int(side) - int(side) % _SIZE_STEP for side in size.groups())
        if min(width, height) >= _MIN_SIZE and max(width, height) <= _MAX_SIZE:
            self._image |= {"width": width, "height": height}
            del self._left["Size"]
            if size[0] != f"{width}x{height}":
                self._notes.append(f"Size: {size[0]} was made as {width}x{height}")

    def _read_sampling(self) -> None:
        sampler, schedule = split_sampler(self._left.pop("Sampler", ""))
        schedule = self._left.pop("Schedule type", "") or schedule
        if sampler:
            self._image["sampler"] = find_name(sampler, self._known.samplers, SAMPLERS)
        if schedule and schedule != AUTOMATIC:
            self._image["scheduler"] = find_name(schedule, self._known.schedulers, SCHEDULERS)

    def _read_model(self) -> None:
        name, digest = self._left.pop("Model", ""), self._left.get("Model hash", "")
        found = find_file(name, self._known.models) if name else None
        found = found or next(
            (model for model, sha256 in self._known.hashes.items() if len(digest) >= 8 and sha256.startswith(digest)),
            None,
        )
        if found or name:
            self._image["model"] = found or name
            self._known = self._known.having(found or name)
        elif digest:
            self._notes.append(f"the model is only known by its hash, {digest}")
        if name and found is None and self._known.models:
            self._notes.append(f"no backend has a model called {name}")

    def _read_vae_and_encoders(self) -> None:
        vae = self._left.pop("VAE", "")
        if vae and vae != "None":
            self._image["vae"] = find_file(vae, self._known.vaes) or vae
        encoders: list[str] = []
        # Forge writes text encoders and VAE without saying which is which.
        for number in range(1, _MAX_MODULES + 1):
            name = self._left.pop(f"Module {number}", "")
            encoder, other = find_file(name, self._known.text_encoders), find_file(name, self._known.vaes)
            if name and encoder is None and (other or name == "ae" or "vae" in name.lower()):
                self._image.setdefault("vae", other or name)
            elif name:
                encoders.append(encoder or name)
        if encoders:
            self._image["text_encoders"] = tuple(encoders)

    def _read_second_pass(self) -> None:
        scale = self._hires_scale()
        if scale is None and any(name.startswith("Hires ") for name in self._left):
            return  # a second pass that cannot be asked for
        denoise = self._number("Denoising strength", lambda number: number if 0 <= number <= 1 else None)
        if scale is not None:
            self._image["hires"] = self._hires(scale, denoise)
        elif denoise is not None:
            self._image["denoise"] = denoise
            self._notes.append("it was made from another picture, which has to be given as init_image")

    def _hires(self, scale: float, denoise: float | None) -> HiresParameters:
        steps = self._number("Hires steps", lambda number: int(number) if 0 <= number <= _MAX_STEPS else None)
        upscaler = self._left.pop("Hires upscaler", LATENT)
        return HiresParameters(
            scale=scale,
            steps=int(steps) if steps else None,
            upscaler="" if upscaler == LATENT else upscaler,
            **({} if denoise is None else {"denoise": denoise}),
        )

    def _hires_scale(self) -> float | None:
        scale = self._number("Hires upscale", lambda number: number if 1 < number <= _MAX_HIRES else None)
        resized = _SIZE.fullmatch(self._left.get("Hires resize", ""))
        if scale is not None or resized is None or "width" not in self._image:
            return scale
        scale = float(int(resized[1]) / self._image["width"])
        if not 1 < scale <= _MAX_HIRES or scale != int(resized[2]) / self._image["height"]:
            return None
        del self._left["Hires resize"]
        return scale

    def _note_what_is_left(self) -> None:
        if self._text.rest:
            self._notes.append("what stands behind the settings is not carried")
        for name, value in self._left.items():
            if name not in _NOT_WORTH_A_NOTE:
                self._notes.append(f"{name}: {value[:100]} is not carried")


def _lora_of(tag: re.Match[str], known: Sequence[str]) -> Lora | None:
    """A LoRA of a prompt: <lora:name:weight>, <lora:name:text encoder's:weight>, or with te= and unet=."""
    given = [each for each in tag[2].split(":")[1:] if each]
    named = dict(each.split("=", 1) for each in given if "=" in each)
    plain = [each for each in given if "=" not in each]
    text_encoder = _read_number(named.pop("te", plain[0] if plain else "1"))
    weight = _read_number(named.pop("unet", plain[1] if len(plain) > 1 else str(text_encoder)))
    if text_encoder is None or weight is None or named or len(plain) > 2:
        return None
    return Lora(
        name=find_file(tag[1], known) or tag[1],
        weight=weight,
        text_encoder_weight=None if weight == text_encoder else text_encoder,
    )


def _scale(number: float) -> float | None:
    return number if 0 <= number <= _MAX_SCALE else None


def _read_number(text: str) -> float | None:
    """A number, whole ones exactly; None for what is none."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        return None
    if text.lstrip("-").isdigit():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
