"""What names of models tell."""

import pytest

from imagegen_adapters.families import Part, family_of, known_families

NAMES = [
    ("v1-5-pruned-emaonly.safetensors", "", 20, 7.0, 512),
    ("my_own_mix.safetensors", "", 20, 7.0, 512),
    ("v2-1_768-ema-pruned.safetensors", "Stable Diffusion 2", 20, 7.0, 768),
    ("sd_xl_base_1.0.safetensors", "SDXL", 20, 7.0, 1024),
    ("juggernautXL_v9.safetensors", "SDXL", 20, 7.0, 1024),
    ("SDXL\\dreamshaper_v9.safetensors", "SDXL", 20, 7.0, 1024),
    ("sdxl/flux1-dev.safetensors", "Flux", 20, 1.0, 1024),
    ("sdxl_lightning_8step.safetensors", "SDXL", 8, 1.0, 1024),
    ("sdxl_lightning_0step.safetensors", "SDXL", 1, 1.0, 1024),
    ("sd_xl_turbo_1.0_fp16.safetensors", "SDXL", 1, 1.0, 512),
    ("sd3.5_large_fp8_scaled.safetensors", "Stable Diffusion 3", 20, 4.0, 1024),
    ("sd3_medium.safetensors", "Stable Diffusion 3", 20, 4.0, 1024),
    ("sd3.5_large_turbo.safetensors", "Stable Diffusion 3", 4, 1.0, 1024),
    ("flux1-dev-Q4_K_S.gguf", "Flux", 20, 1.0, 1024),
    ("flux1-schnell-fp8.safetensors", "Flux Schnell", 4, 1.0, 1024),
    ("flux1-fill-dev.safetensors", "Flux Fill", 20, 1.0, 1024),
    ("stable-diffusion-3.5-large-turbo-Q4_0.gguf", "Stable Diffusion 3", 4, 1.0, 1024),
    ("sdxl-turbo.safetensors", "SDXL", 1, 1.0, 512),
    ("DreamShaperXL_Turbo_v2_1.safetensors", "SDXL", 8, 2.0, 1024),
    ("ponyDiffusionV6XL.safetensors", "SDXL", 20, 7.0, 1024),
    ("cyberrealisticPony_v130.safetensors", "SDXL", 20, 7.0, 1024),
    ("waiNSFWIllustrious_v140.safetensors", "SDXL", 20, 7.0, 1024),
    ("NoobAI_eps_v1.1.safetensors", "SDXL", 20, 7.0, 1024),
    ("playground-v2.5-1024px-aesthetic.fp16.safetensors", "SDXL", 20, 7.0, 1024),
    ("dreamshaper_8.safetensors", "", 20, 7.0, 512),
    ("qwen_image_distill_full_fp8_e4m3fn.safetensors", "Qwen-Image", 10, 1.0, 1328),
    ("NetaYumev35_pretrained_all_in_one.safetensors", "Lumina 2", 30, 4.0, 1024),
    ("flux2-dev.safetensors", "Flux 2", 20, 1.0, 1024),
    ("hidream_i1_full_fp8.safetensors", "HiDream", 50, 5.0, 1024),
    ("hidream_i1_fast_fp8.safetensors", "HiDream", 16, 1.0, 1024),
    ("qwen_image_fp8_e4m3fn.safetensors", "Qwen-Image", 20, 2.5, 1328),
    ("z_image_turbo_bf16.safetensors", "Z-Image", 8, 1.0, 1024),
    ("z_image.safetensors", "Z-Image", 50, 4.0, 1024),
    ("Chroma1-HD-fp8_scaled_rev2.safetensors", "Chroma", 26, 3.5, 1024),
    ("NetaYume-Lumina-v35.safetensors", "Lumina 2", 30, 4.0, 1024),
    ("wan2.2_t2v_high_noise_14B.safetensors", "", 20, 7.0, 512),
]


@pytest.mark.parametrize(("model", "name", "steps", "cfg_scale", "side"), NAMES, ids=[case[0] for case in NAMES])
def test_models_are_known_by_their_names(model: str, name: str, steps: int, cfg_scale: float, side: int) -> None:
    family = family_of(model)
    assert (family.name, family.steps, family.cfg_scale) == (name, steps, cfg_scale)
    assert (family.width, family.height) == (side, side)


@pytest.mark.parametrize(
    ("model", "is_inpainting"),
    [("512-inpainting-ema.ckpt", True), ("juggernautXL_inpaint.safetensors", True), ("flux1-fill-dev.gguf", True),
     ("inpaint/sd_xl_base.safetensors", False)],
)  # fmt: skip
def test_models_for_inpainting(model: str, *, is_inpainting: bool) -> None:
    assert family_of(model).is_inpainting is is_inpainting


@pytest.mark.parametrize(
    "model",
    [
        "flux1-kontext-dev",
        "flux1-canny-dev",
        "flux1-depth-dev",
        "flux1-redux-dev",
        "qwen_image_edit_2509",
        "Chroma1-Radiance",
        "flux2",
        "wan2.2",
        "",
    ],
)
def test_kin_that_is_run_in_another_way_has_no_recipe(model: str) -> None:
    assert family_of(model).parts is None


def test_only_families_with_a_recipe_are_offered() -> None:
    assert {"Flux", "SDXL", "Stable Diffusion 3", "Qwen-Image", "Z-Image"} <= set(known_families())
    assert "" not in known_families()
    assert "Flux 2" not in known_families()


def test_the_best_pattern_counts_before_the_first_name() -> None:
    part = Part(what="", patterns=("^ae", "vae"))
    assert part.find(["flux/vae.safetensors", "flux/ae.safetensors"]) == "flux/ae.safetensors"
    assert part.find(["other\\VAE.sft", "x"]) == "other\\VAE.sft"
    assert part.find(["x"]) == ""


def test_text_encoders_are_told_apart() -> None:
    files = [
        "clip_g_hidream.safetensors",
        "clip_l_hidream.safetensors",
        "clip_l.safetensors",
        "umt5_xxl_fp8.safetensors",
        "t5xxl_fp16.safetensors",
        "llama_3.1_8b_instruct_fp8_scaled.safetensors",
    ]
    flux, hidream = family_of("flux1-dev").parts, family_of("hidream_i1_full").parts
    assert flux is not None
    assert hidream is not None
    assert [part.find(files) for part in flux.text_encoders] == ["clip_l.safetensors", "t5xxl_fp16.safetensors"]
    assert [part.find(files) for part in hidream.text_encoders] == [
        "clip_l_hidream.safetensors",
        "clip_g_hidream.safetensors",
        "t5xxl_fp16.safetensors",
        "llama_3.1_8b_instruct_fp8_scaled.safetensors",
    ]
