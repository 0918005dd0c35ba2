/** The editor of a workflow: what is in it, what is selected, and what can be undone. A pure fold. */
import type { InputTarget, WorkflowInput } from '$lib/api/contract';
import type { Content, GraphNode, NodeGroup, Note, Place } from '$lib/graph/content';
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
  | { kind: 'moved'; places: Readonly<Record<string, Place>> }
  | { kind: 'resized'; id: string; width: number; height?: number }
  | { kind: 'value_set'; node_id: string; input: string; value: Value }
  | { kind: 'retitled'; id: string; title: string }
  | { kind: 'coloured'; ids: readonly string[]; color: string | undefined }
  | { kind: 'connected'; source: string; slot: number; target: string; input: string }
  /** `otherwise`: what an input holds then that had no value before it was linked. */
  | { kind: 'disconnected'; node_id: string; input: string; otherwise?: Value }
  /** New nodes, groups and notes, which are selected then. `links` are made to and from them. */
  | { kind: 'added'; nodes?: readonly GraphNode[]; groups?: readonly NodeGroup[]; notes?: readonly Note[] }
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

export const EMPTY_CONTENT: Content = {
  title: '',
  description: '',
  labels: {},
  nodes: {},
  groups: [],
  notes: [],
  inputs: [],
};

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

/** What an event makes of the state. */
export function fold(state: WorkflowState, _event: WorkflowEvent): WorkflowState {
  return state;
}
