/** Server-sent events as events of our stores. Pure. */
import type { Backend, BackendRemoved, Changed, JobEvent, Preview, Queue } from '$lib/api/contract';
import type { QueueEvent } from '$lib/state/queue';
import type { SystemEvent } from '$lib/state/system';

/** A preview as the gateway's stream has it: with its bytes in base64, or, if it is large, with an address. */
export type PreviewFrame = Omit<Preview, 'data'> & { data?: string; url?: string };

/** Names of the events that are about jobs. */
export const JOB_EVENTS = [
  'snapshot',
  'state_changed',
  'queue_updated',
  'attempt_started',
  'attempt_failed',
  'model_loading',
  'plan',
  'phase_changed',
  'progress',
  'preview',
  'output_ready',
  'warning',
  'completed',
  'caught_up',
  'reset',
  'heartbeat',
  'updated',
] as const;
/** Names of those that are not. */
export const SYSTEM_EVENTS = ['backend', 'backend_removed', 'queue', 'changed', 'ready'] as const;

/** One thing that the stream told. */
export type Told = { queue: QueueEvent } | { system: SystemEvent };

/** What an event tells; undefined: nothing that a store keeps. Throws SyntaxError for what is no JSON. */
export function decode(name: string, text: string): Told | undefined {
  const data: unknown = JSON.parse(text);
  switch (name) {
    case 'backend':
      return { system: { kind: 'backend', backend: data as Backend } };
    case 'backend_removed':
      return { system: { kind: 'backend_removed', name: (data as BackendRemoved).name } };
    case 'queue':
      return { system: { kind: 'queue', queue: data as Queue } };
    case 'changed':
      return { system: { kind: 'changed', ...(data as Changed) } };
    case 'ready':
      return { system: { kind: 'ready' } };
    case 'heartbeat':
    case 'caught_up':
      return undefined;
    default:
      return { queue: { kind: 'told', event: data as JobEvent } };
  }
}
