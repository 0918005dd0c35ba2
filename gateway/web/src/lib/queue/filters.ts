/** Which jobs somebody wants to see, and the address that says the same. Pure. */
import type { Job, JobState, ListJobsRequest, Sent } from '$lib/api/contract';
import { hasEnded, textOf } from '$lib/state/jobs';

export const OUTCOMES = ['all', 'succeeded', 'failed', 'cancelled'] as const;
export type Outcome = (typeof OUTCOMES)[number];

const STATES: Record<Outcome, JobState[]> = {
  all: ['JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_EXPIRED'],
  succeeded: ['JOB_STATE_SUCCEEDED'],
  failed: ['JOB_STATE_FAILED', 'JOB_STATE_EXPIRED'],
  cancelled: ['JOB_STATE_CANCELLED'],
};

export interface Filters {
  /** Only my own. */
  mine: boolean;
  /** Words of the prompt. */
  text: string;
  /** What ended jobs ended in. */
  outcome: Outcome;
}

export function parseFilters(query: URLSearchParams): Filters {
  return {
    mine: query.get('who') === 'mine',
    text: query.get('text') ?? '',
    outcome: OUTCOMES.find((one) => one === query.get('show')) ?? 'all',
  };
}

export function queueLink({ mine, text, outcome }: Filters): string {
  const query = new URLSearchParams();
  if (mine) query.set('who', 'mine');
  if (text) query.set('text', text);
  if (outcome !== 'all') query.set('show', outcome);
  return `#/queue${query.size ? `?${query}` : ''}`;
}

/** Whether a job is wanted; `me`: whose page this is. */
export function matches(job: Job, filters: Filters, me: string): boolean {
  if (filters.mine && job.owner !== me) return false;
  if (hasEnded(job) && !STATES[filters.outcome].includes(job.state)) return false;
  return textOf(job, 'prompt').toLowerCase().includes(filters.text.trim().toLowerCase());
}

/** What to ask the server for, of ended jobs. An empty owner cannot be asked for: then `matches` does it alone. */
export function requestOf(filters: Filters, me: string): Sent<ListJobsRequest> {
  const request: Sent<ListJobsRequest> = { states: STATES[filters.outcome], page_size: 50 };
  if (filters.text.trim()) request.text = filters.text.trim();
  if (filters.mine && me) request.owner = me;
  return request;
}
