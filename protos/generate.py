"""Generates the committed stubs from the .proto files: `python protos/generate.py [--check]`.

Imports come from installed packages: `google/api` and `google/rpc` ship their .proto files, `buf/validate` only its
descriptor, so everything that we import goes to protoc as one descriptor set.
With --check nothing is written; the exit status is 1 if a committed file differs from what would be written.
"""

import os
import sys
import tempfile
from pathlib import Path

import google.api  # type: ignore[import-untyped]  # ships no annotations
import grpc_tools  # type: ignore[import-untyped]  # ships no annotations
from google.protobuf import descriptor_pb2
from grpc_tools import protoc
from protovalidate import ViolationPb

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "imagegen" / "v1"
WELL_KNOWN = Path(grpc_tools.__path__[0]) / "_proto"
GOOGLEAPIS = Path(next(iter(google.api.__path__))).parents[1]


def run_protoc(*arguments: str) -> None:
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit("protoc failed")


def write_import_set(folder: Path) -> Path:
    """A descriptor set with all that our files import."""
    google_set = folder / "google.binpb"
    run_protoc(
        f"--proto_path={GOOGLEAPIS}",
        f"--proto_path={WELL_KNOWN}",
        "--include_imports",
        f"--descriptor_set_out={google_set}",
        "google/api/annotations.proto",
        "google/rpc/status.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/field_mask.proto",
    )
    files = descriptor_pb2.FileDescriptorSet.FromString(google_set.read_bytes())
    files.file.add().MergeFromString(ViolationPb.desc().file.proto.to_binary())
    import_set = folder / "imports.binpb"
    import_set.write_bytes(files.SerializeToString(deterministic=True))
    return import_set


def sources() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in PACKAGE.glob("*.proto"))


def generate(out: Path) -> None:
    """Writes stubs, type stubs and the descriptor set with comments below `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        import_set = write_import_set(Path(scratch))
        run_protoc(
            f"--descriptor_set_in={import_set}",
            f"--proto_path={ROOT}",
            f"--python_out={out}",
            f"--mypy_out=quiet:{out}",
            *sources(),
        )
        run_protoc(
            f"--descriptor_set_in={import_set}",
            f"--proto_path={ROOT}",
            f"--grpc_python_out={out}",
            f"--mypy_grpc_out=quiet:{out}",
            *(name for name in sources() if "\nservice " in (ROOT / name).read_text()),
        )
        run_protoc(
            f"--descriptor_set_in={import_set}",
            f"--proto_path={ROOT}",
            "--include_source_info",
            "--include_imports",
            f"--descriptor_set_out={out / 'imagegen' / 'v1' / 'imagegen.binpb'}",
            *sources(),
        )


def check(fresh: Path) -> list[str]:
    """Names of committed files that differ from `fresh`, or are missing or left over."""
    wanted = {p.relative_to(fresh): p.read_bytes() for p in fresh.rglob("*") if p.is_file()}
    patterns = ("*_pb2*", "*.binpb")
    present = {p.relative_to(ROOT): p.read_bytes() for pattern in patterns for p in PACKAGE.glob(pattern)}
    return sorted(str(name) for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main() -> None:
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # protoc-gen-mypy
    if "--check" not in sys.argv[1:]:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = check(Path(scratch))
    if stale:
        sys.exit("stubs are not current, run `make protos`: " + ", ".join(stale))


if __name__ == "__main__":
    main()
