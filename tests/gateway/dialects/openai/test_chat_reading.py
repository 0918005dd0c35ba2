"""What a request for a chat completion is read as: a question, or a task that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from imagegen_gateway.dialects.chats import ChatMessage, message_of
from imagegen_gateway.dialects.openai.chat import Surface, surface_of
from imagegen_gateway.dialects.openai.chat_messages import read_question
from imagegen_gateway.dialects.openai.chat_orders import completed
from imagegen_gateway.dialects.openai.chat_tasks import answer, task_of, title
from imagegen_gateway.dialects.openai.syntax import parse
from imagegen_gateway.errors import Problem

RECORDED = (Path(__file__).parents[3] / "recordings/openwebui/chat-requests.jsonl").read_text().splitlines()
TASKS = ["", "title_generation", "follow_up_generation", "tags_generation"]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
DIGEST = "ab" * 32
ATTACHED = '<attached_files>\n<file type="image" id="1" url="1" name="a.png"/>\n</attached_files>\n\n'
DOCUMENTS = (
    "### Task:\nRespond to the user query using the provided context, with care.\n<context>\na novel\n</context>\n"
)


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(text: str, *pictures: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}, *({"type": "image_url", "image_url": {"url": p}} for p in pictures)]


def templated(beginning: str) -> dict[str, Any]:
    said = "USER: a lonely owl\non a branch --steps 4\nASSISTANT: Made.\nUSER: bluer\nASSISTANT: "
    history = f"<chat_history>\n{said}\n</chat_history>"
    return {"messages": [user(f"### Task:\n{beginning}.\n### Chat History:\n{history}")]}


@pytest.mark.parametrize(("line", "task"), list(zip(RECORDED, TASKS, strict=True)))
def test_recorded_requests_are_known_with_and_without_their_header(line: str, task: str) -> None:
    recorded = json.loads(line)
    assert task_of(recorded["headers"]["X-Task"], recorded["body"]) == task
    assert task_of(None, recorded["body"]) == task


def test_the_recorded_question_is_the_last_message_without_tools() -> None:
    question = read_question(json.loads(RECORDED[0])["body"])
    assert (question.model, question.is_streamed) == ("gw-sdxl", True)
    assert (question.text, question.pictures, question.earlier) == ("a fox steps=4 interval=0.3", (), ())


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("Generate a concise title summarizing the chat", {"title": "A lonely owl on a branch"}),
        ("Generate 1-3 broad tags categorizing", {"tags": ["Image"]}),
        ("Predict 3-5 useful messages", {"follow_ups": []}),
        ("Generate a detailed prompt for an image", {"prompt": "bluer"}),
        ("You are an autocompletion system", {"text": ""}),
    ],
)
def test_tasks_are_answered_as_their_asker_reads_them(beginning: str, expected: dict[str, Any]) -> None:
    body = templated(beginning)
    assert json.loads(answer(task_of(None, body), body)) == expected


@pytest.mark.parametrize(
    ("header", "body", "task"),
    [
        ("", templated("Generate a concise title"), ""),  # the header says that it is a chat
        ("{{TASK}}", {"messages": [user("a fox")]}, ""),
        (None, {"metadata": {"task": "emoji_generation"}, "messages": [user("hi")]}, "emoji_generation"),
        (
            None,
            {"messages": [{"role": "system", "content": "Available Tools: []"}, user("Query: x")]},
            "function_calling",
        ),
        (None, {"messages": [user("### Task: draw a fox")]}, ""),
        (None, {"messages": [user("a fox"), user("### Task:\nGenerate a concise title")]}, ""),
        (None, {"messages": ["nonsense"]}, ""),
        (None, {}, ""),
    ],
)
def test_what_a_request_is_for(header: str | None, body: dict[str, Any], task: str) -> None:
    assert task_of(header, body) == task


def test_an_answer_without_words_is_no_part_of_the_title() -> None:
    history = "<chat_history>\nUSER: a lonely owl\nASSISTANT: \n</chat_history>"
    assert json.loads(answer("title_generation", {"messages": [user(history)]})) == {"title": "A lonely owl"}


def test_long_texts_are_read_once() -> None:
    """Each of them would take hours if its reading began anew at every place in it."""
    spaces = user("<chat_history>" + " " * 60_000 + "x")
    assert json.loads(answer("title_generation", {"messages": [spaces]})) == {"title": "Picture"}
    begun = {"role": "assistant", "content": "![](data:image/a" * 100_000}
    assert read_question({"messages": [begun, user("a fox")]}).earlier == ()


def test_a_task_nobody_has_heard_of_gets_an_empty_answer() -> None:
    assert answer("of_tomorrow", {"messages": [user("x")]}) == "{}"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red fox in the deep snow, at night --steps 4", "A red fox in the deep"),
        ("--foo", "--foo"),
        ("", "Picture"),
    ],
)
def test_a_title_is_the_first_words(prompt: str, expected: str) -> None:
    assert title(prompt) == expected


@pytest.mark.parametrize(
    ("content", "text", "pictures"),
    [
        ("  a fox ", "a fox", ()),
        (said("a fox", PIXEL, "https://example.org/a.png"), "a fox", (PIXEL, "https://example.org/a.png")),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "fox"}], "a\nfox", ()),
        (ATTACHED + "a fox", "a fox", ()),
        (said(ATTACHED) + said("a fox", PIXEL), "a fox", (PIXEL,)),
        (DOCUMENTS + ATTACHED + "a fox", "a fox", ()),
        ([{"type": "image_url", "image_url": PIXEL}], "", (PIXEL,)),
        (None, "", ()),
    ],
)
def test_text_and_pictures_of_the_last_message(content: object, text: str, pictures: tuple[str, ...]) -> None:
    question = read_question({"messages": [user("before"), user(content), {"role": "assistant", "content": "x"}]})
    assert (question.text, question.pictures) == (text, pictures)


def test_pictures_of_before_the_newest_first() -> None:
    messages = [
        user(said("a fox", "https://example.org/1.png")),
        {"role": "assistant", "content": f"![one]({PIXEL})"},
        user("another"),
        {"role": "assistant", "content": f"[Picture 1](http://127.0.0.1:1/api/v1/assets/{DIGEST})"},
        {"role": "assistant", "content": "", "images": [{"type": "image_url", "image_url": {"url": "data:2"}}]},
        user("make it blue"),
    ]
    assert read_question({"messages": messages}).earlier == ("data:2", DIGEST, PIXEL, "https://example.org/1.png")


def mentioned(text: str, *pictures: str, before: str = "") -> dict[str, Any]:
    """A model called `A Fox` is mentioned in a channel, in a thread that holds these pictures."""
    system = (
        "You are A Fox, participating in a threaded conversation. Be concise and conversational."
        f"Here's the thread history:\n\n\n{before}{text}\n\n\nContinue the conversation naturally as A Fox."
    )
    return {"messages": [{"role": "system", "content": system}, user(said(text, *pictures) if pictures else text)]}


def test_a_mention_in_a_channel_is_read_without_names() -> None:
    question = read_question(mentioned("ann: A Fox in the snow: deep --steps 4"))
    assert (question.text, question.is_in_thread) == ("in the snow: deep --steps 4", True)


def test_the_pictures_of_the_first_message_of_a_thread_are_its_own() -> None:
    question = read_question(mentioned("ann: A Fox like this", PIXEL))
    assert (question.pictures, question.earlier) == ((PIXEL,), ())


def test_later_in_a_thread_its_pictures_are_those_of_before() -> None:
    question = read_question(mentioned("ann: A Fox another", PIXEL, "data:2", before="ann: A Fox like this\n\n"))
    assert (question.pictures, question.earlier) == ((), ("data:2", PIXEL))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "messages: must be a list"),
        ({"messages": ["hi"]}, "messages: must be a list"),
        ({"messages": [{"role": "system", "content": "x"}]}, "message of the user"),
        ({"messages": [user("x" * 64_001)]}, "longer than 64000"),
        ({"messages": [user(said("x", *[PIXEL] * 17))]}, "more than 16 pictures"),
        ({"messages": [user([{"type": "image_url"}])]}, "a picture must be"),
        ({"messages": [user("x")], "n": 2}, "--n 4"),
        ({"messages": [user("x")], "n": [1]}, "--n 4"),
        ({"messages": [user("x")], "model": 5}, "model: must be a string"),
        ({"messages": [user("x")], "size": "huge"}, "size: must be a size, as 768x512"),
        ({"messages": [user("x")], "steps": True}, "steps: must be as 30"),
    ],
)
def test_what_is_no_question_is_refused(body: dict[str, Any], fault: str) -> None:
    with pytest.raises(Problem, match=fault) as caught:
        read_question(body)
    assert caught.value.status == 400


def test_the_body_completes_what_the_message_does_not_say() -> None:
    body = {"messages": [user("x")], "size": "768x512", "steps": 12, "seed": 7, "negative_prompt": "hats", "top_p": 0.5}
    order = completed(parse("a fox --steps 30"), read_question(body))
    assert (order.size, order.steps, order.seed, order.negative_prompt) == ((768, 512), 30, 7, "hats")
    assert completed(parse("a fox --ar 1:1"), read_question(body)).size == (624, 624)


@pytest.mark.parametrize(
    ("headers", "surface"),
    [
        ({"X-Chat-Id": "c8fbe72f-c829"}, Surface.FULL),
        ({"X-OpenWebUI-Chat-Id": "c8fbe72f-c829"}, Surface.FULL),
        ({"X-Chat-Id": "temporary:abc"}, Surface.STATUS),
        ({"X-Chat-Id": "local:abc"}, Surface.STATUS),
        ({"X-Chat-Id": "channel:abc"}, Surface.STATUS),
        ({"X-Chat-Id": "", "User-Agent": "Python/3.11 aiohttp/3.14.5"}, Surface.TEXT),
        ({"User-Agent": "Python/3.11 aiohttp/3.14.5"}, Surface.FULL),
        ({"User-Agent": "AsyncOpenAI/Python 3.0"}, Surface.TEXT),
        ({}, Surface.TEXT),
    ],
)
def test_who_is_shown_what(headers: dict[str, str], surface: Surface) -> None:
    assert surface_of(headers, message_of(headers)) is surface


def test_what_is_no_id_counts_as_nothing() -> None:
    assert message_of({"X-Chat-Id": "../../admin", "X-Message-Id": "m" * 129}) == ChatMessage()
    assert message_of({"X-Chat-Id": "c", "X-OpenWebUI-Message-Id": "m"}).labels == {"chat_id": "c", "message_id": "m"}
