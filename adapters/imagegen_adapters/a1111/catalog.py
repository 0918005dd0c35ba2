"""What an A1111 server has, and whether a request names only that.

The server replaces an unknown sampler, scheduler, model or VAE without a word and answers 200, so names are checked
here, and what is sent is always the spelling that the server itself uses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.a1111.protocol import decode_json
from imagegen_adapters.contract import Catalog, ImageParameters, NamedModel
from imagegen_adapters.errors import Unintelligible, Violation

MODEL_OPTION = "sd_model_checkpoint"
VAE_OPTION = "sd_vae"
FORGE_VAE_OPTION = "forge_additional_modules"
BUILT_IN_VAES = ("Automatic", "None")
"""Values of the VAE option that are no files: by the checkpoint's name, and the checkpoint's own."""
AUTOMATIC = "automatic"
MAX_NAMES_IN_MESSAGE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    name: str
    """`model_name`: unlike the title it stays when the server has computed the file's hash."""
    title: str = ""
    other_names: frozenset[str] = frozenset()
    """File name, file stem and hashes: what people also know it by."""

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
    samplers: tuple[Sampler, ...] = ()
    schedulers: tuple[Scheduler, ...] = ()
    """Empty before 1.9.1, where the schedule is part of the sampler's name."""
    upscalers: tuple[str, ...] = ()
    latent_upscalers: tuple[str, ...] = ()
    loras: tuple[NamedModel, ...] = ()
    embeddings: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()

    def as_contract(self) -> Catalog:
        return Catalog(
            checkpoints=_named((c.name, c.title if c.title != c.name else "") for c in self.checkpoints),
            vaes=_named((name, "") for name in self.vaes),
            loras=self.loras,
            embeddings=_named((name, "") for name in self.embeddings),
            upscalers=_named((name, "") for name in (*self.latent_upscalers, *self.upscalers)),
            samplers=_named((s.name, "") for s in self.samplers),
            schedulers=_named((s.name, s.label if s.label != s.name else "") for s in self.schedulers),
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


def resolve_names(request: ImageParameters, catalog: ServerCatalog) -> Names:
    """For a request without violations."""
    checkpoint = catalog.find_checkpoint(request.model) if request.model else None
    scheduler = catalog.find_scheduler(request.scheduler or AUTOMATIC)
    latent = catalog.latent_upscalers[0] if catalog.latent_upscalers else "Latent"
    return Names(
        checkpoint=checkpoint.name if checkpoint else "",
        vae=request.vae,
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
    return [violation for violation in checks if violation is not None]


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
    return Violation(path, f"no such {what} {name!r}; {_list_names(allowed)}")


def _check_sampler(name: str, catalog: ServerCatalog) -> Violation | None:
    violation = _check("image.sampler", "sampler", name, [sampler.name for sampler in catalog.samplers])
    for sampler in catalog.samplers:
        if violation is not None and name in sampler.aliases:
            return Violation(violation.field, f"{name!r} is an alias that the server ignores; say {sampler.name!r}")
    return violation


def _list_names(names: Sequence[str]) -> str:
    if not names:
        return "the server has none"
    shown = ", ".join(names[:MAX_NAMES_IN_MESSAGE])
    return f"allowed: {shown}" + (
        f" and {len(names) - MAX_NAMES_IN_MESSAGE} more" * (len(names) > MAX_NAMES_IN_MESSAGE)
    )


# --- decoding: each takes the body of one list ---------------------------------------------------------------------


def decode_checkpoints(body: bytes) -> tuple[Checkpoint, ...]:
    return tuple(_checkpoint(item) for item in _items(body) if _text(item, "model_name"))


def decode_names(body: bytes) -> tuple[str, ...]:
    """Upscalers, latent upscale modes, styles."""
    return _names(body, "name")


def decode_files(body: bytes) -> tuple[str, ...]:
    """VAEs, and Forge's modules."""
    return _names(body, "model_name")


def decode_samplers(body: bytes) -> tuple[Sampler, ...]:
    samplers = []
    for item in _items(body):
        aliases = item.get("aliases")
        names = tuple(str(alias) for alias in aliases) if isinstance(aliases, list) else ()
        samplers.append(Sampler(name=_text(item, "name"), aliases=names))
    return tuple(sampler for sampler in samplers if sampler.name)


def decode_schedulers(body: bytes) -> tuple[Scheduler, ...]:
    return tuple(
        Scheduler(name=_text(item, "name"), label=_text(item, "label")) for item in _items(body) if _text(item, "name")
    )


def decode_loras(body: bytes) -> tuple[NamedModel, ...]:
    return _named(
        (name, alias if (alias := _text(item, "alias")) != name else "")
        for item in _items(body)
        if (name := _text(item, "name"))
    )


def decode_embeddings(body: bytes) -> tuple[str, ...]:
    document = decode_json(body)
    loaded = document.get("loaded") if isinstance(document, dict) else None
    if not isinstance(loaded, dict):
        raise Unintelligible("the server answered a list of embeddings of another shape than this API has")
    return tuple(loaded)


def _names(body: bytes, key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for item in _items(body) if (name := _text(item, key)) and name != "None"))


def _checkpoint(item: Mapping[str, Any]) -> Checkpoint:
    filename = _text(item, "filename").replace("\\", "/").rpartition("/")[2]
    others = {filename, filename.rpartition(".")[0], _text(item, "hash"), _text(item, "sha256")} - {""}
    return Checkpoint(name=_text(item, "model_name"), title=_text(item, "title"), other_names=frozenset(others))


def _items(body: bytes) -> list[Mapping[str, Any]]:
    document = decode_json(body)
    if not isinstance(document, list):
        raise Unintelligible("the server answered something else where a list belongs")
    return [item for item in document if isinstance(item, dict)]


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _named(pairs: Iterable[tuple[str, str]]) -> tuple[NamedModel, ...]:
    """Without repeated names, of which the first stays."""
    found: dict[str, str] = {}
    for name, description in pairs:
        found.setdefault(name, description)
    return tuple(NamedModel(name=name, description=description) for name, description in found.items())
