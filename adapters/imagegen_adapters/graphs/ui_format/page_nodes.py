"""Nodes that are the page's own: they are drawn and never sent. Pure."""

from imagegen_adapters.graphs.ui_format.documents import UiNode

PRIMITIVE = "PrimitiveNode"
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
SETTER, GETTER = "SetNode", "GetNode"
"""Of KJNodes: links without lines, by name."""
_NOTES = frozenset({"Note", "MarkdownNote", "Note Plus (mtb)", "Label (rgthree)", "Bookmark (rgthree)"})
_SWITCHES = frozenset(
    {
        "Fast Muter (rgthree)",
        "Fast Bypasser (rgthree)",
        "Fast Groups Muter (rgthree)",
        "Fast Groups Bypasser (rgthree)",
        "Fast Actions Button (rgthree)",
        "Mute / Bypass Relay (rgthree)",
        "Mute / Bypass Repeater (rgthree)",
        "Node Collector (rgthree)",
        "Random Unmuter (rgthree)",
    }
)
PAGE_CLASSES = REROUTES | _NOTES | _SWITCHES | {PRIMITIVE, SETTER, GETTER}

BROADCASTERS = frozenset(
    {
        "Anything Everywhere",
        "Anything Everywhere?",
        "Anything Everywhere3",
        "Anything Everywhere Triplet",
        "Prompts Everywhere",
        "Seed Everywhere",
    }
)
"""Of cg-use-everywhere: they link to inputs by rules of their own, which only their code on the page knows."""


def variable_name(node: UiNode) -> str:
    """What a Set or Get node calls its value."""
    name = node.values[0] if isinstance(node.values, tuple) and node.values else ""
    return name if isinstance(name, str) else ""
