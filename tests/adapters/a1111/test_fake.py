"""The fake against what was recorded from the real server."""

import asyncio
import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.fakes.a1111 import Faults
from tests.fakes.a1111.engine import Config, Engine

RECORDINGS = Path(__file__).parents[2] / "recordings" / "a1111"
Row: TypeAlias = tuple[int, str, int, int, int]


@pytest.fixture
def engine() -> Engine:
    return Engine(config=Config(), faults=Faults(), step_s=0.002, load_s=0.01, is_loaded=True)


def row(state: dict[str, Any]) -> Row:
    return state["job_count"], state["job"], state["job_no"], state["sampling_step"], state["sampling_steps"]


async def watch(engine: Engine, kind: str, body: dict[str, Any]) -> tuple[list[Row], dict[str, Any]]:
    """Every state that a poll could have seen, and the answer."""
    rows = [row(engine.state.document())]
    job = asyncio.create_task(engine.run(kind, body))
    while not job.done():
        await asyncio.wait({job}, timeout=0)
        if (seen := row(engine.state.document())) != rows[-1]:
            rows.append(seen)
    rows.append(row(engine.state.document()))
    return rows, job.result()


def is_within(needles: list[Row], hay: list[Row]) -> bool:
    """Whether all needles stand in the hay in their order."""
    rest = iter(hay)
    return all(needle in rest for needle in needles)


@pytest.mark.parametrize("name", ["plain", "hires", "img2img", "model_load", "previews"])
async def test_a_job_has_the_recorded_life(engine: Engine, name: str) -> None:
    recorded = json.loads((RECORDINGS / f"life_{name}.json").read_text())
    wanted = [row(poll["doc"]["state"]) for poll in recorded["progress"]]
    engine.state.job_no, engine.state.sampling_steps = wanted[0][2], wanted[0][4]  # left by the job before
    kind = "img2img" if name == "img2img" else "txt2img"
    body = recorded["request"]
    if kind == "img2img":
        body["init_images"] = [
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
        ]
    rows, answer = await watch(engine, kind, body)
    assert is_within(wanted, rows), (wanted, rows)
    assert answer["info"]


async def test_an_answer_has_the_recorded_keys(engine: Engine) -> None:
    recorded = json.loads((RECORDINGS / "answer_plain.json").read_text())
    _, answer = await watch(engine, "txt2img", {"prompt": "a cat", "width": 64, "height": 64, "steps": 2})
    assert answer.keys() == recorded.keys()
    assert answer["parameters"].keys() == recorded["parameters"].keys()
    assert json.loads(answer["info"]).keys() == json.loads(recorded["info"]).keys()


async def test_settings_leak_unless_they_are_in_the_config_file(engine: Engine) -> None:
    body = {"steps": 1, "width": 8, "height": 8, "override_settings": {"eta_noise_seed_delta": 31337}}
    await engine.run("txt2img", body)
    assert engine.options["eta_noise_seed_delta"] == 31337
    await engine.set_options({"eta_noise_seed_delta": 0})
    await engine.run("txt2img", body)
    assert engine.options["eta_noise_seed_delta"] == 0


async def test_only_sixteen_finished_tasks_are_known(engine: Engine) -> None:
    for number in range(17):
        await engine.run("txt2img", {"steps": 1, "width": 8, "height": 8, "force_task_id": f"task({number})"})
    known = [engine.task_progress(f"task({n})", preview_id=-1, shows_preview=False)["completed"] for n in range(17)]
    assert known == [False] + [True] * 16
