"""What an admin can choose to have set up, and what Open WebUI's settings are to be then. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imagegen_client.openwebui.items import CHAT, CHAT_ENABLED, FILTER, IMAGES, TOOLS, Value

FILTER_ID: Final = "imagegen_live_previews"
FILTER_NAME: Final = "imagegen: live previews"
FILTER_DESCRIPTION: Final = "Shows how far the picture is, and how it looks so far, while Open WebUI waits for it."
SERVER_CHOOSES: Final = "imagegen"
"""The model with which the gateway's server chooses one."""
NO_KEY: Final = "none"
"""Stands for a key where Open WebUI's page refuses an empty one."""
MESSAGE_HEADERS: Final = {
    "X-Chat-Id": "{{CHAT_ID}}",
    "X-Message-Id": "{{MESSAGE_ID}}",
    "X-User-Id": "{{USER_ID}}",
    "X-Task": "{{TASK}}",
    "X-OpenWebUI-User-Email": "{{USER_EMAIL}}",
    "X-OpenWebUI-User-Id": "{{USER_ID}}",
}
"""Open WebUI fills these in with every request."""
EVERYBODY: Final = {"principal_type": "user", "principal_id": "*", "permission": "read"}


DEFAULT_NODES: Final = {
    "prompt": ("6", "CLIPTextEncode", "text"),
    "model": ("4", "CheckpointLoaderSimple", "ckpt_name"),
    "width": ("5", "EmptyLatentImage", "width"),
    "height": ("5", "EmptyLatentImage", "height"),
    "n": ("5", "EmptyLatentImage", "batch_size"),
    "steps": ("3", "KSampler", "steps"),
    "seed": ("3", "KSampler", "seed"),
}
"""Where the workflow that Open WebUI brings along takes what: node, its class, input. It does not say so itself."""


class Engine(StrEnum):
    """The API that Open WebUI's own image generation speaks to the gateway."""

    OPENAI = "openai"
    AUTOMATIC1111 = "automatic1111"
    COMFYUI = "comfyui"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is to be set up."""

    gateway: str
    """The gateway as Open WebUI reaches it, without a slash at the end."""
    key: str = ""
    """Key for the gateway; empty: it has none."""
    chat: bool = False
    """The models, to chat with."""
    images: Engine | None = None
    """The engine of the image button; None: as it is."""
    edits: bool = False
    """The editing of pictures, over the OpenAI API."""
    filter: str = ""
    """Source of the function that shows the progress of the image button; empty: not wanted."""
    tools: bool = False
    """The tool server."""

    @property
    def openai_url(self) -> str:
        return f"{self.gateway}/openai/v1"

    @property
    def tools_url(self) -> str:
        return f"{self.gateway}/tools"


def desired(choices: Choices, current: Mapping[str, Value]) -> dict[str, Value]:
    """The items that are to be so. What an admin can set beside them, and has set, is kept."""
    items: dict[str, Value] = {}
    if choices.chat:
        items |= _chat(choices, current)
    if choices.images is not None:
        items |= _images(choices, choices.images, current)
    if choices.edits:
        items |= _edits(choices, current)
    if choices.tools:
        items |= _tools(choices, current)
    if choices.filter:
        items |= _filter(choices, current)
    return items


def _chat(choices: Choices, current: Mapping[str, Value]) -> dict[str, Value]:
    item = CHAT + choices.openai_url
    config = (current.get(item) or {}).get("config", {})
    ours = {"enable": True, "connection_type": "local", "auth_type": "bearer"}
    headers = {**(config.get("headers") or {}), **MESSAGE_HEADERS}
    return {CHAT_ENABLED: True, item: {"key": choices.key, "config": {**config, **ours, "headers": headers}}}


def _images(choices: Choices, engine: Engine, current: Mapping[str, Value]) -> dict[str, Value]:
    fields: dict[str, Value] = {"ENABLE_IMAGE_GENERATION": True, "IMAGE_GENERATION_ENGINE": engine.value}
    match engine:
        case Engine.OPENAI:
            address, url = "IMAGES_OPENAI_API_BASE_URL", choices.openai_url
            fields["IMAGES_OPENAI_API_KEY"] = choices.key or NO_KEY
            # Left over from another service they would be sent to the gateway, which refuses what it does not know.
            first = {
                "IMAGE_GENERATION_MODEL": SERVER_CHOOSES,
                "IMAGES_OPENAI_API_VERSION": "",
                "IMAGES_OPENAI_API_PARAMS": {},
            }
        case Engine.AUTOMATIC1111:
            address, url = "AUTOMATIC1111_BASE_URL", f"{choices.gateway}/a1111"
            fields["AUTOMATIC1111_API_AUTH"] = f"imagegen:{choices.key}" if choices.key else ""
            first = {"IMAGE_GENERATION_MODEL": ""}
        case Engine.COMFYUI:
            address, url = "COMFYUI_BASE_URL", f"{choices.gateway}/comfyui"
            fields["COMFYUI_API_KEY"] = choices.key
            if not current.get(f"{IMAGES}COMFYUI_WORKFLOW_NODES") and (nodes := _default_nodes(current)):
                fields["COMFYUI_WORKFLOW_NODES"] = nodes
            first = {"IMAGE_GENERATION_MODEL": ""}
    is_ours = current.get(IMAGES + address) == url and current.get(f"{IMAGES}IMAGE_GENERATION_ENGINE") == engine
    if not is_ours:
        fields |= first
    if current.get(f"{IMAGES}IMAGE_SIZE") == "auto":  # can only be saved with a model of OpenAI
        fields["IMAGE_SIZE"] = ""
    return {IMAGES + name: value for name, value in {**fields, address: url}.items()}


def _default_nodes(current: Mapping[str, Value]) -> list[Value]:
    """Where Open WebUI's own workflow takes what; empty: it is another one."""
    try:
        workflow = json.loads(current.get(f"{IMAGES}COMFYUI_WORKFLOW") or "{}")
        is_own = all(workflow[node]["class_type"] == kind for node, kind, _ in DEFAULT_NODES.values())
    except (ValueError, KeyError, TypeError):
        return []
    nodes = [{"type": name, "key": key, "node_ids": [node]} for name, (node, _, key) in DEFAULT_NODES.items()]
    return nodes if is_own else []


def _edits(choices: Choices, current: Mapping[str, Value]) -> dict[str, Value]:
    address, engine = "IMAGES_EDIT_OPENAI_API_BASE_URL", "IMAGE_EDIT_ENGINE"
    fields: dict[str, Value] = {
        "ENABLE_IMAGE_EDIT": True,
        engine: Engine.OPENAI.value,
        address: choices.openai_url,
        "IMAGES_EDIT_OPENAI_API_KEY": choices.key or NO_KEY,
    }
    if current.get(IMAGES + address) != choices.openai_url or current.get(IMAGES + engine) != Engine.OPENAI:
        fields |= {"IMAGE_EDIT_MODEL": SERVER_CHOOSES, "IMAGES_EDIT_OPENAI_API_VERSION": ""}
    return {IMAGES + name: value for name, value in fields.items()}


def _tools(choices: Choices, current: Mapping[str, Value]) -> dict[str, Value]:
    item = TOOLS + choices.tools_url
    now = current.get(item) or {}
    # "session" sends the user's own token, with which the gateway may write to the user's chat; so its own key
    # has to come another way.
    headers = {**(now.get("headers") or {}), **MESSAGE_HEADERS}
    headers.pop("X-Api-Key", None)
    if choices.key:
        headers["X-Api-Key"] = choices.key
    return {
        item: {
            "path": "openapi.json",
            "key": "",
            "config": {"enable": True, "access_grants": [EVERYBODY]},
            "info": {"id": "imagegen", "name": "imagegen", "description": "Makes and changes pictures."},
            "forward_cookies": False,
            **now,
            "url": choices.tools_url,
            "type": "openapi",
            "auth_type": "session",
            "headers": headers,
        }
    }


def _filter(choices: Choices, current: Mapping[str, Value]) -> dict[str, Value]:
    now = current.get(FILTER + FILTER_ID) or {}
    engine = choices.images or current.get(f"{IMAGES}IMAGE_GENERATION_ENGINE")
    ours = {"gateway": choices.gateway, "key": choices.key, "by_owner": engine == Engine.OPENAI}
    return {
        FILTER + FILTER_ID: {
            "content": choices.filter,
            "active": True,
            "global": True,
            "valves": {**(now.get("valves") or {}), **ours},
        }
    }
