"""The calls of WorkflowService about stored workflows."""

from collections.abc import Mapping, Sequence

from imagegen.v1.job_pb2 import JobSpec, WorkflowInvocation
from imagegen.v1.workflow_pb2 import (
    BackendVerdict,
    CreateWorkflowRequest,
    DeleteWorkflowRequest,
    GetWorkflowRequest,
    ImportWorkflowRequest,
    ImportWorkflowResponse,
    ListWorkflowRevisionsRequest,
    ListWorkflowsRequest,
    RenderWorkflowRequest,
    RenderWorkflowResponse,
    UpdateWorkflowRequest,
    ValidateWorkflowRequest,
    Workflow,
    WorkflowInput,
    WorkflowInputs,
    WorkflowLabels,
)
from imagegen_client.calls.connection import Connection


class WorkflowCalls(Connection):
    """Workflows: graphs, or the built-in ways to make pictures, with named inputs."""

    async def list_workflows(self, *, text: str = "", label: str = "") -> list[Workflow]:
        """Workflows without their graphs, the built-in ones first."""
        request = ListWorkflowsRequest(text=text, label=label)
        return list((await self._call(self._workflows.ListWorkflows, request)).workflows)

    async def get_workflow(self, workflow_id: str, *, revision: int = 0) -> Workflow:
        """A workflow in a revision; 0: the newest."""
        request = GetWorkflowRequest(workflow_id=workflow_id, revision=revision)
        return (await self._call(self._workflows.GetWorkflow, request)).workflow

    async def create_workflow(self, workflow: Workflow) -> Workflow:
        """Stores a new workflow and gives it as it is stored. Raises NotPossible for an id that is taken.

        That is also raised when a first try had worked and only its answer was lost.
        """
        return (await self._call(self._workflows.CreateWorkflow, CreateWorkflowRequest(workflow=workflow))).workflow

    async def update_workflow(
        self,
        workflow_id: str,
        *,
        title: str | None = None,
        description: str | None = None,
        graph_json: str | None = None,
        inputs: Sequence[WorkflowInput] | None = None,
        ui_json: str | None = None,
        labels: Mapping[str, str] | None = None,
        expected_revision: int = 0,
    ) -> Workflow:
        """Stores a new revision, with what is given changed; `inputs` and `labels` replace all that there were.

        Raises NotPossible when `expected_revision` is given and not the newest any more.
        """
        request = UpdateWorkflowRequest(
            workflow_id=workflow_id,
            title=title,
            description=description,
            graph_json=graph_json,
            inputs=None if inputs is None else WorkflowInputs(inputs=inputs),
            ui_json=ui_json,
            labels=None if labels is None else WorkflowLabels(labels=labels),
            expected_revision=expected_revision,
        )
        return (await self._call(self._workflows.UpdateWorkflow, request)).workflow

    async def delete_workflow(self, workflow_id: str) -> None:
        """Takes a workflow out of the list; jobs that ran it can still be repeated.

        Raises NotFound also when a first try had worked and only its answer was lost.
        """
        await self._call(self._workflows.DeleteWorkflow, DeleteWorkflowRequest(workflow_id=workflow_id))

    async def workflow_revisions(self, workflow_id: str) -> list[Workflow]:
        """The revisions of a workflow, newest first, without their graphs."""
        request = ListWorkflowRevisionsRequest(workflow_id=workflow_id)
        return list((await self._call(self._workflows.ListWorkflowRevisions, request)).workflows)

    async def import_workflow(
        self,
        text: str = "",
        *,
        asset: str = "",
        name: str = "",
        openwebui_nodes_json: str = "",
        backend: str = "",
    ) -> ImportWorkflowResponse:
        """Reads a workflow in whatever form it comes: text, or else the digest of a picture that holds it.

        Stores nothing: `create_workflow` does, with the answer's `workflow`.
        """
        request = ImportWorkflowRequest(name=name, openwebui_nodes_json=openwebui_nodes_json, backend=backend)
        if asset:
            request.asset = asset
        else:
            request.text = text
        return await self._call(self._workflows.ImportWorkflow, request)

    async def validate_workflow(self, content: WorkflowInvocation | str, *, backend: str = "") -> list[BackendVerdict]:
        """What each backend says about a stored workflow, or about a graph in API format."""
        request = ValidateWorkflowRequest(backend=backend)
        if isinstance(content, str):
            request.graph_json = content
        else:
            request.workflow.CopyFrom(content)
        return list((await self._call(self._workflows.ValidateWorkflow, request)).verdicts)

    async def render_workflow(self, spec: JobSpec) -> RenderWorkflowResponse:
        """The graph that a backend would be sent for a job, without running it."""
        return await self._call(self._workflows.RenderWorkflow, RenderWorkflowRequest(spec=spec))
