"""What chats ask their model for beside answers: titles, tags, search queries. They cost a few words, and no picture.

Open WebUI says what a request is for in the header X-Task, where the connection was set up to send it; else it is told
by how its templates begin. Pure.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from imagegen_gateway.dialects.openai import syntax
from imagegen_gateway.dialects.openai.chat_messages import own_words, text_of

TITLE_WORDS: Final = 6
TITLE_CHARS: Final = 60

BEGINNINGS: Final = (
    ("### Task:\nGenerate a concise title", "title_generation"),
    ("### Task:\nGenerate 1-3 broad tags", "tags_generation"),
    ("### Task:\nPredict 3-5", "follow_up_generation"),
    ("### Task:\nSuggest 3-5", "follow_up_generation"),
    ("### Task:\nAnalyze the chat history to determine the necessity of generating search", "query_generation"),
    ("### Task:\nGenerate a detailed prompt", "image_prompt_generation"),
    ("### Task:\nYou are an autocompletion system", "autocomplete_generation"),
    ("### Task:\nSummarize the conversation history", "context_compaction"),
    ("Your task is to reflect the speaker's likely facial expression", "emoji_generation"),
    ("You have been provided with a set of responses from various models", "moa_response_generation"),
    ("Available Tools:", "function_calling"),
    ("You are Open WebUI's private memory reviewer", "memory_review"),
)
"""How the templates of Open WebUI 0.5 to 0.12 begin, as system message or as the only message of the user."""

HISTORY, HISTORY_END = "<chat_history>", "</chat_history>"
SAID: Final = re.compile(r"^(USER|ASSISTANT|SYSTEM|TOOL):(?: |$)", re.MULTILINE)


def task_of(header: str | None, body: Mapping[str, Any]) -> str:
    """What a request is for; empty: for an answer in a chat. `header` is X-Task, None where there is none."""
    if header is not None and "{{" not in header:  # older versions fill in no templates
        return header.strip()
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("task"), str):
        return str(metadata["task"])
    messages = [message for message in body.get("messages") or () if isinstance(message, dict)]
    asked = [message for message in messages if message.get("role") == "user"]
    if len(asked) != 1:
        return ""
    for text in (text_of(messages[0]), text_of(asked[0])):
        for beginning, task in BEGINNINGS:
            if text.startswith(beginning):
                return task
    return ""


def answer(task: str, body: Mapping[str, Any]) -> str:
    """What a task is answered with: as little as its asker takes."""
    asked = next((text_of(m) for m in reversed(body.get("messages") or ()) if m.get("role") == "user"), "")
    return ANSWERS[task](asked) if task in ANSWERS else "{}"


def title(prompt: str) -> str:
    """A chat's title: the first words of the prompt, without flags."""
    with suppress(syntax.SyntaxProblem):  # flags and all is better than nothing
        prompt = syntax.parse(prompt).prompt
    words = prompt.split()
    short = " ".join(words[:TITLE_WORDS])[:TITLE_CHARS].rstrip(",.;: ")
    return short[:1].upper() + short[1:] or "Picture"


def first_prompt(asked: str) -> str:
    """What the user says first in the history of a template."""
    return _said(asked, first=True)


def last_prompt(asked: str) -> str:
    """What the user says last in the history of a template."""
    return _said(asked, first=False)


def _said(asked: str, *, first: bool) -> str:
    history, is_closed, _ = asked.partition(HISTORY)[2].partition(HISTORY_END)
    parts = SAID.split(history.strip() if is_closed else "")
    said = [own_words(text) for who, text in zip(parts[1::2], parts[2::2], strict=True) if who == "USER"]
    return said[0 if first else -1] if said else ""


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


ANSWERS: Final[dict[str, Callable[[str], str]]] = {
    "title_generation": lambda asked: _json({"title": title(first_prompt(asked))}),
    "tags_generation": lambda _: _json({"tags": ["Image"]}),
    "follow_up_generation": lambda _: _json({"follow_ups": []}),
    "query_generation": lambda _: _json({"queries": []}),
    "image_prompt_generation": lambda asked: _json({"prompt": last_prompt(asked)}),
    "autocomplete_generation": lambda _: _json({"text": ""}),
    "function_calling": lambda _: _json({"tool_calls": []}),
    "memory_review": lambda _: _json({"operations": []}),
    "emoji_generation": lambda _: "🎨",
    "moa_response_generation": lambda _: "Pictures cannot be merged; choose one of them.",
    "context_compaction": lambda _: "The user asked for pictures, and they were made.",
}
