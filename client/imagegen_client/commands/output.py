"""Where finished pictures go."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.job_pb2 import Job, Output, OutputKind
from imagegen_client.client import Client

STDOUT = Path("-")
"""What this name means elsewhere, and in `imagegen assets get`."""

_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4"}


def check_name(target: Path | None) -> Path | None:
    """As a callback of the option: refuses what elsewhere means stdout, where the names of the files go."""
    if target == STDOUT:
        raise typer.BadParameter("needs a name: `imagegen assets get DIGEST` writes a picture to stdout")
    return target


OutputPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File or folder; several pictures are numbered. Default: JOB-NUMBER.png here.",
        callback=check_name,
        show_default=False,
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Overwrite files.")]


def results(job: Job) -> list[Output]:
    """The job's results without by-products, in the order of its images."""
    outputs = [output for output in job.outputs if output.kind != OutputKind.OUTPUT_KIND_INTERMEDIATE]
    return sorted(outputs, key=lambda output: (output.image_index, output.index))


def file_names(target: Path | None, job_id: str, media_types: Sequence[str]) -> list[Path]:
    """A name for each result: the target itself for one, numbered from 1 for more.

    Without a target, or into a folder, they are called after the job. A target without suffix gets that of its type.
    """
    suffixes = [_SUFFIXES.get(media_type, ".bin") for media_type in media_types]
    if target is None or target.is_dir():
        return [(target or Path()) / f"{job_id[:8]}-{number}{suffix}" for number, suffix in enumerate(suffixes, 1)]
    if len(suffixes) == 1:
        return [target if target.suffix else target.with_name(target.name + suffixes[0])]
    numbered = enumerate(suffixes, 1)
    return [target.with_name(f"{target.stem}-{number}{target.suffix or suffix}") for number, suffix in numbered]


def check_free(target: Path | None, count: int, *, overwrite: bool) -> None:
    """Looks for names that are taken before any work is done. Raises FileExistsError, or OSError for a missing folder.

    What it cannot know (the number of a graph's results, their types) comes out when they are saved.
    """
    if target is None or target.is_dir():
        return
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(target.parent))
    for path in file_names(target, "", ["image/png"] * max(1, count)):
        if path.exists() and not overwrite:
            raise FileExistsError(17, "File exists", str(path))


async def save_results(client: Client, job: Job, target: Path | None, *, overwrite: bool) -> list[tuple[Path, Output]]:
    """Downloads a job's results. Raises OSError for a file that cannot be written; those before it are there."""
    outputs = results(job)
    paths = file_names(target, job.job_id, [output.asset.media_type for output in outputs])
    saved = list(zip(paths, outputs, strict=True))
    for path, output in saved:
        await client.download_to(output.asset.digest, path, overwrite=overwrite)
    return saved
