"""One attempt as a sequence of updates that is computed piece by piece. Pure: whoever asks sets the pace."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from imagegen_adapters.contract import (
    ImageParameters,
    ImageReady,
    Phase,
    PhaseChanged,
    PreviewFrame,
    Progressed,
    Update,
)
from imagegen_adapters.demo import files
from imagegen_adapters.demo.fields import Frame, Picture
from imagegen_adapters.demo.painter import Order, Stage, paint, second_pass
from imagegen_adapters.demo.requests import CATALOG, area, chosen, hires_frame, infotext
from imagegen_adapters.errors import Rejected, Violation


@dataclass(slots=True)
class Wish:
    """What the next piece should contain; set by whoever asks for it."""

    wants_preview: bool = True


def pieces(source: ImageParameters, model: str, inputs: Mapping[str, bytes], wish: Wish) -> Iterator[list[Update]]:
    """The attempt's updates; each list is one piece of work, at most one step of painting.

    Raises Rejected when an input image cannot be read.
    """
    order = _order(source, model, inputs)
    progress = _Progress(source)
    for index in range(source.count):
        picture = yield from _painted(source, replace(order, seed=source.seed + index), index, progress, wish)
        yield [PhaseChanged(phase=Phase.SAVING)]
        data = files.png(picture, infotext(source, model=model, seed=source.seed + index))
        ready = ImageReady(data=data, media_type="image/png", image_index=index, seed=source.seed + index)
        yield [ready, progress.saved(index)]


def _order(source: ImageParameters, model: str, inputs: Mapping[str, bytes]) -> Order:
    frame = Frame(source.width, source.height)
    start = mask = None
    if source.init_image:
        with _blaming("image.init_image"):
            start = files.picture_of(inputs[source.init_image], frame)
    if source.mask:
        with _blaming("image.mask"):
            mask = files.mask_of(inputs[source.mask], frame, source.mask_blur)
    return Order(
        prompt=source.prompt,
        negative_prompt=source.negative_prompt,
        style=model,
        looks=tuple((lora.name, lora.weight) for lora in source.loras),
        frame=frame,
        steps=source.steps,
        cfg_scale=source.cfg_scale,
        seed=source.seed,
        sampler=chosen(source.sampler, CATALOG.samplers),
        scheduler=chosen(source.scheduler, CATALOG.schedulers),
        start=start,
        mask=mask,
        denoise=source.denoise,
    )


@contextmanager
def _blaming(field: str) -> Iterator[None]:
    try:
        yield
    except files.UnreadableImage as exc:
        raise Rejected(str(exc), [Violation(field, str(exc))]) from exc


def _painted(
    source: ImageParameters, order: Order, index: int, progress: "_Progress", wish: Wish
) -> Generator[list[Update], None, Picture]:
    """The steps of one image; gives the picture."""
    yield [PhaseChanged(phase=Phase.SAMPLING)]
    picture = yield from _pass(order, index, progress, wish)
    if source.hires is None:
        return picture
    second = second_pass(
        order,
        picture,
        hires_frame(source),
        steps=source.hires.steps or source.steps,
        denoise=source.hires.denoise,
        is_smooth=chosen(source.hires.upscaler, CATALOG.upscalers) == "demo-smooth",
    )
    return (yield from _pass(second, index, progress, wish))


def _pass(order: Order, index: int, progress: "_Progress", wish: Wish) -> Generator[list[Update], None, Picture]:
    picture = order.start
    for stage in paint(order):
        picture = stage.picture
        updates: list[Update] = [progress.stepped(stage, index)]
        if wish.wants_preview:
            data = files.jpeg(stage.preview())
            updates.append(PreviewFrame(data=data, media_type="image/jpeg", image_index=index, step=stage.step))
        yield updates
    assert picture is not None, "an order has at least one step"
    return picture


class _Progress:
    """How far the whole attempt is; a step counts by the pixels that it paints."""

    def __init__(self, source: ImageParameters) -> None:
        first = source.steps * source.width * source.height
        second = (source.hires.steps or source.steps) * area(hires_frame(source)) if source.hires else 0
        self._total = source.count * (first + second)
        self._done = 0

    def stepped(self, stage: Stage, index: int) -> Progressed:
        self._done += area(stage.order.frame)
        return self._at(Phase.SAMPLING, index, stage.step, stage.order.steps)

    def saved(self, index: int) -> Progressed:
        return self._at(Phase.SAVING, index)

    def _at(self, phase: Phase, index: int, step: int = 0, steps: int = 0) -> Progressed:
        return Progressed(fraction=self._done / self._total, phase=phase, step=step, steps=steps, image_index=index)
