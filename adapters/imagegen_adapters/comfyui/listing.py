"""From what a server lists to the catalogue. Pure."""

from collections.abc import Iterable, Mapping

from imagegen_adapters.comfyui.built_in.pictures import LATENT_UPSCALER
from imagegen_adapters.contract import Catalog, NamedModel
from imagegen_adapters.graphs.node_classes import NodeClasses

FOLDERS: Mapping[str, str] = {
    "checkpoints": "checkpoints",
    "vaes": "vae",
    "loras": "loras",
    "embeddings": "embeddings",
    "upscalers": "upscale_models",
    "diffusion_models": "diffusion_models",
    "text_encoders": "text_encoders",
    "controlnets": "controlnet",
    "clip_visions": "clip_vision",
}
"""The server's folder by the catalogue's list."""

IGNORED_FOLDERS = frozenset({"configs", "custom_nodes"})
"""Not of models, and some of these are huge."""

_LOADERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "checkpoints": (("CheckpointLoaderSimple", "ckpt_name"),),
    "vaes": (("VAELoader", "vae_name"),),
    "loras": (("LoraLoader", "lora_name"),),
    "upscalers": (("UpscaleModelLoader", "model_name"),),
    "diffusion_models": (("UNETLoader", "unet_name"), ("UnetLoaderGGUF", "unet_name")),
    "text_encoders": (("CLIPLoader", "clip_name"), ("CLIPLoaderGGUF", "clip_name")),
    "controlnets": (("ControlNetLoader", "control_net_name"),),
    "clip_visions": (("CLIPVisionLoader", "clip_name"),),
    "samplers": (("KSampler", "sampler_name"),),
    "schedulers": (("KSampler", "scheduler"),),
}
"""Where a list is to be found among the choices of node classes: what these do not offer, no graph can name."""


def catalog_of(classes: NodeClasses, embeddings: Iterable[str], sizes: Mapping[str, Mapping[str, int]]) -> Catalog:
    """`sizes` are those of files in bytes, by folder and name."""
    lists = {
        name: _listed(
            (option for class_type, input_name in inputs for option in classes.options(class_type, input_name)),
            sizes.get(FOLDERS.get(name, ""), {}),
        )
        for name, inputs in _LOADERS.items()
    }
    latent = NamedModel(name=LATENT_UPSCALER, description="scales the latent image, without a model")
    lists["upscalers"] = (latent, *lists["upscalers"])
    return Catalog(embeddings=_listed(embeddings, {}), **lists)


def _listed(names: Iterable[str], sizes: Mapping[str, int]) -> tuple[NamedModel, ...]:
    # Choices have the separator of the server's system, and some versions list files with slashes everywhere.
    return tuple(
        NamedModel(name=name, size_bytes=sizes.get(name, sizes.get(name.replace("\\", "/"), 0)))
        for name in dict.fromkeys(names)
    )
