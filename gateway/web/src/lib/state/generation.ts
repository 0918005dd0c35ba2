/** What somebody is about to ask for, what became of asking, and what was made. A pure fold. */
import type { Json } from '$lib/api/contract';
import { isDrawn, type Values } from '$lib/generation/schema';
import type { Draft } from './draft';

/** What was entered. Values are kept for each workflow, so that trying another one loses nothing. */
export interface Entered {
  /** Empty: not chosen yet. */
  workflowId: string;
  values: Readonly<Record<string, Values>>;
  /** The only backend that may run it; empty: any. */
  backend: string;
  priority: number;
}

/** Why nothing came of asking. */
export interface Problem {
  kind: 'refused' | 'offline' | 'busy';
  /** In the server's words; empty: all of it stands at the fields. */
  message: string;
  /** When to try again, in seconds. */
  retryAfter?: number;
}

/** Something that changed the form from outside. It can be taken back. */
export interface Notice {
  kind: 'filled' | 'reset';
  /** Of "filled": from where. */
  from?: 'link' | 'picture';
  /** Of "reset": the inputs that did not fit. */
  names?: readonly string[];
  before: Entered;
}

/** What would happen now, as the server says without doing it. */
export interface Foreseen {
  /** What it would take for what is left open. */
  defaults: Values;
  /** In how many seconds it would start; absent: not known. */
  startsIn?: number | undefined;
  /** Jobs that would go first. */
  ahead: number;
  /** Where it would run; empty: not known. */
  backend: string;
}

export interface GenerationState extends Entered {
  errors: Readonly<Record<string, string>>;
  problem?: Problem | undefined;
  notice?: Notice | undefined;
  foreseen?: Foreseen | undefined;
  /** Inputs that were changed since the form was last whole: only these are judged while somebody writes. */
  touched: readonly string[];
  /** Requests under way. */
  sending: number;
  /** The seed that was used last, by workflow. */
  lastSeeds: Readonly<Record<string, string>>;
  /** Jobs of this visit, newest first. */
  jobs: readonly string[];
  /** The job in the preview; empty: none. */
  shown: string;
}

export type GenerationEvent =
  | { kind: 'restored'; entered: Entered; lastSeeds: Readonly<Record<string, string>> }
  | { kind: 'workflow_chosen'; workflowId: string }
  | { kind: 'value_set'; name: string; value: Json | undefined }
  /** `unfit` names the inputs whose values that backend does not have. */
  | { kind: 'backend_chosen'; backend: string; unfit: readonly string[] }
  | { kind: 'priority_set'; priority: number }
  | { kind: 'filled'; draft: Draft; from: 'link' | 'picture' }
  | { kind: 'values_cleared' }
  | { kind: 'notice_undone' }
  | { kind: 'notice_dismissed' }
  | { kind: 'foreseen'; foreseen: Foreseen }
  | { kind: 'judged'; errors: Readonly<Record<string, string>> }
  | { kind: 'asked' }
  | { kind: 'accepted'; jobId: string; workflowId: string; seed: string }
  | { kind: 'refused'; errors: Readonly<Record<string, string>>; problem: Problem }
  | { kind: 'problem_dismissed' }
  | { kind: 'job_shown'; jobId: string };

export const initial: GenerationState = {
  workflowId: '',
  values: {},
  backend: '',
  priority: 0,
  errors: {},
  touched: [],
  sending: 0,
  lastSeeds: {},
  jobs: [],
  shown: '',
};

/** Where an error about the backend stands. */
export const AT_BACKEND = 'spec.backend';
const MAX_JOBS = 60;

export function fold(state: GenerationState, event: GenerationEvent): GenerationState {
  switch (event.kind) {
    case 'restored':
      return { ...state, ...event.entered, lastSeeds: event.lastSeeds };
    case 'workflow_chosen':
      if (event.workflowId === state.workflowId) return state;
      if (!state.workflowId) return begun(state, event.workflowId);
      return { ...state, workflowId: event.workflowId, ...UNJUDGED, notice: undefined };
    case 'value_set':
      return withValue(state, event.name, event.value);
    case 'backend_chosen':
      return withBackend(state, event.backend, event.unfit);
    case 'priority_set':
      return { ...state, priority: Math.max(-10, Math.min(10, Math.round(event.priority))) };
    case 'filled':
      return filled(state, event.draft, event.from);
    case 'values_cleared':
      return { ...state, values: { ...state.values, [state.workflowId]: {} }, ...UNJUDGED, notice: undefined };
    case 'notice_undone':
      return state.notice ? { ...state, ...state.notice.before, ...UNJUDGED, notice: undefined } : state;
    case 'notice_dismissed':
      return { ...state, notice: undefined };
    case 'foreseen':
      return { ...state, problem: lastingProblem(state), foreseen: event.foreseen, errors: {} };
    case 'judged':
      return { ...state, errors: only(event.errors, state.touched), foreseen: withoutPlace(state.foreseen) };
    case 'asked':
      return { ...state, sending: state.sending + 1, problem: undefined };
    case 'accepted':
      return accepted(state, event);
    case 'refused':
      return {
        ...state,
        ...answered(state),
        errors: event.errors,
        problem: event.problem,
        touched: [...new Set([...state.touched, ...Object.keys(event.errors).map(inputOf)])],
      };
    case 'problem_dismissed':
      return { ...state, problem: undefined };
    case 'job_shown':
      return { ...state, shown: event.jobId };
  }
}

const UNJUDGED = { errors: {}, problem: undefined, foreseen: undefined, touched: [] };

/** The values of the workflow that is chosen. */
export function currentValues(state: Entered): Values {
  return state.values[state.workflowId] ?? {};
}

/** The draft that brings this form back within this browser. */
export function currentDraft(state: GenerationState): Draft {
  const { workflowId, backend, priority } = state;
  return { workflow_id: workflowId, inputs: { ...currentValues(state) }, backend, priority };
}

/** The draft that a link of this form holds. What was only drawn is in nobody else's reach. */
export function draftToShare(state: GenerationState): Draft {
  return { ...currentDraft(state), inputs: lasting(currentValues(state)) };
}

/** Values that mean something beyond this browser: not those that name a drawing in it. */
function lasting(values: Values): Record<string, Json> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => !isDrawn(value)));
}

/** The input that an error is about: "loras[0].name" is one of "loras". */
export function inputOf(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

function entered({ workflowId, values, backend, priority }: Entered): Entered {
  return { workflowId, values, backend, priority };
}

/** What a link filled in before anybody knew the default workflow is meant for that one. */
function begun(state: GenerationState, workflowId: string): GenerationState {
  const { '': early, ...values } = state.values;
  return { ...state, workflowId, values: early ? { ...values, [workflowId]: early } : values };
}

function withValue(state: GenerationState, name: string, value: Json | undefined): GenerationState {
  const { [name]: _, ...others } = currentValues(state);
  const values = value === undefined ? others : { ...others, [name]: value };
  return {
    ...state,
    values: { ...state.values, [state.workflowId]: values },
    errors: Object.fromEntries(Object.entries(state.errors).filter(([path]) => inputOf(path) !== name)),
    touched: state.touched.includes(name) ? state.touched : [...state.touched, name],
  };
}

function withBackend(state: GenerationState, backend: string, unfit: readonly string[]): GenerationState {
  const kept = Object.entries(currentValues(state)).filter(([name]) => !unfit.includes(name));
  const notice: Notice | undefined = unfit.length
    ? { kind: 'reset', names: unfit, before: entered(state) }
    : state.notice;
  const values = { ...state.values, [state.workflowId]: Object.fromEntries(kept) };
  return { ...state, ...UNJUDGED, backend, values, notice };
}

function filled(state: GenerationState, draft: Draft, from: 'link' | 'picture'): GenerationState {
  const workflowId = draft.workflow_id || state.workflowId;
  return {
    ...state,
    ...UNJUDGED,
    workflowId,
    values: { ...state.values, [workflowId]: draft.inputs },
    backend: draft.backend,
    priority: draft.priority,
    notice: { kind: 'filled', from, before: entered(state) },
  };
}

function accepted(
  state: GenerationState,
  { jobId, workflowId, seed }: { jobId: string; workflowId: string; seed: string },
): GenerationState {
  return {
    ...state,
    ...answered(state),
    errors: {},
    problem: undefined,
    touched: [],
    notice: undefined,
    shown: jobId,
    jobs: [jobId, ...state.jobs.filter((one) => one !== jobId)].slice(0, MAX_JOBS),
    lastSeeds: seed ? { ...state.lastSeeds, [workflowId]: seed } : state.lastSeeds,
  };
}

function answered(state: GenerationState): { sending: number } {
  return { sending: Math.max(0, state.sending - 1) };
}

function only(errors: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(errors).filter(([path]) => path === AT_BACKEND || names.includes(inputOf(path))),
  );
}

/** Whoever answers is there again. */
function lastingProblem({ problem }: GenerationState): Problem | undefined {
  return problem?.kind === 'offline' ? undefined : problem;
}

/** What it said of the queue no longer counts; the defaults do, until better ones are known. */
function withoutPlace(foreseen: Foreseen | undefined): Foreseen | undefined {
  return foreseen && { ...foreseen, startsIn: undefined, ahead: 0 };
}
