"""Changes, settings and what is left to do, in words for a person; keys are never among them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from imagegen_client.openwebui.choices import FILTER_ID, Choices, Engine
from imagegen_client.openwebui.items import CHAT, CHAT_ENABLED, FILTER, IMAGES, TOOLS, Change, Value
from imagegen_client.openwebui.record import Record

NAMES: Final = {
    "ENABLE_IMAGE_GENERATION": "image generation",
    "IMAGE_GENERATION_ENGINE": "image engine",
    "IMAGE_GENERATION_MODEL": "image model",
    "IMAGE_SIZE": "image size",
    "IMAGES_OPENAI_API_BASE_URL": "address of the image engine openai",
    "IMAGES_OPENAI_API_KEY": "key of the image engine openai",
    "IMAGES_OPENAI_API_VERSION": "API version of the image engine openai",
    "IMAGES_OPENAI_API_PARAMS": "parameters of the image engine openai",
    "AUTOMATIC1111_BASE_URL": "address of the image engine automatic1111",
    "AUTOMATIC1111_API_AUTH": "key of the image engine automatic1111",
    "COMFYUI_BASE_URL": "address of the image engine comfyui",
    "COMFYUI_API_KEY": "key of the image engine comfyui",
    "COMFYUI_WORKFLOW_NODES": "inputs of the workflow of the image engine comfyui",
    "ENABLE_IMAGE_EDIT": "image editing",
    "IMAGE_EDIT_ENGINE": "edit engine",
    "IMAGE_EDIT_MODEL": "edit model",
    "IMAGES_EDIT_OPENAI_API_BASE_URL": "address of the edit engine openai",
    "IMAGES_EDIT_OPENAI_API_KEY": "key of the edit engine openai",
    "IMAGES_EDIT_OPENAI_API_VERSION": "API version of the edit engine openai",
}
"""The fields of the image settings that are ever changed."""

WITHOUT_USERS: Final = (
    "Open WebUI does not tell its image engine who asks: all its pictures count as made for the key, and live "
    "previews are found by their prompt alone; to change that, start Open WebUI with "
    "ENABLE_FORWARD_USER_INFO_HEADERS=true"
)
NEVER_USERS: Final = (
    "Open WebUI tells only the image engine openai who asks: all pictures of this one count as made for the key, and "
    "live previews are found by their prompt alone"
)
ACTS_FOR_USERS: Final = (
    "if not done yet, give the gateway's key acts_for_users = true, so that pictures belong to who asked"
)
SIGNED: Final = (
    "if not done yet, give the gateway Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET as its openwebui_jwt_secret"
)
SHARE_MODELS: Final = (
    "only administrators see the models until they are shared, one by one under Admin Settings > Models, or all "
    "by starting Open WebUI with BYPASS_MODEL_ACCESS_CONTROL=true"
)
CHOOSE_WORKFLOW: Final = "Admin Settings > Images has the workflow and the model that the image engine is given"


def described(change: Change, *, is_done: bool) -> str:
    """One line: what is changed from what to what."""
    line = f"{_verb(change)} {name_of(change.item)}"
    if change.item.startswith((CHAT, TOOLS, FILTER)):
        return line if is_done else f"would {line}"
    was, becomes = _values(change)
    return f"{line}: was {was}, is {becomes}" if is_done else f"would {line}: is {was}, would be {becomes}"


def name_of(item: str) -> str:
    """What an item is called."""
    if item == CHAT_ENABLED:
        return "chat connections"
    for prefix, name in ((CHAT, "chat connection"), (TOOLS, "tool server"), (FILTER, "filter")):
        if item.startswith(prefix):
            return f"{name} {item.removeprefix(prefix)}"
    field = item.removeprefix(IMAGES)
    return NAMES.get(field, field)


def is_secret(item: str) -> bool:
    """Whether a value of the image settings is a key."""
    return item.endswith(("_KEY", "_AUTH"))


def holds_secret(item: str, value: Value) -> bool:
    """Whether a value, kept for undoing, has a key in it."""
    if not isinstance(value, Mapping):
        return is_secret(item) and bool(value)
    headers = {name.lower() for name in value.get("headers") or {}}
    return bool(value.get("key") or (value.get("valves") or {}).get("key") or headers & {"authorization", "x-api-key"})


def by_hand(choices: Choices, *, users_told: str, url: str) -> list[str]:
    """What the person has to see to, because it cannot be set from outside."""
    notes = []
    if choices.images in {Engine.AUTOMATIC1111, Engine.COMFYUI}:
        notes.append(NEVER_USERS)
    elif (choices.filter or choices.images is Engine.OPENAI or choices.edits) and users_told == "no":
        notes.append(WITHOUT_USERS)
    if users_told == "signed":
        notes.append(SIGNED)
    if choices.key:
        notes.append(ACTS_FOR_USERS)
    if choices.chat:
        notes.append(SHARE_MODELS)
    if choices.images is Engine.COMFYUI:
        notes.append(CHOOSE_WORKFLOW)
    if choices.tools:
        notes.append(f'if not done yet, start the gateway with openwebui_url = "{url}" (as it reaches Open WebUI)')
    return notes


def kept_secrets(record: Record) -> list[str]:
    """The items of which a key that somebody else had set is kept."""
    return [name_of(item) for item, kept in record.items.items() if holds_secret(item, kept.was)]


def summary(gateway: str, current: Mapping[str, Value]) -> list[str]:
    """What is set up for a gateway, a line for each part."""
    engines = {
        Engine.OPENAI.value: ("IMAGES_OPENAI_API_BASE_URL", "openai/v1"),
        Engine.AUTOMATIC1111.value: ("AUTOMATIC1111_BASE_URL", "a1111"),
        Engine.COMFYUI.value: ("COMFYUI_BASE_URL", "comfyui"),
    }
    chat = current.get(f"{CHAT}{gateway}/openai/v1")
    has_chat = chat is not None and current.get(CHAT_ENABLED) and chat.get("config", {}).get("enable", True)
    engine = current.get(f"{IMAGES}IMAGE_GENERATION_ENGINE")
    address, path = engines.get(str(engine), ("", ""))
    has_images = bool(
        address
        and current.get(f"{IMAGES}ENABLE_IMAGE_GENERATION")
        and current.get(IMAGES + address) == f"{gateway}/{path}"
    )
    has_edits = (
        current.get(f"{IMAGES}ENABLE_IMAGE_EDIT")
        and current.get(f"{IMAGES}IMAGE_EDIT_ENGINE") == Engine.OPENAI
        and current.get(f"{IMAGES}IMAGES_EDIT_OPENAI_API_BASE_URL") == f"{gateway}/openai/v1"
    )
    tools = current.get(f"{TOOLS}{gateway}/tools")
    has_tools = tools is not None and (tools.get("config") or {}).get("enable", True)
    function = current.get(FILTER + FILTER_ID)
    has_filter = (
        function is not None
        and function["active"]
        and function["global"]
        and (function["valves"] or {}).get("gateway") == gateway
    )
    return [
        f"chat models: {_yes(has_chat)}",
        f"image engine: {f'yes, as {engine}' if has_images else f'no, it is {engine or Engine.AUTOMATIC1111}'}",
        f"image editing: {_yes(has_edits)}",
        f"live previews: {_yes(has_filter)}",
        f"tool server: {_yes(has_tools)}",
    ]


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _yes(is_so: Value) -> str:
    return "yes" if is_so else "no"


def _verb(change: Change) -> str:
    if change.was is None and isinstance(change.becomes, Mapping):
        return "add"
    if change.becomes is None:
        return "remove"
    return "change" if isinstance(change.becomes, Mapping) and not change.item.startswith(IMAGES) else "set"


def _values(change: Change) -> tuple[str, str]:
    if is_secret(change.item):
        return "set" if change.was else "empty", "empty" if not change.becomes else "another" if change.was else "set"
    return _shown(change.was), _shown(change.becomes)


def _shown(value: Value) -> str:
    match value:
        case True:
            return "on"
        case False:
            return "off"
        case None | "":
            return "empty"
        case list():
            return f"{len(value)} of them" if value else "empty"
        case _:
            return str(value)
