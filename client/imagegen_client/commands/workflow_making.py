"""`imagegen workflows import`, `variant`, `validate` and `render`: how a workflow comes about, and whether it runs."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.job_pb2 import JobSpec, WorkflowInvocation
from imagegen.v1.workflow_pb2 import (
    BackendVerdict,
    Confidence,
    ImportWorkflowResponse,
    ProblemSeverity,
    Workflow,
    WorkflowFormat,
    WorkflowInput,
    WorkflowProblem,
)
from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.inputs import inputs_of, read_schema, with_uploads
from imagegen_client.commands.output import STDOUT
from imagegen_client.commands.printing import give, give_json, give_one, give_table, message_as_json, say
from imagegen_client.commands.session import AsJson, run
from imagegen_client.errors import InvalidRequest
from imagegen_client.specs import invocation

MAX_IMPORT_BYTES = 64 * 1024 * 1024
"""Of a picture; text may have less, as the server says."""

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_FORMATS = {
    WorkflowFormat.WORKFLOW_FORMAT_COMFYUI_API: "a ComfyUI graph in API format",
    WorkflowFormat.WORKFLOW_FORMAT_COMFYUI_UI: "a ComfyUI graph in UI format",
    WorkflowFormat.WORKFLOW_FORMAT_OPENWEBUI: "a ComfyUI graph with Open WebUI's node mapping",
    WorkflowFormat.WORKFLOW_FORMAT_A1111: "A1111's parameters",
}

Assignments: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value for an input; repeatable.")
]
OneBackend: TypeAlias = Annotated[str, typer.Option("--backend", metavar="NAME", help="Only this backend.")]


def import_workflow(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="A graph, a picture that ComfyUI or A1111 wrote, or `parameters` text; - is stdin.",
        ),
    ],
    workflow_id: Annotated[str, typer.Option("--as", metavar="ID", help="Its id. Default: from its name.")] = "",
    title: Annotated[str, typer.Option(help="What people call it. Default: its name.")] = "",
    openwebui_nodes: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Open WebUI's node mapping for the graph."),
    ] = None,
    backend: Annotated[str, typer.Option(metavar="NAME", help="Whose nodes to read it with. Default: all.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be stored, and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring in a workflow, with inputs that are found by following its links; say how sure each one is."""
    if file != STDOUT and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    content = _read(file)
    nodes = openwebui_nodes.read_text("utf-8") if openwebui_nodes else ""

    async def body(client: Client) -> None:
        picture = (await client.upload(content)).digest if content.startswith(_PICTURES) else ""
        read = await client.import_workflow(
            "" if picture else _text(content, file),
            asset=picture,
            name="" if file == STDOUT else file.name,
            openwebui_nodes_json=nodes,
            backend=backend,
        )
        workflow = read.workflow
        workflow.workflow_id = workflow_id or workflow.workflow_id
        workflow.title = title or workflow.title
        stored = None if dry_run else await client.create_workflow(workflow)
        if as_json:
            give_json({"import": message_as_json(read)} | ({"workflow": message_as_json(stored)} if stored else {}))
            return
        _tell(read)
        give(f"{stored.workflow_id} revision {stored.revision}" if stored else f"{workflow.workflow_id} (not stored)")

    run(context, body, as_json=as_json)


def _read(path: Path) -> bytes:
    with sys.stdin.buffer if path == STDOUT else path.open("rb") as stream:
        content = stream.read(MAX_IMPORT_BYTES + 1)
    if len(content) > MAX_IMPORT_BYTES:
        raise typer.BadParameter(f"{path} is larger than {MAX_IMPORT_BYTES} bytes", param_hint="FILE")
    return content


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is neither text nor a picture", param_hint="FILE") from None


def _tell(read: ImportWorkflowResponse) -> None:
    """What was found, to the person."""
    say(f"this is {_FORMATS.get(read.format, 'a workflow')}")
    for proposal in read.proposals:
        sure = Confidence.Name(proposal.confidence).removeprefix("CONFIDENCE_").lower()
        say(f"  {proposal.name} ({sure}): {proposal.reason}")
    _say_problems(read.problems)


def _say_problems(problems: Sequence[WorkflowProblem]) -> None:
    for problem in problems:
        say(f"  {_severity(problem)}: {_sentence(problem)}")


def _severity(problem: WorkflowProblem) -> str:
    return "error" if problem.severity == ProblemSeverity.PROBLEM_SEVERITY_ERROR else "warning"


def _sentence(problem: WorkflowProblem) -> str:
    node = f"{problem.node_title or problem.class_type} ({problem.node_id})" if problem.node_id else ""
    untold = [name for name in problem.suggestions[:5] if name not in problem.message]
    near = f"; near: {', '.join(untold)}" if untold else ""
    return (f"{node}: " if node and problem.node_id not in problem.message else "") + problem.message + near


def variant(
    context: typer.Context,
    workflow_id: Annotated[str, typer.Argument(metavar="ID", help="The new workflow's id.", show_default=False)],
    base: Annotated[str, typer.Option("--of", metavar="ID", help="The built-in workflow.")] = "text-to-image",
    title: Annotated[str, typer.Option(help="What people call it. Default: the id.")] = "",
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Store a variant of a built-in workflow, with defaults of its own: a style, or a preset."""

    async def body(client: Client) -> None:
        schema = read_schema((await client.get_workflow(base)).input_schema_json)
        given = inputs_of(base, schema, assignments or ())
        values = invocation(base, await with_uploads(client, given)).inputs.fields
        inputs = [WorkflowInput(name=name, default_value=values[name]) for name in given]
        workflow = Workflow(workflow_id=workflow_id, title=title, base=base, inputs=inputs)
        stored = await client.create_workflow(workflow)
        give_one("workflow", stored, f"{stored.workflow_id} revision {stored.revision}", as_json=as_json)

    run(context, body, as_json=as_json)


def validate(
    context: typer.Context,
    workflow: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE", help="A workflow; or a file with one, as `show --json` gives it, or a graph."
        ),
    ],
    backend: OneBackend = "",
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Find out which backends can run a workflow, and what keeps the others from it. Status 1: none can."""
    file = Path(workflow)
    text = _text(_read(file), file) if file.is_file() else None
    if text is not None and assignments:
        raise typer.BadParameter("goes with the id of a workflow; a file is taken as it is", param_hint="--set")

    async def body(client: Client) -> Exit:
        if text is not None:
            content: WorkflowInvocation | str = await _graph_in(client, text)
        else:
            content = await _invocation(client, workflow, 0, assignments or ())
        verdicts = await client.validate_workflow(content, backend=backend)
        if as_json:
            for verdict in verdicts:
                give_json({"verdict": message_as_json(verdict)})
        else:
            give_table(["BACKEND", "", "WHAT IS WRONG"], [row for verdict in verdicts for row in _rows(verdict)])
        return Exit.SUCCESS if any(verdict.runnable for verdict in verdicts) else Exit.FAILED

    run(context, body, as_json=as_json)


async def _graph_in(client: Client, text: str) -> str:
    """The graph in API format that a file holds. What is no graph at all is for the server to say."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict) and isinstance(value.get("nodes"), list):
        return (await client.import_workflow(text)).workflow.graph_json
    stored = value.get("workflow", value) if isinstance(value, dict) else None
    if not isinstance(stored, dict) or not isinstance(stored.get("graph_json"), str):
        return text
    if not stored["graph_json"]:
        raise InvalidRequest("a variant has no graph of its own: store it, and give its id")
    return str(stored["graph_json"])


def _rows(verdict: BackendVerdict) -> list[list[str]]:
    runs = ("yes" if verdict.runnable else "no") + (", as far as is known" if verdict.unknown else "")
    problems = [f"{_severity(problem)}: {_sentence(problem)}" for problem in verdict.problems]
    first, *rest = problems or [""]
    return [[verdict.backend, runs, first], *(["", "", problem] for problem in rest)]


def render(
    context: typer.Context,
    workflow: Annotated[str, typer.Argument(metavar="ID", help="The workflow.", show_default=False)],
    revision: Annotated[int, typer.Option(min=0, help="Default: the newest.", show_default=False)] = 0,
    backend: OneBackend = "",
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Print the graph that a backend would be sent, and run nothing."""

    async def body(client: Client) -> None:
        invoked = await _invocation(client, workflow, revision, assignments or ())
        rendered = await client.render_workflow(JobSpec(workflow=invoked, backend=backend))
        give_one("rendered", rendered, rendered.graph_json, as_json=as_json)

    run(context, body, as_json=as_json)


async def _invocation(
    client: Client, workflow_id: str, revision: int, assignments: Sequence[str]
) -> WorkflowInvocation:
    if not assignments:
        return invocation(workflow_id, revision=revision)
    found = await client.get_workflow(workflow_id, revision=revision)
    given = inputs_of(workflow_id, read_schema(found.input_schema_json), assignments)
    return invocation(workflow_id, await with_uploads(client, given), revision=revision)
