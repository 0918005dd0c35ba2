/** A workflow on its way in: what was read, what of it is wanted, and whether it would run. Pure. */
import type {
  BackendVerdict,
  ImportWorkflowResponse,
  InputProposal,
  Workflow,
  WorkflowFormat,
  WorkflowProblem,
} from '$lib/api/contract';
import { readGraph, withValue } from '$lib/workflows/graph_text';

/** Why something could not be read. */
export interface Refusal {
  message: string;
  /** Its digest, if it is a picture: then it is good for something else. */
  picture?: string | undefined;
}

/** What was read, with what somebody has made of it. */
export interface Found {
  /** Of what, as people know it: the file's name; empty: a text. */
  source: string;
  /** "ours": a file that this page has written. */
  format: WorkflowFormat | 'ours';
  workflow: Workflow;
  /** How each input was found; those of a file of ours were not guessed. */
  proposals: InputProposal[];
  /** Names of the inputs that are wanted. */
  chosen: ReadonlySet<string>;
  /** What was lost or guessed on the way. */
  notes: WorkflowProblem[];
  /** What each backend says of it as it is now; undefined: they are asked. */
  verdicts: BackendVerdict[] | undefined;
  /** Values of the graph in whose place others were taken. */
  replaced: readonly Replaced[];
}

export interface Replaced {
  node_id: string;
  input: string;
  /** What was there. */
  from: string;
}

export interface ImportState {
  /** What is being read; undefined: nothing. */
  reading: string | undefined;
  refusal: Refusal | undefined;
  found: Found | undefined;
  isStoring: boolean;
  /** What is wrong, by the field of the workflow; "" is about all of it. */
  errors: Readonly<Record<string, string>>;
  /** What became of it. */
  stored: Workflow | undefined;
}

export type ImportEvent =
  | { kind: 'reading'; source: string }
  | { kind: 'refused'; refusal: Refusal }
  | {
      kind: 'read';
      source: string;
      answer: Pick<ImportWorkflowResponse, 'format' | 'proposals' | 'problems' | 'workflow'>;
    }
  | { kind: 'read_ours'; source: string; workflow: Workflow }
  | { kind: 'described'; part: Partial<Pick<Workflow, 'title' | 'description' | 'workflow_id'>> }
  | { kind: 'chosen'; name: string; is_wanted: boolean }
  | { kind: 'replaced'; node_id: string; input: string; to: string }
  | { kind: 'judged'; of: Workflow; verdicts: BackendVerdict[] }
  | { kind: 'storing' }
  | { kind: 'not_stored'; errors: Record<string, string> }
  | { kind: 'stored'; workflow: Workflow }
  | { kind: 'begun_anew' };

export const NOTHING_READ: ImportState = {
  reading: undefined,
  refusal: undefined,
  found: undefined,
  isStoring: false,
  errors: {},
  stored: undefined,
};

export function fold(state: ImportState, event: ImportEvent): ImportState {
  switch (event.kind) {
    case 'reading':
      return { ...NOTHING_READ, reading: event.source };
    case 'refused':
      return { ...NOTHING_READ, refusal: event.refusal };
    case 'read':
      return event.answer.workflow ? { ...NOTHING_READ, found: proposed(event, event.answer.workflow) } : state;
    case 'read_ours':
      return { ...NOTHING_READ, found: ours(event) };
    case 'storing':
      return { ...state, isStoring: true, errors: {} };
    case 'not_stored':
      return { ...state, isStoring: false, errors: event.errors };
    case 'stored':
      return { ...NOTHING_READ, stored: event.workflow };
    case 'begun_anew':
      return NOTHING_READ;
    default:
      return state.found ? { ...state, found: change(state.found, event) } : state;
  }
}

/** What is to be stored: the workflow with the inputs that are wanted. */
export function wanted(found: Found): Workflow {
  return { ...found.workflow, inputs: found.workflow.inputs.filter(({ name }) => found.chosen.has(name)) };
}

type Change = Extract<ImportEvent, { kind: 'described' | 'chosen' | 'replaced' | 'judged' }>;

function change(found: Found, event: Change): Found {
  switch (event.kind) {
    case 'described':
      return { ...found, workflow: { ...found.workflow, ...event.part } };
    case 'chosen': {
      const chosen = new Set(found.chosen);
      if (event.is_wanted) chosen.add(event.name);
      else chosen.delete(event.name);
      return { ...found, chosen };
    }
    case 'replaced':
      return replace(found, event);
    case 'judged':
      return runsAlike(event.of, found.workflow) ? { ...found, verdicts: event.verdicts } : found;
  }
}

/** The value that was there at first can be taken again: then nothing is replaced. */
function replace(found: Found, { node_id, input, to }: Extract<ImportEvent, { kind: 'replaced' }>): Found {
  const { graph_json } = found.workflow;
  const isThere = (each: Replaced) => each.node_id === node_id && each.input === input;
  const now = readGraph(graph_json).get(node_id)?.inputs[input];
  const { from } = found.replaced.find(isThere) ?? { from: String(now ?? '') };
  const others = found.replaced.filter((each) => !isThere(each));
  const replaced = to === from ? others : [...others, { node_id, input, from }];
  const workflow = { ...found.workflow, graph_json: withValue(graph_json, node_id, input, to) };
  return { ...found, workflow, replaced, verdicts: undefined };
}

/** Whether a verdict on the one holds for the other, which may be called otherwise. */
function runsAlike(one: Workflow, other: Workflow): boolean {
  return one.graph_json === other.graph_json && one.base === other.base;
}

function proposed({ source, answer }: Extract<ImportEvent, { kind: 'read' }>, workflow: Workflow): Found {
  const { format, proposals, problems } = answer;
  const doubtful = new Set(proposals.filter((each) => each.confidence === 'CONFIDENCE_LOW').map(({ name }) => name));
  const sure = workflow.inputs.map(({ name }) => name).filter((name) => !doubtful.has(name));
  // What backends lack is asked of each of them; the rest is known by the reader only.
  const notes = problems.filter(({ code }) => code === 'CONVERSION' || code === 'SETTING_LOST');
  return { source, format, workflow, proposals, chosen: new Set(sure), notes, verdicts: undefined, replaced: [] };
}

function ours({ source, workflow }: Extract<ImportEvent, { kind: 'read_ours' }>): Found {
  const chosen = new Set(workflow.inputs.map(({ name }) => name));
  return { source, format: 'ours', workflow, proposals: [], chosen, notes: [], verdicts: undefined, replaced: [] };
}
