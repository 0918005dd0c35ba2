"""Which inputs of a graph people want to set, found by following its links from the samplers. Pure."""

from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.inputs import Proposal
from imagegen_adapters.graphs.node_classes import NodeClasses


def propose(graph: Graph, classes: NodeClasses) -> tuple[Proposal, ...]:
    """The inputs of a graph, those that people ask for first in front. Names are unique.

    Nothing is raised for links that dangle or go round: what cannot be found is left out.
    Targets hold literal values, never links. Takes time that is linear in the size of the graph.
    """
    raise NotImplementedError
