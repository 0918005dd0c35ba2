"""The lists of an A1111 server, out of its answers: each function takes the body of one. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from imagegen_adapters.a1111.catalog import Checkpoint, Sampler, Scheduler, named
from imagegen_adapters.a1111.protocol import decode_json
from imagegen_adapters.contract import NamedModel
from imagegen_adapters.errors import Unintelligible

_SHA256_LENGTH = 64


def decode_checkpoints(body: bytes) -> tuple[Checkpoint, ...]:
    return tuple(_checkpoint(item) for item in _items(body) if _text(item, "model_name"))


def decode_names(body: bytes) -> tuple[str, ...]:
    """Upscalers, latent upscale modes, styles."""
    return _names(body, "name")


def decode_files(body: bytes) -> tuple[str, ...]:
    """VAEs, and Forge's modules."""
    return _names(body, "model_name")


def decode_modules(body: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Forge's VAEs and text encoders, which it has in one list."""
    files = {name: _text(item, "filename") for item in _items(body) if (name := _text(item, "model_name"))}
    encoders = tuple(name for name, path in files.items() if "/text_encoder" in path.replace("\\", "/").lower())
    return tuple(name for name in files if name not in encoders), encoders


def decode_controlnets(body: bytes) -> tuple[str, ...]:
    """As the extension lists them; nothing for what is another extension's."""
    document = decode_json(body)
    names = document.get("model_list") if isinstance(document, dict) else None
    return tuple(dict.fromkeys(str(name) for name in names if name != "None")) if isinstance(names, list) else ()


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
    return named(
        (name, alias if (alias := _text(item, "alias")) != name else "")
        for item in _items(body)
        if (name := _text(item, "name"))
    )


def decode_lora_metadata(body: bytes, name: str) -> dict[str, str]:
    """What a LoRA's file says about itself; the list has this of every one."""
    item = next((item for item in _items(body) if _text(item, "name") == name), {})
    metadata = item.get("metadata")
    if not isinstance(metadata, dict):
        return {}
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}


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
    return Checkpoint(
        name=_text(item, "model_name"),
        title=_text(item, "title"),
        other_names=frozenset(others),
        sha256=_text(item, "sha256").lower() if len(_text(item, "sha256")) == _SHA256_LENGTH else "",
    )


def _items(body: bytes) -> list[Mapping[str, Any]]:
    document = decode_json(body)
    if not isinstance(document, list):
        raise Unintelligible("the server answered something else where a list belongs")
    return [item for item in document if isinstance(item, dict)]


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""
