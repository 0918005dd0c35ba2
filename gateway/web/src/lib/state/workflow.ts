/** The editor of a workflow: what is in it, what is selected, and what can be undone. A pure fold. */
import type { InputTarget, WorkflowInput } from '$lib/api/contract';
import { EMPTY_CONTENT, type Content, type GraphNode, type NodeGroup, type Note, type Place } from '$lib/graph/content';
import type { Connection } from '$lib/graph/connecting';
import { applied } from '$lib/graph/editing';
import type { Value } from '$lib/graph/json';

export interface WorkflowState {
  /** Empty: it is not stored yet. */
  workflow_id: string;
  /** The revision that was opened or stored last; 0: none. */
  revision: number;
  content: Content;
  /** As it is stored: `isDirty` compares with it. */
  saved: Content;
  past: readonly Content[];
  future: readonly Content[];
  /** Ids of nodes, groups and notes. */
  selection: ReadonlySet<string>;
  /** Where to look: changes each time that something is to be shown. */
  shown: { id: string; count: number };
  /** What the last step changed: more of the same is the same step. Empty: nothing goes on. */
  step: string;
}

export type WorkflowEvent =
  /** Another workflow, or another revision of it, is in the editor now. */
  | { kind: 'opened'; workflow_id: string; revision: number; content: Content }
  /** `content` was stored as this revision. */
  | { kind: 'saved'; workflow_id: string; revision: number; content: Content }
  /** Everything is as in `content` (an old revision, an import): one step that can be undone. */
  | { kind: 'replaced'; content: Content }
  | { kind: 'titled'; title: string }
  | { kind: 'described'; description: string }
  | { kind: 'labelled'; labels: Readonly<Record<string, string>> }
  /** Nodes, groups and notes, by their ids. */
  | { kind: 'moved'; places: Readonly<Record<string, Place>>; by?: 'keys' }
  | { kind: 'resized'; id: string; width: number; height?: number }
  | { kind: 'value_set'; node_id: string; input: string; value: Value }
  | { kind: 'retitled'; id: string; title: string }
  | { kind: 'coloured'; ids: readonly string[]; color: string | undefined }
  | ({ kind: 'connected' } & Connection)
  | { kind: 'disconnected'; node_id: string; input: string }
  /** New nodes, groups and notes, which are selected then, and links that come with them. */
  | {
      kind: 'added';
      nodes?: readonly GraphNode[];
      groups?: readonly NodeGroup[];
      notes?: readonly Note[];
      links?: readonly Connection[];
    }
  | { kind: 'removed'; ids: readonly string[] }
  | { kind: 'written'; id: string; text: string }
  | { kind: 'exposed'; input: WorkflowInput }
  | { kind: 'unexposed'; name: string }
  | { kind: 'target_added'; name: string; target: InputTarget }
  | { kind: 'target_removed'; name: string; target: InputTarget }
  | { kind: 'input_changed'; name: string; change: Partial<WorkflowInput> }
  | { kind: 'input_moved'; name: string; to: number }
  | { kind: 'selected'; ids: readonly string[] }
  /** Somebody is to look at a node: it is selected, and the canvas goes there. */
  | { kind: 'shown'; id: string }
  /** What was being typed is finished: what comes is another step. */
  | { kind: 'settled' }
  | { kind: 'undone' }
  | { kind: 'redone' };

export const initial: WorkflowState = {
  workflow_id: '',
  revision: 0,
  content: EMPTY_CONTENT,
  saved: EMPTY_CONTENT,
  past: [],
  future: [],
  selection: new Set(),
  shown: { id: '', count: 0 },
  step: '',
};

/** Whether there is something that is not stored. */
export function isDirty(state: WorkflowState): boolean {
  return state.content !== state.saved;
}

const MOST_STEPS = 200;

/** What an event makes of the state. Events that change nothing give the same state. */
export function fold(state: WorkflowState, event: WorkflowEvent): WorkflowState {
  switch (event.kind) {
    case 'opened': {
      const { workflow_id, revision, content } = event;
      return { ...initial, workflow_id, revision, content, saved: content, shown: state.shown };
    }
    case 'saved':
      return { ...state, workflow_id: event.workflow_id, revision: event.revision, saved: event.content, step: '' };
    case 'undone':
      return undone(state);
    case 'redone':
      return redone(state);
    case 'selected':
      return { ...state, selection: new Set(event.ids), step: '' };
    case 'shown':
      return { ...state, selection: new Set([event.id]), shown: { id: event.id, count: state.shown.count + 1 } };
    case 'settled':
      return state.step ? { ...state, step: '' } : state;
    default: {
      const next = changed(state, applied(state.content, event), stepOf(event));
      return event.kind === 'added' ? { ...next, selection: new Set(addedIds(event)) } : next;
    }
  }
}

function changed(state: WorkflowState, content: Content, step: string): WorkflowState {
  if (content === state.content) return state;
  const goesOn = step !== '' && step === state.step;
  const past = goesOn ? state.past : [...state.past, state.content].slice(-MOST_STEPS);
  return { ...state, content, past, future: [], step, selection: existing(state.selection, content) };
}

function undone(state: WorkflowState): WorkflowState {
  const content = state.past.at(-1);
  if (!content) return state;
  const [past, future] = [state.past.slice(0, -1), [state.content, ...state.future]];
  return { ...state, content, past, future, step: '', selection: existing(state.selection, content) };
}

function redone(state: WorkflowState): WorkflowState {
  const [content, ...future] = state.future;
  if (!content) return state;
  const past = [...state.past, state.content];
  return { ...state, content, past, future, step: '', selection: existing(state.selection, content) };
}

/** What goes on while somebody types, or holds an arrow key: each is one step. */
function stepOf(event: WorkflowEvent): string {
  switch (event.kind) {
    case 'value_set':
      return `value ${event.node_id} ${event.input}`;
    case 'retitled':
    case 'written':
      return `${event.kind} ${event.id}`;
    case 'input_changed':
      return `input ${event.name} ${Object.keys(event.change).join()}`;
    case 'moved':
      return event.by === 'keys' ? `moved ${Object.keys(event.places).join()}` : '';
    case 'titled':
    case 'described':
      return event.kind;
    default:
      return '';
  }
}

function addedIds(event: Extract<WorkflowEvent, { kind: 'added' }>): string[] {
  return [...(event.nodes ?? []), ...(event.groups ?? []), ...(event.notes ?? [])].map((each) => each.id);
}

function existing(selection: ReadonlySet<string>, content: Content): ReadonlySet<string> {
  const ids = new Set([...content.groups, ...content.notes].map((each) => each.id));
  const left = [...selection].filter((id) => id in content.nodes || ids.has(id));
  return left.length === selection.size ? selection : new Set(left);
}
