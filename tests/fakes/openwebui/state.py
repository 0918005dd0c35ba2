"""What the fake knows. It can be looked at and changed at any time."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

ADMIN_TOKEN = "sk-admin"
USER_TOKEN = "sk-user"
USER_OF_TOKEN = {ADMIN_TOKEN: "admin", USER_TOKEN: "user"}

WORKFLOW = (
    '{"3": {"class_type": "KSampler", "inputs": {"seed": 0, "steps": 20}}, '
    '"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "model.safetensors"}}, '
    '"5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}}, '
    '"6": {"class_type": "CLIPTextEncode", "inputs": {"text": "Prompt"}}}'
)

IMAGES: dict[str, Any] = {
    "ENABLE_IMAGE_GENERATION": False,
    "ENABLE_IMAGE_PROMPT_GENERATION": True,
    "IMAGE_GENERATION_ENGINE": "openai",
    "IMAGE_GENERATION_MODEL": "",
    "IMAGE_SIZE": "512x512",
    "IMAGE_STEPS": 50,
    "IMAGES_OPENAI_API_BASE_URL": "https://api.openai.com/v1",
    "IMAGES_OPENAI_API_KEY": "",
    "IMAGES_OPENAI_API_VERSION": "",
    "IMAGES_OPENAI_API_PARAMS": {},
    "AUTOMATIC1111_BASE_URL": "",
    "AUTOMATIC1111_API_AUTH": "",
    "AUTOMATIC1111_PARAMS": {},
    "COMFYUI_BASE_URL": "",
    "COMFYUI_API_KEY": "",
    "COMFYUI_WORKFLOW": WORKFLOW,
    "COMFYUI_WORKFLOW_NODES": [],
    "IMAGES_GEMINI_API_BASE_URL": "",
    "IMAGES_GEMINI_API_KEY": "",
    "IMAGES_GEMINI_ENDPOINT_METHOD": "",
    "ENABLE_IMAGE_EDIT": False,
    "IMAGE_EDIT_ENGINE": "openai",
    "IMAGE_EDIT_MODEL": "",
    "IMAGE_EDIT_SIZE": "",
    "IMAGES_EDIT_OPENAI_API_BASE_URL": "https://api.openai.com/v1",
    "IMAGES_EDIT_OPENAI_API_KEY": "",
    "IMAGES_EDIT_OPENAI_API_VERSION": "",
    "IMAGES_EDIT_GEMINI_API_BASE_URL": "",
    "IMAGES_EDIT_GEMINI_API_KEY": "",
    "IMAGES_EDIT_COMFYUI_BASE_URL": "",
    "IMAGES_EDIT_COMFYUI_API_KEY": "",
    "IMAGES_EDIT_COMFYUI_WORKFLOW": "",
    "IMAGES_EDIT_COMFYUI_WORKFLOW_NODES": [],
}
"""The image settings of a fresh installation."""

OPENAI: dict[str, Any] = {
    "ENABLE_OPENAI_API": True,
    "OPENAI_API_BASE_URLS": ["https://api.openai.com/v1"],
    "OPENAI_API_KEYS": ["sk-openai"],
    # Old installations have the settings of a connection under its address.
    "OPENAI_API_CONFIGS": {"https://api.openai.com/v1": {"enable": True, "prefix_id": "oai"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEvent:
    """What somebody sent into a message of a chat."""

    user: str
    """Whose token it was: "admin" or "user"."""
    chat: str
    message: str
    type: str
    """As "status"."""
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that somebody uploaded."""

    id: str
    user: str
    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class State:
    """The whole of it."""

    version: str = "0.12.4"
    users_told: str = "plain"
    """What our filter says there about ENABLE_FORWARD_USER_INFO_HEADERS."""
    images: dict[str, Any] = field(default_factory=lambda: deepcopy(IMAGES))
    openai: dict[str, Any] = field(default_factory=lambda: deepcopy(OPENAI))
    tools: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: list[str] = field(default_factory=lambda: ["sd15.safetensors", "sdxl.safetensors"])
    """What its image engine tells that it has."""
    reachable: set[str] = field(default_factory=set)
    """Addresses of other servers from which it gets an answer."""
    wanted_key: str = ""
    """The only key that these take; empty: any."""
    failing: set[str] = field(default_factory=set)
    """Paths that are answered with 500."""
    events: list[ChatEvent] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    chats: dict[str, str] = field(default_factory=dict)
    """Owner of a chat by its id; a chat that is not here belongs to whoever writes to it."""
    histories: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The messages of a chat by its id: each with `parentId` and `files`, by its own id."""

    @property
    def settings(self) -> dict[str, Any]:
        """A copy of all that an admin can set, to be compared with a later one."""
        return deepcopy(
            {"images": self.images, "openai": self.openai, "tools": self.tools, "functions": self.functions}
        )
