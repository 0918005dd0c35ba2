"""What samplers, schedules and checkpoints are called: by A1111's clients, and by backends of all kinds. Pure.

A client says "Euler a" where ComfyUI says "euler_ancestral". The lists show A1111's names for what is known by one, and
requests may say any of the names; which of them goes into a job depends on who has the model.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_gateway.dialects.a1111.vocabulary import (
    AUTOMATIC,
    SAMPLER_OF,
    SCHEDULER_OF,
    SamplerName,
    SchedulerName,
)

CHECKPOINT, DIFFUSION_MODEL, VAE, LORA, EMBEDDING, UPSCALER, SAMPLER, SCHEDULER = (
    model_pb2.MODEL_TYPE_CHECKPOINT,
    model_pb2.MODEL_TYPE_DIFFUSION_MODEL,
    model_pb2.MODEL_TYPE_VAE,
    model_pb2.MODEL_TYPE_LORA,
    model_pb2.MODEL_TYPE_EMBEDDING,
    model_pb2.MODEL_TYPE_UPSCALER,
    model_pb2.MODEL_TYPE_SAMPLER,
    model_pb2.MODEL_TYPE_SCHEDULER,
)
TITLE: Final = re.compile(r"\S[^\n]*\.(?:safetensors|ckpt|pt|gguf|sft)(?: \[([0-9a-f]{6,64})\])?")
"""How A1111 calls a checkpoint in full; backends of its kind give it as the description."""
OWN_VAE: Final = frozenset({"", "automatic", "none"})
"""Words for the VAE that the checkpoint has itself, in lower case."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What the backends have, all together."""

    models: Sequence[model_pb2.Model] = ()
    backends: Sequence[backend_pb2.Backend] = ()

    def of_type(self, kind: int) -> list[model_pb2.Model]:
        """The models of one type, in the server's order."""
        return [model for model in self.models if model.type == kind]

    @property
    def checkpoints(self) -> list[model_pb2.Model]:
        """What a client can choose as its checkpoint: diffusion models, too."""
        return self.of_type(CHECKPOINT) + self.of_type(DIFFUSION_MODEL)

    def holders(self, kind: int, name: str) -> frozenset[str]:
        """The backends that have a model; of a checkpoint also as a diffusion model."""
        models = self.checkpoints if kind == CHECKPOINT else self.of_type(kind)
        found = next((model for model in models if model.name == name), None)
        return frozenset(found.backends) if found is not None else frozenset()

    def healthy(self, kind: str) -> list[backend_pb2.Backend]:
        """The backends of a kind that take jobs now, the least busy first."""
        able = [
            backend
            for backend in self.backends
            if backend.kind == kind and backend.health == backend_pb2.BACKEND_HEALTH_HEALTHY and not backend.drained
        ]
        return sorted(able, key=lambda backend: max(backend.queue_depth, len(backend.running_job_ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample, in both languages."""

    sampler: str
    """For the job; empty: the backend's default."""
    scheduler: str
    """For the job; empty: the backend's default."""
    sampler_label: str
    """As the client knows it."""
    scheduler_label: str
    """As the client knows it."""


# --- checkpoints ---


def title_of(model: model_pb2.Model) -> str:
    """The name that people choose by."""
    return model.description if TITLE.fullmatch(model.description) else model.name


def hash_of(model: model_pb2.Model) -> str | None:
    """The short hash of a checkpoint, where its backend tells it."""
    found = TITLE.fullmatch(model.description)
    return (found[1] if found else None) or model.sha256[:10] or None


def find_model(stock: Stock, wanted: str) -> model_pb2.Model | None:
    """A checkpoint by its name, title, file name without its ending, or hash."""
    return _find(stock.checkpoints, wanted)


def find_lora(stock: Stock, wanted: str) -> model_pb2.Model | None:
    """A LoRA by its name, alias, or file name without its ending."""
    return _find(stock.of_type(LORA), wanted)


def near_lora(stock: Stock, wanted: str) -> str:
    """What a LoRA is called in prompts that may be meant by a name that there is not; empty: none is like it."""
    names = {name for model in stock.of_type(LORA) for name in (_exact_names(model) | _loose_names(model))}
    return next(iter(get_close_matches(wanted[:100], sorted(names), n=1)), "")


def _find(models: Sequence[model_pb2.Model], wanted: str) -> model_pb2.Model | None:
    for names in (_exact_names, _loose_names):
        for model in models:
            if wanted in names(model):
                return model
    return None


def _exact_names(model: model_pb2.Model) -> set[str]:
    return {model.name, model.description, title_of(model)} - {""}


def _loose_names(model: model_pb2.Model) -> set[str]:
    file = model.name.replace("\\", "/").rpartition("/")[2]
    title = title_of(model).partition(" [")[0]
    return {file, file.rpartition(".")[0], title, title.rpartition(".")[0], hash_of(model) or ""} - {""}


# --- samplers and schedules ---


def sampling(stock: Stock, *, model: str, sampler: str, scheduler: str) -> Sampling:
    """What a client's names mean for a job with this model (empty: any).

    Names that nobody has stay as they are, for the server to refuse.
    """
    sampler, scheduler = _split(sampler, scheduler)
    where = stock.holders(CHECKPOINT, model) if model else None
    samplers, schedulers = _known(sampler, SAMPLER_OF), _known_schedulers(scheduler)
    chosen = next(
        (
            pair
            for pair in ((one, other) for one in samplers for other in schedulers)
            if _somebody_has(stock, where, *pair)
        ),
        # Each by itself, so that no more is refused than what is at fault.
        (
            next((one for one in samplers if _somebody_has(stock, where, one, "")), samplers[0]),
            next((other for other in schedulers if _somebody_has(stock, where, "", other)), schedulers[0]),
        ),
    )
    return Sampling(
        sampler=chosen[0],
        scheduler=chosen[1],
        sampler_label=sampler_label(sampler),
        scheduler_label=scheduler_label(scheduler),
    )


def has_sampler(stock: Stock, name: str) -> bool:
    """Whether any backend has it, under whatever name."""
    return any(stock.holders(SAMPLER, other) for other in _known(name, SAMPLER_OF))


def sampler_label(name: str) -> str:
    """A1111's name, if it has one."""
    return SAMPLER_OF[name.lower()].name if name.lower() in SAMPLER_OF else name


def scheduler_label(name: str) -> str:
    """A1111's label, if it has one."""
    return SCHEDULER_OF[name.lower()].label if name.lower() in SCHEDULER_OF else name or AUTOMATIC


def _split(sampler: str, scheduler: str) -> tuple[str, str]:
    """ "DPM++ 2M Karras", as it was called before there was a field for schedules, is a sampler and a schedule."""
    first, _, last = sampler.rpartition(" ")
    if sampler.lower() in SAMPLER_OF or first.lower() not in SAMPLER_OF or last.lower() not in SCHEDULER_OF:
        return sampler, scheduler
    return first, scheduler if scheduler and scheduler_label(scheduler) != AUTOMATIC else last


def _known(name: str, table: dict[str, SamplerName]) -> list[str]:
    row = table.get(name.lower())
    return list(dict.fromkeys([name, row.name, *row.elsewhere])) if row is not None else [name]


def _known_schedulers(name: str) -> list[str]:
    row = SCHEDULER_OF.get(name.lower())
    if not name or (row is not None and row.label == AUTOMATIC):
        return [""]
    return list(dict.fromkeys([name, row.name, *row.elsewhere])) if row is not None else [name]


def _somebody_has(stock: Stock, where: frozenset[str] | None, sampler: str, scheduler: str) -> bool:
    holders = [
        *([where] if where is not None else []),
        *([stock.holders(SAMPLER, sampler)] if sampler else []),
        *([stock.holders(SCHEDULER, scheduler)] if scheduler else []),
    ]
    return not holders or bool(frozenset.intersection(*holders))


def listed_samplers(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The list of samplers: each once, under A1111's name if it has one, and with the others as aliases."""
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        known = SAMPLER_OF.get(name.lower())
        if known is None:
            rows.setdefault(name, {"name": name, "aliases": [], "options": {}})
            continue
        row = rows.setdefault(
            known.name, {"name": known.name, "aliases": list(known.aliases), "options": dict(known.options)}
        )
        if name != known.name and name not in row["aliases"]:
            row["aliases"].append(name)
    return iter(rows.values())


def listed_schedulers(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The list of schedules: the automatic one first."""
    rows: dict[str, dict[str, Any]] = {}
    for name in ("automatic", *names):
        known = SCHEDULER_OF.get(name.lower()) or SchedulerName(name, name)
        rows.setdefault(
            known.name,
            {
                "name": known.name,
                "label": known.label,
                "aliases": list(known.aliases) if known.aliases else None,
                "default_rho": known.default_rho,
                "need_inner_model": known.need_inner_model,
            },
        )
    return iter(rows.values())
