"""What an A1111 server has, and whether a request names only that.

The server replaces an unknown sampler, scheduler, model or VAE without a word and answers 200, so names are checked
here, and what is sent is always the spelling that the server itself uses.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagegen_adapters.contract import Catalog, ImageParameters, NamedModel
from imagegen_adapters.errors import Violation
from imagegen_adapters.families import family_of
from imagegen_adapters.graphs.naming import unknown_name

MODEL_OPTION = "sd_model_checkpoint"
VAE_OPTION = "sd_vae"
FORGE_VAE_OPTION = "forge_additional_modules"
BUILT_IN_VAES = ("Automatic", "None")
"""Values of the VAE option that are no files: by the checkpoint's name, and the checkpoint's own."""
AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    name: str
    """`model_name`: unlike the title it stays when the server has computed the file's hash."""
    title: str = ""
    other_names: frozenset[str] = frozenset()
    """File name, file stem and hashes: what people also know it by."""
    sha256: str = ""
    """Empty until the server has computed it, which it does at the first load."""

    def is_called(self, name: str) -> bool:
        return name in (self.name, self.title) or name in self.other_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    name: str
    aliases: tuple[str, ...] = ()
    """Listed by the server, and yet replaced silently when a request uses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    name: str
    label: str = ""
    """The server takes either and answers with the label."""

    def is_called(self, name: str) -> bool:
        return name in (self.name, self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCatalog:
    """The server's lists, in its order."""

    checkpoints: tuple[Checkpoint, ...] = ()
    vaes: tuple[str, ...] = ()
    vae_option: str = VAE_OPTION
    text_encoders: tuple[str, ...] = ()
    """Forge's; others have none by themselves."""
    samplers: tuple[Sampler, ...] = ()
    schedulers: tuple[Scheduler, ...] = ()
    """Empty before 1.9.1, where the schedule is part of the sampler's name."""
    upscalers: tuple[str, ...] = ()
    latent_upscalers: tuple[str, ...] = ()
    loras: tuple[NamedModel, ...] = ()
    embeddings: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    controlnets: tuple[str, ...] = ()

    @property
    def is_forge(self) -> bool:
        return self.vae_option == FORGE_VAE_OPTION

    def as_contract(self) -> Catalog:
        return Catalog(
            checkpoints=tuple(_named_checkpoints(self.checkpoints)),
            vaes=named((name, "") for name in self.vaes),
            loras=self.loras,
            embeddings=named((name, "") for name in self.embeddings),
            upscalers=named((name, "") for name in (*self.latent_upscalers, *self.upscalers)),
            samplers=named((s.name, "") for s in self.samplers),
            schedulers=named((s.name, s.label if s.label != s.name else "") for s in self.schedulers),
            text_encoders=named((name, "") for name in self.text_encoders),
            controlnets=named((name, "") for name in self.controlnets),
        )

    def find_checkpoint(self, name: str) -> Checkpoint | None:
        """By model name first: another model's hash or title may look the same."""
        exact = next((c for c in self.checkpoints if c.name == name), None)
        return exact or next((c for c in self.checkpoints if c.is_called(name)), None)

    def find_scheduler(self, name: str) -> Scheduler | None:
        return next((s for s in self.schedulers if s.is_called(name)), None)

    @property
    def default_sampler(self) -> str:
        """ "Euler" is what the API itself takes where a request names none."""
        names = [sampler.name for sampler in self.samplers]
        return "Euler" if "Euler" in names or not names else names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of a request in the server's spelling; empty: leave it out of the request."""

    checkpoint: str
    vae: str
    sampler: str
    scheduler: str
    upscaler: str
    text_encoders: tuple[str, ...] = ()


def resolve_names(request: ImageParameters, catalog: ServerCatalog) -> Names:
    """For a request without violations."""
    checkpoint = catalog.find_checkpoint(request.model) if request.model else None
    family = family_of(request.model)
    wanted = (request.scheduler,) if request.scheduler else (family.scheduler, AUTOMATIC)
    scheduler = next(filter(None, map(catalog.find_scheduler, wanted)), None)
    vae = request.vae
    if request.text_encoders and family.parts is not None and not vae:
        vae = family.parts.vae.find(catalog.vaes)  # the two are one setting: naming one takes the other away
    latent = catalog.latent_upscalers[0] if catalog.latent_upscalers else "Latent"
    return Names(
        checkpoint=checkpoint.name if checkpoint else "",
        vae=vae,
        text_encoders=request.text_encoders,
        sampler=request.sampler or catalog.default_sampler,
        scheduler=scheduler.name if scheduler else "",
        upscaler=(request.hires.upscaler or latent) if request.hires else "",
    )


def find_violations(request: ImageParameters, catalog: ServerCatalog) -> list[Violation]:
    """Every name of the request that the server does not have."""
    checks = [
        _check("image.model", "model", request.model, [c.name for c in catalog.checkpoints], catalog.find_checkpoint),
        _check("image.vae", "VAE", request.vae, [*BUILT_IN_VAES, *catalog.vaes]),
        _check_sampler(request.sampler, catalog),
        _check(
            "image.scheduler", "scheduler", request.scheduler, [s.name for s in catalog.schedulers],
            catalog.find_scheduler,
        ),
    ]  # fmt: skip
    if request.hires is not None:
        allowed = [*catalog.latent_upscalers, *catalog.upscalers]
        checks.append(_check("image.hires.upscaler", "upscaler", request.hires.upscaler, allowed))
    loras = [lora.name for lora in catalog.loras]
    for index, lora in enumerate(request.loras):
        checks.append(_check(f"image.loras[{index}].name", "LoRA", lora.name, loras))
    checks += _forge_checks(request, catalog)
    return [violation for violation in checks if violation is not None]


def _forge_checks(request: ImageParameters, catalog: ServerCatalog) -> Iterator[Violation | None]:
    """What only Forge takes."""
    if not catalog.is_forge:
        if request.text_encoders:
            yield Violation("image.text_encoders", "the server has no text encoders apart from models; Forge has")
        if request.distilled_cfg_scale is not None:
            yield Violation("image.distilled_cfg_scale", "the server has no such setting; Forge has")
        return
    for index, name in enumerate(request.text_encoders):
        yield _check(f"image.text_encoders[{index}]", "text encoder", name, catalog.text_encoders)
    if request.distilled_cfg_scale is not None and family_of(request.model).distilled_cfg_scale is None:
        yield Violation("image.distilled_cfg_scale", "is for models that were distilled with guidance, as Flux dev")


def find_style_violations(styles: object, catalog: ServerCatalog) -> list[Violation]:
    """Styles come by `backend_options`; the server leaves out unknown ones silently."""
    path = "backend_options.a1111.styles"
    if not isinstance(styles, list):
        return [Violation(path, "must be a list of names")]
    checks = [_check(path, "style", str(style), catalog.styles) for style in styles]
    return [violation for violation in checks if violation is not None]


def _check(
    path: str, what: str, name: str, allowed: Sequence[str], find: Callable[[str], object | None] | None = None
) -> Violation | None:
    if not name or name in allowed or (find is not None and find(name) is not None):
        return None
    return Violation(path, unknown_name(what, name, allowed))


def _check_sampler(name: str, catalog: ServerCatalog) -> Violation | None:
    violation = _check("image.sampler", "sampler", name, [sampler.name for sampler in catalog.samplers])
    for sampler in catalog.samplers:
        if violation is not None and name in sampler.aliases:
            return Violation(violation.field, f"{name!r} is an alias that the server ignores; say {sampler.name!r}")
    return violation


def _named_checkpoints(checkpoints: Iterable[Checkpoint]) -> Iterator[NamedModel]:
    first = {checkpoint.name: checkpoint for checkpoint in reversed(tuple(checkpoints))}
    for checkpoint in reversed(first.values()):
        title = checkpoint.title if checkpoint.title != checkpoint.name else ""
        yield NamedModel(name=checkpoint.name, description=title, sha256=checkpoint.sha256)


def named(pairs: Iterable[tuple[str, str]]) -> tuple[NamedModel, ...]:
    """Models of these names and descriptions; of repeated names the first stays."""
    found: dict[str, str] = {}
    for name, description in pairs:
        found.setdefault(name, description)
    return tuple(NamedModel(name=name, description=description) for name, description in found.items())
