"""`imagegen workflows`: graphs with named inputs, and variants of the built-in ways to make pictures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from google.protobuf.json_format import ParseDict, ParseError

from imagegen.v1.workflow_pb2 import Workflow
from imagegen_client.client import Client
from imagegen_client.commands import workflow_making
from imagegen_client.commands.inputs import read_schema
from imagegen_client.commands.printing import give, give_json, give_one, give_table, local_time, message_as_json
from imagegen_client.commands.request import MAX_GRAPH_BYTES
from imagegen_client.commands.session import AsJson, is_alone, run
from imagegen_client.errors import InvalidRequest
from imagegen_client.specs import whole_numbers

app = typer.Typer(invoke_without_command=True)

WorkflowId: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, as `imagegen workflows` shows it.", show_default=False)
]
WorkflowFile: TypeAlias = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="JSON, as `show --json` gives it.")
]
Revision: TypeAlias = Annotated[int, typer.Option(min=0, help="Default: the newest.", show_default=False)]


@app.callback()
def workflows(
    context: typer.Context,
    text: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only with this in id, title or text.")] = "",
    label: Annotated[str, typer.Option(metavar="KEY[=VALUE]", help="Only with this label.")] = "",
    as_json: AsJson = False,
) -> None:
    """List workflows; import, check, change and export them."""
    if not is_alone(context):
        return

    async def body(client: Client) -> None:
        listed = await client.list_workflows(text=text, label=label)
        if as_json:
            for workflow in listed:
                give_json({"workflow": message_as_json(workflow)})
        else:
            give_table(["ID", "REVISION", "TITLE", "OF", "INPUTS"], [_row(each) for each in listed], optional={"OF"})

    run(context, body, as_json=as_json)


def _row(workflow: Workflow) -> list[str]:
    revision = "built in" if workflow.built_in else str(workflow.revision)
    names = _some(list(read_schema(workflow.input_schema_json)), 8)
    return [workflow.workflow_id, revision, workflow.title, workflow.base, names]


def _some(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@app.command()
def show(context: typer.Context, workflow: WorkflowId, revision: Revision = 0, as_json: AsJson = False) -> None:
    """Show a workflow and what its inputs take."""

    async def body(client: Client) -> None:
        found = await client.get_workflow(workflow, revision=revision)
        if as_json:
            give_json({"workflow": message_as_json(found)})
            return
        for line in _about(found):
            give(line)
        schema = read_schema(found.input_schema_json)
        rows = [[name, _kind(about), _shown(about.get("default")), _meaning(about)] for name, about in schema.items()]
        give_table(["INPUT", "TAKES", "DEFAULT", ""], rows)

    run(context, body, as_json=as_json)


def _about(workflow: Workflow) -> list[str]:
    what = f"a variant of {workflow.base}" if workflow.base else "a graph"
    made = "built in" if workflow.built_in else f"{what}, revision {workflow.revision}"
    if workflow.HasField("update_time"):
        made += f" of {local_time(workflow.update_time)}" + (f" by {workflow.owner}" if workflow.owner else "")
    lines = [f"{workflow.title or workflow.workflow_id} ({workflow.workflow_id}): {made}", workflow.description]
    return [line for line in lines if line]


def _kind(about: dict[str, Any]) -> str:
    """What an input takes, in a few words."""
    if "enum" in about:
        return _some([_shown(value) for value in about["enum"]], 6)
    kind = str(about.get("x-type") or about.get("type", ""))
    least, most = whole_numbers(about.get("minimum")), whole_numbers(about.get("maximum"))
    return f"{kind} from {least} to {most}" if least is not None and most is not None else kind


def _meaning(about: dict[str, Any]) -> str:
    return " — ".join(text for text in (about.get("title", ""), about.get("description", "")) if text)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(whole_numbers(value), ensure_ascii=False)
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else flat[:39] + "…"


@app.command()
def revisions(context: typer.Context, workflow: WorkflowId, as_json: AsJson = False) -> None:
    """List the revisions of a workflow, newest first."""

    async def body(client: Client) -> None:
        listed = await client.workflow_revisions(workflow)
        if as_json:
            for each in listed:
                give_json({"workflow": message_as_json(each)})
            return
        rows = [[str(each.revision), local_time(each.update_time), each.owner, each.title] for each in listed]
        give_table(["REVISION", "STORED", "BY", "TITLE"], rows, optional={"BY"})

    run(context, body, as_json=as_json)


@app.command()
def export(
    context: typer.Context,
    workflow: WorkflowId,
    revision: Revision = 0,
    form: Annotated[str, typer.Option("--format", help="`api`, which runs, or `ui`, for ComfyUI's page.")] = "api",
) -> None:
    """Print a workflow's graph, for ComfyUI."""
    if form not in {"api", "ui"}:
        raise typer.BadParameter(f"{form!r} is neither api nor ui", param_hint="--format")

    async def body(client: Client) -> None:
        found = await client.get_workflow(workflow, revision=revision)
        graph = found.graph_json if form == "api" else found.ui_json
        if not graph:
            missing = "was not imported in UI format" if found.graph_json else "has no graph of its own: see `render`"
            raise InvalidRequest(f"the workflow {workflow} {missing}")
        give(graph)

    run(context, body)


@app.command()
def create(context: typer.Context, file: WorkflowFile, as_json: AsJson = False) -> None:
    """Store a workflow as JSON describes it: its graph or base, and its inputs."""
    _store(context, file, lambda client, workflow: client.create_workflow(workflow), as_json=as_json)


@app.command()
def update(
    context: typer.Context,
    file: WorkflowFile,
    as_json: AsJson = False,
) -> None:
    """Store a new revision of a workflow. Refused if it has changed since the file was made."""

    async def change(client: Client, workflow: Workflow) -> Workflow:
        return await client.update_workflow(
            workflow.workflow_id,
            title=workflow.title,
            description=workflow.description,
            graph_json=workflow.graph_json or None,
            inputs=workflow.inputs,
            ui_json=workflow.ui_json or None,
            labels=workflow.labels,
            expected_revision=workflow.revision,
        )

    _store(context, file, change, as_json=as_json)


def _store(context: typer.Context, file: Path, store: Callable[[Client, Workflow], Any], *, as_json: bool) -> None:
    workflow = read_workflow(file)

    async def body(client: Client) -> None:
        stored = await store(client, workflow)
        give_one("workflow", stored, f"{stored.workflow_id} revision {stored.revision}", as_json=as_json)

    run(context, body, as_json=as_json)


def read_workflow(path: Path) -> Workflow:
    """A workflow in a file of JSON, as `show --json` gives it. Raises OSError, BadParameter."""
    with path.open("rb") as file:
        content = file.read(3 * MAX_GRAPH_BYTES)
    try:
        value = json.loads(content)
        return ParseDict(value.get("workflow", value), Workflow())
    except AttributeError:
        raise typer.BadParameter(f"{path} is no workflow: it is no JSON object", param_hint="FILE") from None
    except ParseError as exc:
        cause = str(exc).partition("\n")[0]
        hint = "a graph is brought in by `imagegen workflows import`"
        raise typer.BadParameter(f"{path} is no workflow: {cause} ({hint})", param_hint="FILE") from None
    except (ValueError, RecursionError) as exc:
        raise typer.BadParameter(f"{path} is no workflow: {exc}", param_hint="FILE") from None


@app.command()
def delete(
    context: typer.Context,
    workflows: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Take workflows out of the list. Jobs that ran them can still be repeated."""

    async def body(client: Client) -> None:
        for workflow_id in workflows:
            await client.delete_workflow(workflow_id)
            if as_json:
                give_json({"deleted": {"workflow_id": workflow_id}})
            else:
                give(f"{workflow_id} deleted")

    run(context, body, as_json=as_json)


app.command("import")(workflow_making.import_workflow)
app.command()(workflow_making.variant)
app.command()(workflow_making.validate)
app.command()(workflow_making.render)
