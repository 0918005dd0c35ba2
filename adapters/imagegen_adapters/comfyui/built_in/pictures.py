"""From a request to pictures: what is encoded, sampled, scaled, decoded and saved. Pure."""

from collections.abc import Mapping

from imagegen_adapters.comfyui.built_in.drawing import Drawing, Output, Pass, other
from imagegen_adapters.comfyui.built_in.loading import add_loaders
from imagegen_adapters.contract import ImageParameters
from imagegen_adapters.families import family_of

LATENT_UPSCALER = "Latent"
"""Name of the upscaler that is no model."""

_SEED_LIMIT = 2**64
_SAMPLER_FIELDS = {
    "seed": "image.seed",
    "steps": "image.steps",
    "cfg": "image.cfg_scale",
    "sampler_name": "image.sampler",
    "scheduler": "image.scheduler",
    "denoise": "image.denoise",
}


def is_latent_upscaler(upscaler: str) -> bool:
    return upscaler in {"", LATENT_UPSCALER}


def draw(parameters: ImageParameters, *, prefix: str, uploads: Mapping[str, str]) -> Drawing:
    """The nodes for a request whose names are complete.

    Each pass has a chain of its own from latent to SaveImage, so that the first images arrive while the last are not
    begun.
    """
    drawing = Drawing()
    pictures = _Pictures(drawing, parameters, prefix, uploads)
    for first in range(0, parameters.count, parameters.batch_size):
        pictures.add_pass(first, min(parameters.batch_size, parameters.count - first))
    return drawing


class _Pictures:
    def __init__(self, drawing: Drawing, parameters: ImageParameters, prefix: str, uploads: Mapping[str, str]) -> None:
        """Adds what all passes share."""
        self._drawing = drawing
        self._parameters = parameters
        self._prefix = prefix
        self._uploads = uploads
        self._family = family_of(parameters.model)
        self._loaded = add_loaders(drawing, parameters, self._family)
        self._add_prompts()
        if parameters.mask:
            self._add_mask()
        if parameters.init_image:
            self._add_initial_image()
        if parameters.hires is not None and not is_latent_upscaler(parameters.hires.upscaler):
            self._upscaler = drawing.add(
                "upscaler",
                "UpscaleModelLoader",
                "Load upscaler",
                model_name=parameters.hires.upscaler,
                fields={"model_name": "image.hires.upscaler"},
            )

    def add_pass(self, first: int, images: int) -> None:
        parameters = self._parameters
        # Image first + j of a pass comes from noise that ComfyUI derives from the pass's one seed.
        self._seed = (parameters.seed + first) % _SEED_LIMIT
        self._drawing.current = Pass(image_index=first, images=images, seed=self._seed)
        latent = self._repeated_initial(images) if parameters.init_image else self._empty_latent(images)
        denoise = parameters.denoise if parameters.init_image else 1.0
        sampled = self._sample("sample", "Sample", latent, parameters.steps, denoise)
        if parameters.hires is not None:
            larger = self._larger(sampled, parameters.hires.scale, parameters.hires.upscaler)
            steps = parameters.hires.steps or parameters.steps
            fields = {"steps": "image.hires.steps", "denoise": "image.hires.denoise"}
            sampled = self._sample("refine", "Sample again", larger, steps, parameters.hires.denoise, fields)
        picture = self._decode("decode", sampled)
        if parameters.mask:
            picture = self._keep_unmasked(picture, images)
        self._drawing.add("save", "SaveImage", "Save", images=picture, filename_prefix=self._prefix)

    # --- what all passes share ---

    def _add_prompts(self) -> None:
        parameters, clip, add = self._parameters, self._loaded.clip, self._drawing.add
        self._positive = add("prompt", "CLIPTextEncode", "Prompt", text=parameters.prompt, clip=clip)
        self._negative = add(
            "negative", "CLIPTextEncode", "Negative prompt", text=parameters.negative_prompt, clip=clip
        )
        usual = self._family.distilled_cfg_scale
        if usual is not None:
            given = parameters.distilled_cfg_scale
            self._positive = add(
                "guidance",
                "FluxGuidance",
                "Guidance",
                conditioning=self._positive,
                guidance=usual if given is None else given,
                fields={"guidance": "image.distilled_cfg_scale"},
            )

    def _add_mask(self) -> None:
        self._mask = self._drawing.add(
            "mask",
            "LoadImageMask",
            "Mask",
            image=self._uploads[self._parameters.mask],
            channel="red",
            fields={"image": "image.mask"},
        )

    def _add_initial_image(self) -> None:
        parameters = self._parameters
        image = self._uploads[parameters.init_image]
        loaded = self._drawing.add(
            "load", "LoadImage", "Initial image", image=image, fields={"image": "image.init_image"}
        )
        self._initial = self._scale("fit", loaded, parameters.width, parameters.height)
        if parameters.mask and self._family.is_inpainting:
            self._tell_what_is_there()
        else:
            self._latent = self._encode("encode", "Encode initial image", self._initial)

    def _tell_what_is_there(self) -> None:
        """What models for inpainting are given beside the prompts."""
        told = self._drawing.add(
            "inpaint",
            "InpaintModelConditioning",
            "Inpaint",
            positive=self._positive,
            negative=self._negative,
            vae=self._loaded.vae,
            pixels=self._initial,
            mask=self._mask,
            noise_mask=self._family.masks_noise,
        )
        self._positive, self._negative, self._latent = told, other(told, 1), other(told, 2)

    # --- what each pass has of its own ---

    def _empty_latent(self, images: int) -> Output:
        return self._drawing.add(
            "latent",
            self._family.latent_class,
            "Empty latent",
            width=self._parameters.width,
            height=self._parameters.height,
            batch_size=images,
            fields={"width": "image.width", "height": "image.height", "batch_size": "image.batch_size"},
        )

    def _repeated_initial(self, images: int) -> Output:
        latent = self._latent
        if images > 1:
            latent = self._drawing.add("repeat", "RepeatLatentBatch", "Batch", samples=latent, amount=images)
        if self._parameters.mask and not self._family.is_inpainting:
            latent = self._drawing.add("masked", "SetLatentNoiseMask", "Apply mask", samples=latent, mask=self._mask)
        return latent

    def _sample(
        self,
        name: str,
        title: str,
        latent: Output,
        steps: int,
        denoise: float,
        fields: Mapping[str, str] | None = None,
    ) -> Output:
        parameters = self._parameters
        return self._drawing.add(
            name,
            "KSampler",
            title,
            seed=self._seed,
            steps=steps,
            cfg=parameters.cfg_scale,
            sampler_name=parameters.sampler,
            scheduler=parameters.scheduler,
            denoise=denoise,
            model=self._loaded.model,
            positive=self._positive,
            negative=self._negative,
            latent_image=latent,
            fields={**_SAMPLER_FIELDS, **(fields or {})},
        )

    def _larger(self, sampled: Output, scale: float, upscaler: str) -> Output:
        width, height = (round(side * scale) // 8 * 8 for side in (self._parameters.width, self._parameters.height))
        if is_latent_upscaler(upscaler):
            return self._drawing.add(
                "upscale",
                "LatentUpscale",
                "Scale up",
                samples=sampled,
                upscale_method="bislerp",
                crop="disabled",
                width=width,
                height=height,
            )
        picture = self._decode("first", sampled)
        picture = self._drawing.add(
            "upscale", "ImageUpscaleWithModel", "Scale up", upscale_model=self._upscaler, image=picture
        )
        return self._encode("reencode", "Encode again", self._scale("resize", picture, width, height))

    def _keep_unmasked(self, picture: Output, images: int) -> Output:
        # A trip through the VAE changes every pixel a little: what was not to be repainted is put back.
        original = self._initial
        if images > 1:  # the batch of the destination decides how many come out
            original = self._drawing.add("originals", "RepeatImageBatch", "Batch", image=original, amount=images)
        return self._drawing.add(
            "compose",
            "ImageCompositeMasked",
            "Keep the rest",
            destination=original,
            source=picture,
            mask=self._mask,
            x=0,
            y=0,
            resize_source=False,
        )

    def _scale(self, name: str, picture: Output, width: int, height: int) -> Output:
        return self._drawing.add(
            name,
            "ImageScale",
            "Resize",
            image=picture,
            upscale_method="lanczos",
            crop="disabled",
            width=width,
            height=height,
        )

    def _encode(self, name: str, title: str, pixels: Output) -> Output:
        return self._drawing.add(name, "VAEEncode", title, pixels=pixels, vae=self._loaded.vae)

    def _decode(self, name: str, samples: Output) -> Output:
        return self._drawing.add(name, "VAEDecode", "Decode", samples=samples, vae=self._loaded.vae)
