"""Which inputs of a graph people want to set, found by following its links from the samplers. Pure.

`tracing` follows links; `stages` finds the samplers, by what they take and give, so that those of extensions count too;
`texts`, `pictures`, `models`, `sizes`, `sampling` and `controls` each know one kind of input; `drafts` keeps what they
find apart. A graph without samplers is left to `guesses`.
"""

from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.inputs import Proposal
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.proposing.controls import propose_controls
from imagegen_adapters.graphs.proposing.drafts import Drafts
from imagegen_adapters.graphs.proposing.guesses import guess_inputs
from imagegen_adapters.graphs.proposing.models import propose_models, propose_parts
from imagegen_adapters.graphs.proposing.pictures import propose_pictures
from imagegen_adapters.graphs.proposing.sampling import propose_sampling
from imagegen_adapters.graphs.proposing.sizes import propose_size
from imagegen_adapters.graphs.proposing.stages import find_stages
from imagegen_adapters.graphs.proposing.texts import propose_texts
from imagegen_adapters.graphs.proposing.tracing import Tracer


def propose(graph: Graph, classes: NodeClasses) -> tuple[Proposal, ...]:
    """The inputs of a graph, those that people ask for first in front. Names are unique.

    Nothing is raised for links that dangle or go round: what cannot be found is left out.
    Targets hold literal values, never links, and no two inputs have one in common.
    Takes time that is linear in the size of the graph.
    """
    tracer = Tracer(graph, classes)
    nodes = graph.execution_order(graph.outputs(classes))
    stages = find_stages(tracer, nodes)
    drafts = Drafts()
    propose_texts(tracer, stages, drafts)
    if not stages:
        guess_inputs(tracer, nodes, drafts)
    propose_pictures(tracer, stages, nodes, drafts)
    propose_models(tracer, stages, drafts)
    propose_size(tracer, stages, nodes, drafts)
    propose_sampling(tracer, stages, drafts)
    propose_controls(tracer, nodes, drafts)
    propose_parts(tracer, stages, nodes, drafts)
    return drafts.proposals()
