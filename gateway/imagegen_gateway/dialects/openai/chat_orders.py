"""What a question orders, with the pictures that it means; and the line that says what came of it."""

from dataclasses import replace
from typing import Final

from imagegen.v1 import asset_pb2, job_pb2
from imagegen_client.specs import input_of
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.chats import ChatMessage
from imagegen_gateway.dialects.openai import syntax
from imagegen_gateway.dialects.openai.chat_messages import Question
from imagegen_gateway.dialects.orders import Order, Orders, Request, sized
from imagegen_gateway.dialects.rendering import images_of
from imagegen_gateway.errors import Problem

DIALECT: Final = "openai-chat"


async def request_of(question: Question, order: Order, message: ChatMessage, caller: Caller, orders: Orders) -> Request:
    """The job for a question. Raises Problem, and AioRpcError, for what cannot be."""
    if order.size is not None and order.aspect is not None:
        raise _unclear("--size and --ar say the same thing in two ways; leave out one of them")
    if order.denoise is not None and not order.is_edit and not question.pictures:
        raise _unclear("--denoise is for changing a picture; attach one, or add --edit")
    order = completed(order, question)
    pictures = await _pictures(question, order, message, caller, orders)
    if not order.prompt and not pictures:
        raise _unclear("the message is empty; say what to paint, or send: help")
    return await orders.request(question.model, order, pictures, {"dialect": DIALECT, **message.labels}, caller)


async def _pictures(
    question: Question, order: Order, message: ChatMessage, caller: Caller, orders: Orders
) -> list[asset_pb2.Asset]:
    if question.pictures or not order.is_edit:
        return [await orders.stored(address) for address in question.pictures]
    is_known = message.chat_id and not question.is_in_thread
    made = await orders.newest_of(message.chat_id, caller) if is_known else None
    if made is not None:
        return [made]
    if not question.earlier:
        raise _unclear("there is no picture to edit in this chat yet; attach one")
    return [await orders.stored(question.earlier[0])]


def completed(order: Order, question: Question) -> Order:
    """The order with the question's defaults for what it does not say."""
    missing = {name: value for name, value in question.defaults.items() if getattr(order, name) is None}
    if order.aspect is not None and "size" in missing:
        width, height = missing["size"]
        missing["size"] = sized(order, width * height)
    return replace(order, **missing)


def _unclear(why: str) -> Problem:
    return Problem(400, why, reason="INVALID_REQUEST")


def made(job: job_pb2.Job, request: Request) -> str:
    """A line about what was made, with the flags that make the same of the same words; as Markdown."""
    said = {name: input_of(job.spec, name) for name in ("width", "steps", "seed", "count", "denoise", "init_image")}
    order = Order(
        size=_size(images_of(job)[0].asset) if said["width"] is not None else None,
        steps=said["steps"],
        seed=said["seed"],
        count=said["count"] if (said["count"] or 1) > 1 else None,
        denoise=said["denoise"] if said["init_image"] else None,
    )
    source = ", from the same picture" if said["init_image"] else ""
    again = syntax.render(order)
    name = job.spec.image.model or request.offer.title
    lines = [f"Made with `{name}`." + (f" The same again{source}: `{again}`" if again else "")]
    lines += [f"Note: {warning.message}" for warning in job.warnings]
    return "\n\n".join(lines)


def _size(asset: asset_pb2.Asset) -> tuple[int, int] | None:
    return (asset.width, asset.height) if asset.width and asset.height else None
