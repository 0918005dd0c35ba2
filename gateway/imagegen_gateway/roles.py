"""Which role each rpc needs. Pure.

What concerns everybody's work is for admins; the rest stays open, because a house has one queue and one gallery.
"""

from collections.abc import Mapping
from typing import Final

from google.protobuf.message import Message

from imagegen.v1 import queue_pb2
from imagegen_gateway.keys import Role

NEEDED: Final[Mapping[str, Role]] = {
    # image_gen.proto
    "CreateJob": Role.USER,
    "GenerateImages": Role.USER,
    "GetJob": Role.USER,
    "ListJobs": Role.USER,
    "WatchJob": Role.USER,
    "WatchJobs": Role.USER,
    "CancelJob": Role.USER,
    "RetryJob": Role.USER,
    "UpdateJob": Role.USER,
    "DeleteJob": Role.USER,
    "GetGenerationMetadata": Role.USER,
    # queue.proto
    "GetQueue": Role.USER,
    "ListQueueEntries": Role.USER,
    "PauseQueue": Role.ADMIN,
    "ResumeQueue": Role.ADMIN,
    "MoveJob": Role.USER,
    # asset.proto
    "GetAsset": Role.USER,
    "ListAssets": Role.USER,
    "GetAssetFacets": Role.USER,
    "ReadAsset": Role.USER,
    "WriteAsset": Role.USER,
    "UpdateAsset": Role.USER,
    "DeleteAsset": Role.USER,
    "UndeleteAsset": Role.USER,
    # backend.proto
    "ListBackends": Role.USER,
    "GetBackend": Role.USER,
    "RefreshBackend": Role.USER,
    "CreateBackend": Role.ADMIN,
    "DeleteBackend": Role.ADMIN,
    "DrainBackend": Role.ADMIN,
    "UndrainBackend": Role.ADMIN,
    # model.proto
    "ListModels": Role.USER,
    "GetModel": Role.USER,
    "RefreshModels": Role.USER,
    "LoadModel": Role.ADMIN,
    "UnloadModels": Role.ADMIN,
    # workflow.proto
    "ListWorkflows": Role.USER,
    "GetWorkflow": Role.USER,
    "CreateWorkflow": Role.USER,
    "UpdateWorkflow": Role.USER,
    "DeleteWorkflow": Role.USER,
    "ListWorkflowRevisions": Role.USER,
    "ImportWorkflow": Role.USER,
    "ValidateWorkflow": Role.USER,
    "RenderWorkflow": Role.USER,
    "GetNodeDefinitions": Role.USER,
    # settings.proto
    "GetSettings": Role.USER,
    "UpdateSettings": Role.ADMIN,
    "ListSettingsChanges": Role.USER,
    # key.proto
    "ListKeys": Role.ADMIN,
    "CreateKey": Role.ADMIN,
    "DeleteKey": Role.ADMIN,
    "WatchKeys": Role.ADMIN,
    # system.proto
    "GetSystem": Role.USER,
    "WatchSystem": Role.USER,
}
"""Total: a test compares it with the contract."""


def needed_role(rpc: str, request: Message, owner: str) -> Role:
    """What a caller with this owner needs for a call. Everybody may pause and resume what is their own."""
    match request:
        case queue_pb2.PauseQueueRequest() | queue_pb2.ResumeQueueRequest() if owner and request.owner == owner:
            return Role.USER
        case _:
            return NEEDED[rpc]


def is_allowed(role: Role, needed: Role) -> bool:
    """Whether who has this role may do what needs that one."""
    return role is Role.ADMIN or needed is Role.USER
