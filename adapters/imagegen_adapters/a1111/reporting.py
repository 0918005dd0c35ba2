"""Says how far an attempt is: fractions that never fall, phases when they change, previews no faster than wanted."""

from collections.abc import Iterator

from imagegen_adapters.a1111.protocol import Picture
from imagegen_adapters.a1111.requests import Post
from imagegen_adapters.contract import (
    ModelLoading,
    Phase,
    PhaseChanged,
    PreviewFrame,
    PreviewWish,
    Progressed,
    Update,
)


class Reporter:
    """Turns observations of an attempt's POSTs, one after another, into updates. Time is an argument."""

    def __init__(self, *, model: str, preview: PreviewWish) -> None:
        self._model = model
        self._preview = preview
        self._phase: Phase | None = None
        self._fraction = 0.0
        self._step = 0
        self._is_preview_wanted = False
        self._previewed_at = float("-inf")
        self._last_preview = b""

    def enter(self, phase: Phase) -> Iterator[Update]:
        """Silent when the attempt is in that phase already."""
        if phase is self._phase:
            return
        self._phase = phase
        yield PhaseChanged(phase=phase)
        if phase is Phase.LOADING_MODEL:
            yield ModelLoading(model=self._model)

    def advance(self, post: Post, fraction: float, step: int, steps: int) -> Iterator[Update]:
        """A step was done: `fraction` is the share of the POST's passes."""
        yield from self.enter(Phase.SAMPLING)
        self._step = step
        self._is_preview_wanted = self._preview.enabled
        yield self._progress(post, fraction, Phase.SAMPLING, min(step, steps), steps)  # "DPM adaptive" overruns

    def finish(self, post: Post) -> Iterator[Update]:
        """The POST's images are here."""
        yield from self.enter(Phase.SAVING)
        self._is_preview_wanted = False
        yield self._progress(post, 1.0, Phase.SAVING, post.passes[-1], post.passes[-1])

    def preview_due_in(self, now: float) -> float | None:
        """Seconds until a preview should be asked for; None: there can be no new one before the next step."""
        if not self._is_preview_wanted:
            return None
        rate_hz = self._preview.max_rate_hz
        return max(0.0, self._previewed_at + (1 / rate_hz if rate_hz > 0 else 0.0) - now)

    def show(self, post: Post, picture: Picture | None, now: float) -> Iterator[Update]:
        """What came of asking for a preview. Without a picture too, asking again waits for the next step: a server
        renders one only every so many steps, and the global document repeats the old one meanwhile.
        """
        self.do_without_preview(now)
        if picture is None or picture.data == self._last_preview:
            return
        self._last_preview = picture.data
        yield PreviewFrame(
            data=picture.data, media_type=picture.media_type, image_index=post.first_image, step=self._step
        )

    def do_without_preview(self, now: float) -> None:
        """None is due before the next step."""
        self._is_preview_wanted = False
        self._previewed_at = now

    def _progress(self, post: Post, fraction: float, phase: Phase, step: int, steps: int) -> Progressed:
        overall = (post.first_image + post.images * fraction) / post.total_images
        self._fraction = max(self._fraction, overall)
        return Progressed(
            fraction=self._fraction, phase=phase, step=step, steps=steps, image_index=post.first_image
        )  # fmt: skip
