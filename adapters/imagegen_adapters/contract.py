"""What every adapter promises, and the words that it and the server share.

An adapter drives one backend. It is opened by an async context manager of its own module, which owns the connection
and every task behind it; `registry.open_adapter` finds the right one.

A run is one attempt on that backend:

    async with adapter.run(task) as run:
        async for update in run:
            ...

* Updates arrive in the order in which things happened. `Accepted` comes before any progress.
* Iteration ends normally exactly when every image was delivered as `ImageReady`; otherwise it raises one AdapterError.
* `run.cancel()` asks the backend to stop this attempt and no other. Iteration then goes on, and ends by `Cancelled`
  once the backend has confirmed, or normally if the attempt was finished first. A backend that does not obey yields
  `Warned("CANCEL_NOT_CONFIRMED", ...)`, then `Cancelled`.
* Leaving the block before the end cancels at the backend too, waits a bounded time and swallows the outcome;
  after `run.detach()` it leaves the attempt running there instead.
* Progress and previews are never queued behind a slow consumer: the newest replaces the one not yet taken. Every other
  update is kept and stays in order.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeAlias

from imagegen_adapters.errors import Violation

# --- the request ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HiresParameters:
    """A second pass at a larger size."""

    scale: float
    """Factor for width and height, above 1, at most 4."""
    upscaler: str = ""
    """As the backend lists it; empty: its latent upscaler."""
    steps: int | None = None
    """Steps of the second pass; None: as many as in the first."""
    denoise: float = 0.5
    """Share of the scaled picture that is replaced, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA and how strongly it is applied."""

    name: str
    """As `Catalog.loras` lists it."""
    weight: float = 1.0
    text_encoder_weight: float | None = None
    """None: as `weight`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageParameters:
    """Text-to-image, image-to-image with `init_image`, inpainting with `init_image` and `mask`. All defaults resolved.

    Image i of the attempt (from 0) is made with `seed + i`, except within one pass of `batch_size` images on backends
    that derive them from one seed (ComfyUI): there `seed` is that of the pass's first image.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = ""
    """As `Catalog.checkpoints` or `Catalog.diffusion_models` lists it; empty: the resident or first checkpoint."""
    vae: str = ""
    """As `Catalog.vaes` lists it; empty: the model's own."""
    width: int = 512
    """Pixels, a multiple of 8."""
    height: int = 512
    """Pixels, a multiple of 8."""
    steps: int = 20
    cfg_scale: float = 7.0
    sampler: str = ""
    """As `Catalog.samplers` lists it; empty: the backend's default."""
    scheduler: str = ""
    """As `Catalog.schedulers` lists it; empty: the backend's default."""
    seed: int = 0
    """0..2^63-1."""
    count: int = 1
    """Images to make, 1..64."""
    batch_size: int = 1
    """How many of them in one pass."""
    init_image: str = ""
    """Digest, a key of `Task.files`; empty: none."""
    mask: str = ""
    """Digest, a key of `Task.files`: white is repainted. Empty: none."""
    denoise: float = 0.75
    """Share of the initial image that is replaced, 0..1."""
    mask_blur: int = 4
    """Pixels."""
    hires: HiresParameters | None = None
    loras: tuple[Lora, ...] = ()
    """In the order in which they are applied."""
    text_encoders: tuple[str, ...] = ()
    """As `Catalog.text_encoders` lists them, for a diffusion model; empty: those that fit its family."""
    distilled_cfg_scale: float | None = None
    """Guidance of models that were distilled with it; None: 3.5 where there is such a thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawGraph:
    """A ComfyUI graph in API format."""

    json: str
    """The graph as JSON text."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Uploads: "node.input" to digest, a key of `Task.files`."""
    masks: tuple[str, ...] = ()
    """Those keys of `images` whose pictures are masks. Whoever makes the task has given them their plain form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewWish:
    """Which frames the job wants; an adapter may save work by it, the server enforces it."""

    enabled: bool = True
    max_rate_hz: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that an adapter needs for one attempt."""

    attempt_id: str
    """Lower-case UUID: the remote id wherever a backend takes one. No two attempts have the same, but for one that was
    made after the other turned out not to be at the backend.
    """
    source: ImageParameters | RawGraph
    preview: PreviewWish = PreviewWish()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of every digest that `source` names. PNG, JPEG or WebP, checked by the server."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The job's backend_options for this kind of backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What finds an attempt again after a restart; stored by the server before the hand-over and when it changes."""

    remote_id: str
    client_id: str = ""
    """ComfyUI: the websocket client id that gets the attempt's frames."""


# --- updates -------------------------------------------------------------------------------------------------------


class Phase(Enum):
    """What a backend is doing for an attempt. The same names as `imagegen.v1.Phase`."""

    PREPARING = "preparing"
    WAITING = "waiting"
    LOADING_MODEL = "loading_model"
    ENCODING = "encoding"
    SAMPLING = "sampling"
    DECODING = "decoding"
    PROCESSING = "processing"
    SAVING = "saving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The backend has the attempt. Once per run, before any other update but `PhaseChanged(PREPARING)` and `Warned`."""

    handle: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    node_id: str
    class_type: str
    title: str
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the attempt is going to do. May come again when more is known."""

    images: int
    nodes: tuple[PlanNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    phase: Phase
    node_id: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoading:
    """A model is being loaded; no steps meanwhile."""

    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """How far the attempt is. The newest replaces older ones."""

    fraction: float
    """Share of the whole attempt, 0..1, never falling within a run."""
    phase: Phase
    step: int = 0
    """Steps done in the current pass."""
    steps: int = 0
    """Steps of the current pass; 0: unknown or none."""
    image_index: int = 0
    node_id: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFrame:
    """How an image looks at this moment. The newest replaces older ones."""

    data: bytes
    media_type: str
    """"image/jpeg", "image/png" or "image/webp": what the bytes are."""
    image_index: int = 0
    step: int = 0
    node_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReady:
    """One result. Never dropped, never repeated within a run."""

    data: bytes
    media_type: str
    """Of the bytes as they are; not always an image for raw graphs."""
    image_index: int = 0
    """0..count-1; for graphs a running number."""
    seed: int | None = None
    node_id: str = ""
    intermediate: bool = False
    """A by-product, as of ComfyUI's PreviewImage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that the caller should know. Codes are those of `imagegen.v1.Warning`."""

    code: str
    message: str


Update: TypeAlias = Accepted | Planned | PhaseChanged | ModelLoading | Progressed | PreviewFrame | ImageReady | Warned


# --- the backend ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a kind of adapter can do. What is not declared is refused by `validate`, as a violation of its field."""

    image_parameters: bool = True
    """Takes ImageParameters."""
    graphs: bool = False
    """Takes RawGraph."""
    image_to_image: bool = False
    """Takes init_image."""
    inpainting: bool = False
    """Takes mask."""
    hires: bool = False
    """Takes hires."""
    loras: bool = False
    """Takes loras."""
    model_loading: bool = False
    """Can load a model on request."""
    previews: bool = False
    """Sends preview frames, where the backend has them switched on."""
    max_batch_size: int = 1
    """Largest batch_size."""
    reattach: bool = False
    """`reattach` finds an attempt again, results included."""
    max_concurrent_runs: int = 1
    """How many runs may be open at once. More than one only where the backend queues well by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    name: str
    memory_total_bytes: int = 0
    """0: not known."""
    memory_free_bytes: int = 0
    """0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """How the backend is, at the moment of the answer."""

    version: str = ""
    devices: tuple[Device, ...] = ()
    resident_model: str = ""
    queue_depth: int = 0
    """Jobs in its own queue, running ones included, whoever sent them."""
    instance: str = ""
    """Changes when the backend restarts; empty where it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    name: str
    """As requests name it."""
    description: str = ""
    sha256: str = ""
    """64 lower-case hexadecimal digits; empty: not told."""
    size_bytes: int = 0
    """0: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What requests can name at a backend. Names are unique within each list, in the backend's order."""

    checkpoints: tuple[NamedModel, ...] = ()
    vaes: tuple[NamedModel, ...] = ()
    loras: tuple[NamedModel, ...] = ()
    embeddings: tuple[NamedModel, ...] = ()
    upscalers: tuple[NamedModel, ...] = ()
    samplers: tuple[NamedModel, ...] = ()
    schedulers: tuple[NamedModel, ...] = ()
    diffusion_models: tuple[NamedModel, ...] = ()
    """Without text encoder and VAE."""
    text_encoders: tuple[NamedModel, ...] = ()
    controlnets: tuple[NamedModel, ...] = ()
    clip_visions: tuple[NamedModel, ...] = ()


class Run(Protocol):
    """One attempt on a backend. See the module's docstring for what is guaranteed."""

    def __aiter__(self) -> AsyncIterator[Update]: ...

    async def cancel(self) -> None:
        """Asks the backend to stop this attempt. May be called at any time, from another task, and more than once."""

    def detach(self) -> None:
        """From now on, leaving the block does not stop the attempt at the backend."""


class Adapter(Protocol):
    """Drives one backend. All methods may be called concurrently."""

    @property
    def kind(self) -> str:
        """ "comfyui", "a1111" or "demo"."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do; constant."""

    async def status(self) -> BackendStatus:
        """Asks the backend how it is. Raises AdapterError; answers or raises within 5 s."""

    async def catalog(self) -> Catalog:
        """Asks the backend what it has, anew, and remembers it for `validate`. Raises AdapterError.

        May be the object that it gave before: then nothing has changed since, node definitions included.
        """

    async def rescan(self) -> None:
        """Has the backend look through its folders, where it does not by itself; the next `catalog` tells everything
        anew. Raises AdapterError.
        """

    async def node_definitions(self) -> bytes:
        """What graphs can be made of, as `catalog` last found it: a JSON object by class, as ComfyUI's `/object_info`.

        An object without classes where the kind takes no graphs, or `catalog` has not succeeded yet. Never raises.
        """

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        """What is wrong with a request, as far as capabilities and the remembered catalogue tell. No I/O.

        Before the first successful `catalog` only capabilities and the request itself are checked.
        Called in threads, too, as large graphs take their time.
        """

    def render(self, source: ImageParameters | RawGraph) -> RawGraph:
        """The graph that `run` would hand over for a source that `validate` finds nothing wrong with, with files named
        by their digests, which are in `images` too. No I/O. Only where `Capabilities.graphs`.
        """

    async def model_metadata(self, kind: str, name: str) -> Mapping[str, str]:
        """What a model's file says about itself; empty: nothing, or it cannot be asked. `kind` is the name of a list of
        `Catalog`, as "checkpoints". Raises AdapterError.
        """

    async def load_model(self, name: str) -> None:
        """Has a checkpoint or diffusion model loaded and waits until it is. Raises AdapterError.

        Only where `Capabilities.model_loading`. What runs goes on; it may wait for that.
        """

    async def free_memory(self) -> None:
        """Asks the backend to give back what it holds in memory beyond need, models included; the next job loads its
        own again. Nothing that runs is harmed. Raises AdapterError; does nothing where the backend cannot.
        """

    def handle_for(self, attempt_id: str) -> Handle:
        """The handle that `run` will use for this attempt, to be stored before it. No I/O."""

    def run(self, task: Task) -> AbstractAsyncContextManager[Run]:
        """Hands a new attempt to the backend."""

    def reattach(self, task: Task, handle: Handle) -> AbstractAsyncContextManager[Run]:
        """The same stream for an attempt that an earlier process handed over. Iteration raises Lost if it is gone.

        To have it stopped, a task suffices that has no more of its source than `count` and `batch_size`, or that it was
        a graph.

        Only where `Capabilities.reattach`. Otherwise an attempt that the backend is known to be at work on is stopped,
        because nobody can have its results, and iteration raises Lost; or Uncertain, where the backend cannot tell
        whether it is at work on it.
        """
