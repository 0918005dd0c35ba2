"""What somebody should know about a graph. Pure."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Severity(Enum):
    WARNING = auto()
    """It runs all the same, as far as can be known beforehand."""
    ERROR = auto()
    """It cannot run."""


class ProblemCode(StrEnum):
    """Stable names, as in `WorkflowProblem` of the contract."""

    NODE_CLASS_MISSING = "NODE_CLASS_MISSING"
    MODEL_MISSING = "MODEL_MISSING"
    FILE_MISSING = "FILE_MISSING"
    VALUE_NOT_ALLOWED = "VALUE_NOT_ALLOWED"
    VALUE_OUT_OF_RANGE = "VALUE_OUT_OF_RANGE"
    VALUE_OF_WRONG_TYPE = "VALUE_OF_WRONG_TYPE"
    INPUT_MISSING = "INPUT_MISSING"
    INPUT_UNKNOWN = "INPUT_UNKNOWN"
    LINK_DANGLING = "LINK_DANGLING"
    LINK_OF_WRONG_TYPE = "LINK_OF_WRONG_TYPE"
    CYCLE = "CYCLE"
    NO_OUTPUT = "NO_OUTPUT"
    NODE_MALFORMED = "NODE_MALFORMED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    CONVERSION = "CONVERSION"
    SETTING_LOST = "SETTING_LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphProblem:
    severity: Severity
    code: ProblemCode
    message: str
    """A sentence for a person; it names the node, as 'KSampler "Second pass" (12)'."""
    node_id: str = ""
    """Empty: no node in particular. In UI format nodes of subgraphs are "12:3"."""
    node_title: str = ""
    """What people see on the node."""
    class_type: str = ""
    input_name: str = ""
    """Empty: no input in particular."""
    suggestions: tuple[str, ...] = ()
    """Names that are near to one that is missing, or what is allowed, nearest first, at most 20."""


def node_label(node_id: str, class_type: str, title: str = "") -> str:
    """What messages call a node: its class, its title where it says more, its id."""
    if not class_type:
        return f"node {node_id}"
    shown = f' "{title}"' if title and title != class_type else ""
    return f"{class_type}{shown} ({node_id})"
