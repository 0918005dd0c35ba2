"""Compares what a server made with what it was asked for: it replaces what it does not have without a word."""

from collections.abc import Iterator

from imagegen_adapters.a1111.catalog import AUTOMATIC, BUILT_IN_VAES, Names, ServerCatalog
from imagegen_adapters.a1111.protocol import Answer, picture_size
from imagegen_adapters.a1111.requests import Post, expected_size
from imagegen_adapters.contract import ImageParameters, ImageReady, Warned

SETTING_REPLACED = "SETTING_REPLACED"
SIZE_ADJUSTED = "SIZE_ADJUSTED"


def find_replacements(answer: Answer, names: Names, catalog: ServerCatalog) -> Iterator[Warned]:
    """A warning for each setting that differs. What the server does not tell is not judged."""
    if answer.sampler and answer.sampler != names.sampler:
        yield _replaced("sampler", names.sampler, answer.sampler)
    if answer.schedule and names.scheduler not in ("", AUTOMATIC):
        scheduler = catalog.find_scheduler(names.scheduler)
        if scheduler is None or not scheduler.is_called(answer.schedule):
            yield _replaced("scheduler", names.scheduler, answer.schedule)
    if answer.model and names.checkpoint:
        checkpoint = catalog.find_checkpoint(names.checkpoint)
        # In a subfolder a model's name is "folder_file", while the answer says "file".
        if answer.model != names.checkpoint and (checkpoint is None or not checkpoint.is_called(answer.model)):
            yield _replaced("model", names.checkpoint, answer.model)
    if names.vae and names.vae not in BUILT_IN_VAES and answer.vae and answer.vae != names.vae:
        yield _replaced("VAE", names.vae, answer.vae)


def read_images(request: ImageParameters, post: Post, answer: Answer) -> Iterator[ImageReady | Warned]:
    """The POST's images, each after the warnings about it. What extensions add behind them is left out."""
    width, height = expected_size(request)
    for offset, picture in enumerate(answer.images[: post.images]):
        index = post.first_image + offset
        wanted_seed = request.seed + index
        seed = answer.seeds[offset] if offset < len(answer.seeds) else wanted_seed
        if seed != wanted_seed:
            yield _replaced(f"seed of image {index}", str(wanted_seed), str(seed))
        size = picture_size(picture)
        if size != (width, height):
            message = f"image {index} is {size[0]}x{size[1]} where {width}x{height} was asked for"
            yield Warned(code=SIZE_ADJUSTED, message=message)
        yield ImageReady(data=picture.data, media_type=picture.media_type, image_index=index, seed=seed)


def _replaced(what: str, wanted: str, got: str) -> Warned:
    return Warned(code=SETTING_REPLACED, message=f"the server used {what} {got!r} where {wanted!r} was asked for")
