"""The samplers and schedules that A1111 1.10.1 has, and what they are called elsewhere. Pure."""

from dataclasses import dataclass, field
from typing import Final

AUTOMATIC: Final = "Automatic"


@dataclass(frozen=True, slots=True)
class SamplerName:
    """A sampler that A1111 has."""

    name: str
    aliases: tuple[str, ...]
    """A1111's own other names."""
    elsewhere: tuple[str, ...] = ()
    """What other kinds of backends call it."""
    options: dict[str, str] = field(default_factory=dict)
    """As the list of samplers shows them."""


@dataclass(frozen=True, slots=True)
class SchedulerName:
    """A schedule that A1111 has."""

    name: str
    label: str
    elsewhere: tuple[str, ...] = ()
    """What other kinds of backends call it."""
    default_rho: float = -1.0
    need_inner_model: bool = False
    aliases: tuple[str, ...] | None = None


SAMPLERS: Final = (
    SamplerName("DPM++ 2M", ("k_dpmpp_2m",), ("dpmpp_2m",), {"scheduler": "karras"}),
    SamplerName(
        "DPM++ SDE",
        ("k_dpmpp_sde",),
        ("dpmpp_sde",),
        {"scheduler": "karras", "second_order": "True", "brownian_noise": "True"},
    ),
    SamplerName(
        "DPM++ 2M SDE", ("k_dpmpp_2m_sde",), ("dpmpp_2m_sde",), {"scheduler": "exponential", "brownian_noise": "True"}
    ),
    SamplerName(
        "DPM++ 2M SDE Heun",
        ("k_dpmpp_2m_sde_heun",),
        ("dpmpp_2m_sde_heun",),
        {"scheduler": "exponential", "brownian_noise": "True", "solver_type": "heun"},
    ),
    SamplerName(
        "DPM++ 2S a",
        ("k_dpmpp_2s_a",),
        ("dpmpp_2s_ancestral",),
        {"scheduler": "karras", "uses_ensd": "True", "second_order": "True"},
    ),
    SamplerName(
        "DPM++ 3M SDE",
        ("k_dpmpp_3m_sde",),
        ("dpmpp_3m_sde",),
        {"scheduler": "exponential", "discard_next_to_last_sigma": "True", "brownian_noise": "True"},
    ),
    # The demo paints and samples nothing; these two are what comes nearest, so that A1111's defaults work with it.
    SamplerName(
        "Euler a", ("k_euler_a", "k_euler_ancestral"), ("euler_ancestral", "demo-ancestral"), {"uses_ensd": "True"}
    ),
    SamplerName("Euler", ("k_euler",), ("euler", "demo")),
    SamplerName("LMS", ("k_lms",), ("lms",)),
    SamplerName("Heun", ("k_heun",), ("heun",), {"second_order": "True"}),
    SamplerName(
        "DPM2",
        ("k_dpm_2",),
        ("dpm_2",),
        {"scheduler": "karras", "discard_next_to_last_sigma": "True", "second_order": "True"},
    ),
    SamplerName(
        "DPM2 a",
        ("k_dpm_2_a",),
        ("dpm_2_ancestral",),
        {
            "scheduler": "karras",
            "discard_next_to_last_sigma": "True",
            "uses_ensd": "True",
            "second_order": "True",
        },
    ),
    SamplerName("DPM fast", ("k_dpm_fast",), ("dpm_fast",), {"uses_ensd": "True"}),
    SamplerName("DPM adaptive", ("k_dpm_ad",), ("dpm_adaptive",), {"uses_ensd": "True"}),
    SamplerName("Restart", ("restart",), (), {"scheduler": "karras", "second_order": "True"}),
    SamplerName("DDIM", ("ddim",), ("ddim",)),
    SamplerName("DDIM CFG++", ("ddim_cfgpp",)),
    SamplerName("PLMS", ("plms",)),
    SamplerName("UniPC", ("unipc",), ("uni_pc",)),
    SamplerName("LCM", ("k_lcm",), ("lcm",)),
)
SCHEDULERS: Final = (
    SchedulerName("automatic", AUTOMATIC),
    SchedulerName("uniform", "Uniform", need_inner_model=True),
    SchedulerName("karras", "Karras", default_rho=7.0),
    SchedulerName("exponential", "Exponential"),
    SchedulerName("polyexponential", "Polyexponential", default_rho=1.0),
    SchedulerName("sgm_uniform", "SGM Uniform", need_inner_model=True, aliases=("SGMUniform",)),
    SchedulerName("kl_optimal", "KL Optimal"),
    SchedulerName("align_your_steps", "Align Your Steps"),
    SchedulerName("simple", "Simple", need_inner_model=True),
    SchedulerName("normal", "Normal", need_inner_model=True),
    SchedulerName("ddim", "DDIM", ("ddim_uniform",), need_inner_model=True),
    SchedulerName("beta", "Beta", need_inner_model=True),
)
SAMPLER_OF: Final = {
    name.lower(): sampler for sampler in SAMPLERS for name in (sampler.name, *sampler.aliases, *sampler.elsewhere)
}
SCHEDULER_OF: Final = {
    name.lower(): scheduler
    for scheduler in SCHEDULERS
    for name in (scheduler.name, scheduler.label, *scheduler.elsewhere, *(scheduler.aliases or ()))
}
"""By all its names, in lower case."""
