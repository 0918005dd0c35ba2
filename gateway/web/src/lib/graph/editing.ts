/** What each change makes of a workflow. Pure: a part that does not change stays the same object. */
import type { InputTarget, WorkflowInput } from '$lib/api/contract';
import type { WorkflowEvent } from '$lib/state/workflow';
import type { Connection } from './connecting';
import { isAt, linkOf, type Content, type GraphNode } from './content';

type Of<Kind extends WorkflowEvent['kind']> = Extract<WorkflowEvent, { kind: Kind }>;

/** The content after an event; the same where it changes nothing. */
export function applied(content: Content, event: WorkflowEvent): Content {
  switch (event.kind) {
    case 'replaced':
      return event.content;
    case 'titled':
      return event.title === content.title ? content : { ...content, title: event.title };
    case 'described':
      return event.description === content.description ? content : { ...content, description: event.description };
    case 'labelled':
      return { ...content, labels: event.labels };
    case 'moved':
      return everyPart(content, (part) => {
        const place = event.places[part.id];
        return place && (place.x !== part.x || place.y !== part.y) ? { ...part, ...place } : part;
      });
    case 'resized':
      return resized(content, event);
    case 'retitled':
      return retitled(content, event);
    case 'coloured':
      return coloured(content, event);
    case 'written':
      return { ...content, notes: withId(content.notes, event.id, (note) => ({ ...note, text: event.text })) };
    case 'value_set':
      return withNode(content, event.node_id, (node) =>
        node.inputs[event.input] === event.value
          ? node
          : { ...node, inputs: { ...node.inputs, [event.input]: event.value } },
      );
    case 'connected':
      return connected(content, event);
    case 'disconnected':
      return withNode(content, event.node_id, (node) => unlinked(node, event.input));
    case 'added':
      return added(content, event);
    case 'removed':
      return removed(content, new Set(event.ids));
    default:
      return { ...content, inputs: withInputs(content.inputs, event) };
  }
}

function withInputs(inputs: Content['inputs'], event: WorkflowEvent): Content['inputs'] {
  switch (event.kind) {
    case 'exposed': {
      const others = event.input.targets.reduce((left, target) => withoutTarget(left, target), inputs);
      return [...others, event.input];
    }
    case 'unexposed':
      return inputs.filter((each) => each.name !== event.name);
    case 'target_added':
      return withoutTarget(inputs, event.target, event.name).map((each) =>
        each.name === event.name ? { ...each, targets: [...each.targets, event.target] } : each,
      );
    case 'target_removed':
      return withoutTarget(inputs, event.target);
    case 'input_changed':
      return inputs.map((each) => (each.name === event.name ? merged(each, event.change) : each));
    case 'input_moved': {
      const moved = inputs.find((each) => each.name === event.name);
      if (!moved) return inputs;
      const others = inputs.filter((each) => each !== moved);
      return [...others.slice(0, event.to), moved, ...others.slice(event.to)];
    }
    default:
      return inputs;
  }
}

/** A field that is undefined in the change is unset. */
function merged(input: WorkflowInput, change: Partial<WorkflowInput>): WorkflowInput {
  const fields = Object.entries({ ...input, ...change }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(fields) as unknown as WorkflowInput;
}

/** No input of a node is set by two; an input that sets nothing any more goes, but for `kept`. */
function withoutTarget(inputs: Content['inputs'], target: InputTarget, kept = ''): Content['inputs'] {
  return inputs.flatMap((each) => {
    const targets = each.targets.filter((one) => !isAt(one, target.node_id, target.input));
    if (targets.length === each.targets.length) return [each];
    return targets.length || each.name === kept ? [{ ...each, targets }] : [];
  });
}

function connected(content: Content, { source, slot, target, input }: Connection): Content {
  if (!(source in content.nodes)) return content;
  const linked = withNode(content, target, (node) => {
    const held = node.inputs[input];
    const old = linkOf(held);
    if (old?.source === source && old.slot === slot) return node;
    const covered = held === undefined || old ? node.covered : { ...node.covered, [input]: held };
    return { ...node, covered, inputs: { ...node.inputs, [input]: [source, slot] } };
  });
  if (linked === content) return content;
  // A value that somebody sets would take the link's place.
  return { ...linked, inputs: withoutTarget(linked.inputs, { node_id: target, input }) };
}

/** The node without a link, with the value that it covered. */
function unlinked(node: GraphNode, input: string): GraphNode {
  if (!linkOf(node.inputs[input])) return node;
  const { [input]: value, ...covered } = node.covered;
  const { [input]: _link, ...others } = node.inputs;
  return { ...node, covered, inputs: value === undefined ? others : { ...node.inputs, [input]: value } };
}

function added(content: Content, event: Of<'added'>): Content {
  const nodes = Object.fromEntries((event.nodes ?? []).map((node) => [node.id, node]));
  const more = {
    ...content,
    nodes: { ...content.nodes, ...nodes },
    groups: [...content.groups, ...(event.groups ?? [])],
    notes: [...content.notes, ...(event.notes ?? [])],
  };
  return (event.links ?? []).reduce(connected, more);
}

function removed(content: Content, ids: ReadonlySet<string>): Content {
  const kept = Object.values(content.nodes).filter((node) => !ids.has(node.id));
  const groups = content.groups.filter((group) => !ids.has(group.id));
  const notes = content.notes.filter((note) => !ids.has(note.id));
  const before = Object.keys(content.nodes).length + content.groups.length + content.notes.length;
  if (kept.length + groups.length + notes.length === before) return content;
  const inputs = content.inputs.flatMap((each) => {
    const targets = each.targets.filter((target) => !ids.has(target.node_id));
    if (targets.length === each.targets.length) return [each];
    return targets.length ? [{ ...each, targets }] : [];
  });
  const nodes = Object.fromEntries(kept.map((node) => [node.id, withoutLinksTo(node, ids)]));
  return { ...content, nodes, groups, notes, inputs };
}

function withoutLinksTo(node: GraphNode, ids: ReadonlySet<string>): GraphNode {
  return Object.entries(node.inputs).reduce((each, [input, value]) => {
    const link = linkOf(value);
    return link && ids.has(link.source) ? unlinked(each, input) : each;
  }, node);
}

function resized(content: Content, { id, width, height }: Of<'resized'>): Content {
  if (id in content.nodes) return withNode(content, id, (node) => ({ ...node, width }));
  const size = { width, ...(height !== undefined && { height }) };
  return everyPart(content, (part) => (part.id === id ? { ...part, ...size } : part));
}

function retitled(content: Content, { id, title }: Of<'retitled'>): Content {
  if (id in content.nodes) return withNode(content, id, (node) => (node.title === title ? node : { ...node, title }));
  return { ...content, groups: withId(content.groups, id, (group) => ({ ...group, title })) };
}

function coloured(content: Content, { ids, color }: Of<'coloured'>): Content {
  const painted = <Part extends { id: string; color?: string }>(part: Part): Part => {
    if (!ids.includes(part.id)) return part;
    const { color: _old, ...rest } = part;
    return { ...rest, ...(color !== undefined && { color }) } as Part;
  };
  return { ...content, nodes: mapNodes(content.nodes, painted), groups: content.groups.map(painted) };
}

function withNode(content: Content, id: string, change: (node: GraphNode) => GraphNode): Content {
  const node = content.nodes[id];
  if (!node) return content;
  const next = change(node);
  return next === node ? content : { ...content, nodes: { ...content.nodes, [id]: next } };
}

function withId<Part extends { id: string }>(parts: readonly Part[], id: string, change: (part: Part) => Part): Part[] {
  return parts.map((part) => (part.id === id ? change(part) : part));
}

function everyPart(
  content: Content,
  change: <Part extends { id: string; x: number; y: number }>(part: Part) => Part,
): Content {
  const nodes = mapNodes(content.nodes, change);
  const groups = content.groups.map((group) => change(group));
  const notes = content.notes.map((note) => change(note));
  const isSame =
    nodes === content.nodes &&
    groups.every((group, at) => group === content.groups[at]) &&
    notes.every((note, at) => note === content.notes[at]);
  return isSame ? content : { ...content, nodes, groups, notes };
}

function mapNodes(nodes: Content['nodes'], change: (node: GraphNode) => GraphNode): Content['nodes'] {
  const entries = Object.values(nodes).map((node) => [node.id, change(node)] as const);
  return entries.every(([id, node]) => node === nodes[id]) ? nodes : Object.fromEntries(entries);
}
