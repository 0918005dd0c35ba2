/** What somebody is about to ask for, and the link that says the same. Pure. */
import type { Json } from '$lib/api/contract';

export interface Draft {
  /** A stored or built-in workflow; empty: the default one. */
  workflow_id: string;
  /** Values by the name of the input; what is absent has its default. */
  inputs: Record<string, Json>;
  /** The only backend that may run it; empty: any. */
  backend: string;
  /** -10 (last) to 10 (first). */
  priority: number;
}

export const EMPTY_DRAFT: Draft = { workflow_id: '', inputs: {}, backend: '', priority: 0 };

/** The address of the form with this draft in it. It stays in the browser: what follows # is never sent. */
export function linkTo(draft: Partial<Draft>): string {
  const query = new URLSearchParams();
  if (draft.workflow_id) query.set('workflow', draft.workflow_id);
  if (draft.backend) query.set('backend', draft.backend);
  if (draft.priority) query.set('priority', String(draft.priority));
  for (const [name, value] of Object.entries(draft.inputs ?? {})) {
    query.set(
      `i.${name}`,
      typeof value === 'string' && !value.startsWith('json:') ? value : `json:${JSON.stringify(value)}`,
    );
  }
  return `#/generate${query.size ? `?${query}` : ''}`;
}

/** The draft in a link's query; undefined: it holds none. */
export function parseLink(query: URLSearchParams): Draft | undefined {
  const given = [...query].filter(([name]) => name.startsWith('i.'));
  const inputs = Object.fromEntries(given.map(([name, value]): [string, Json] => [name.slice(2), readValue(value)]));
  if (!query.has('workflow') && Object.keys(inputs).length === 0) return undefined;
  const priority = Number(query.get('priority') ?? 0);
  return {
    workflow_id: query.get('workflow') ?? '',
    inputs,
    backend: query.get('backend') ?? '',
    priority: Number.isInteger(priority) ? Math.max(-10, Math.min(10, priority)) : 0,
  };
}

function readValue(text: string): Json {
  if (!text.startsWith('json:')) return text;
  try {
    return JSON.parse(text.slice(5)) as Json;
  } catch {
    return text; // somebody wrote the link by hand
  }
}
