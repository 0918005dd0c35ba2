"""What a request for a chat completion holds, as far as a picture can come of it. Pure.

Only the last message of the user counts: its text is the order, its pictures are what to start from. What came before
is looked at for the newest picture, when the order is to edit it. System prompts, tools and the settings of language
models say nothing about pictures and are left aside.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen_gateway.decoding import bad_field
from imagegen_gateway.dialects.openai.syntax import FLAGS
from imagegen_gateway.errors import Problem

MAX_TEXT: Final = 64_000
MAX_PICTURES: Final = 16
EMBEDDED: Final = re.compile(r"!\[[^\]]{0,200}\]\((data:image/[^()\s]+)\)")
"""A picture inside a text. No address reaches over the beginning of another: a long text would be read for each."""
OURS: Final = re.compile(r"/api/v1/assets/([0-9a-f]{64})")
"""The address of an asset, as answers to other programs give it."""
DOCUMENTS: Final = "### Task:\nRespond to the user query using the provided context"
"""What Open WebUI puts before a message that has documents attached, up to the end of their text."""
DOCUMENTS_END: Final = "</context>"
ATTACHED: Final = re.compile(r"\s*<attached_files>.*?</attached_files>\s*", re.DOTALL)
"""What it puts before a message that has files, for models that call tools."""
THREAD: Final = ("You are ", ", participating in a threaded conversation.")
"""Between them the model's name, in the system message for one that was mentioned in a channel."""
HISTORY: Final = ("thread history:\n\n\n", "\n\n\nContinue the conversation ")
"""Between them what was said in the thread, up to the message to be answered."""
PARAMETERS: Final = {flag.field: flag for flag in FLAGS if flag.shape}
"""What may stand in the body beside what OpenAI knows: flags by their long names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request."""

    model: str
    is_streamed: bool
    text: str
    """What the user wrote last."""
    pictures: tuple[str, ...]
    """Addresses of the pictures in that message: data: or http."""
    earlier: tuple[str, ...]
    """Addresses of the pictures before it, the newest first; a digest for what was made here."""
    is_in_thread: bool
    """Whether it comes from a channel, where `earlier` holds the pictures of its thread."""
    defaults: Mapping[str, Any]
    """Values of an Order for what the text does not say."""


def read_question(body: Mapping[str, Any]) -> Question:
    """The question in a body. Raises Problem 400."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise bad_field("messages", "must be a list of messages")
    last = next((n for n in reversed(range(len(messages))) if messages[n].get("role") == "user"), None)
    if last is None:
        raise bad_field("messages", "must hold a message of the user")
    if body.get("n") not in (None, 1):
        raise bad_field("n", "there is one answer; several pictures are ordered in the message: --n 4")
    text, pictures = own_words(text_of(messages[last])), tuple(_pictures(messages[last]))
    earlier = [picture for message in reversed(messages[:last]) for picture in reversed([*_pictures(message)])]
    is_in_thread = THREAD[1] in text_of(messages[0])
    if is_in_thread:
        model, history = thread_of(text_of(messages[0]))
        if history.strip() != text:  # the pictures are those of all its messages
            pictures, earlier = (), [*reversed(pictures)]
        text = said_to(model, text)
    if len(text) > MAX_TEXT:
        raise bad_field("messages", f"the last message is longer than {MAX_TEXT} characters")
    if len(pictures) > MAX_PICTURES:
        raise bad_field("messages", f"the last message has more than {MAX_PICTURES} pictures")
    return Question(
        model=_string(body, "model"),
        is_streamed=body.get("stream") is True,
        text=text,
        pictures=pictures,
        earlier=tuple(earlier),
        is_in_thread=is_in_thread,
        defaults=_defaults(body),
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, of all its parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))


def own_words(text: str) -> str:
    """What the user wrote, without what Open WebUI has put before it."""
    if text.startswith(DOCUMENTS):
        text = text.rpartition(DOCUMENTS_END)[2]
    if (attached := ATTACHED.match(text)) is not None:
        text = text[attached.end() :]
    return text.strip()


def thread_of(system: str) -> tuple[str, str]:
    """The model's name and what was said, of the system message for a thread."""
    head, _, rest = system.partition(THREAD[1])
    return head.rpartition(THREAD[0])[2], rest.partition(HISTORY[0])[2].rpartition(HISTORY[1])[0]


def said_to(model: str, text: str) -> str:
    """What somebody said to a model in a channel: "NAME: MODEL what was said", where a mention is the model's name."""
    return (text.partition(": ")[2] or text).strip().removeprefix(model).strip()


def _pictures(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    for part in [*_list(content), *_list(message.get("images"))]:
        if isinstance(part, dict) and part.get("type") == "image_url":
            yield _address(part.get("image_url"))
    if message.get("role") == "assistant":
        text = text_of(message)
        yield from (found[1] for found in EMBEDDED.finditer(text))
        yield from (found[1] for found in OURS.finditer(text))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _address(image: object) -> str:
    address = image.get("url") if isinstance(image, dict) else image
    if not isinstance(address, str) or not address:
        raise bad_field("messages", "a picture must be {type: image_url, image_url: {url}}")
    return address


def _string(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise bad_field(name, "must be a string")
    return value or ""


def _defaults(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the body says of pictures, as an admin sets it for a model in Open WebUI."""
    defaults: dict[str, Any] = {}
    for name, flag in PARAMETERS.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise bad_field(name, f"must be as {flag.shape}")
        try:
            defaults[flag.field] = flag.read(str(value))
        except ValueError as exc:
            raise Problem(400, f"{name}: must be {exc}", reason="INVALID_REQUEST") from exc
    return defaults
