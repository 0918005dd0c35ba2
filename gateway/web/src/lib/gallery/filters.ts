/** What somebody looks for in the gallery, and the address that says the same. Pure. */
import type { ListAssetsRequest, Sent } from '$lib/api/contract';

/** What kind of pictures: made here, marked, brought along, or deleted a while ago. */
export const SHELVES = ['made', 'favorites', 'uploads', 'deleted'] as const;
export type Shelf = (typeof SHELVES)[number];

export interface Filters {
  shelf: Shelf;
  /** Words of the prompt. */
  text: string;
  model: string;
  workflow: string;
  /** Undefined: all; empty: nobody in particular. */
  owner: string | undefined;
  /** The first and the last day, as "2026-08-01"; empty: no bound. */
  from: string;
  to: string;
  /** Only what this job made. */
  job: string;
}

export const NO_FILTERS: Filters = {
  shelf: 'made',
  text: '',
  model: '',
  workflow: '',
  owner: undefined,
  from: '',
  to: '',
  job: '',
};

const DAY = /^\d{4}-\d\d-\d\d$/;

export function parseFilters(query: URLSearchParams): Filters {
  const day = (name: string) => (DAY.test(query.get(name) ?? '') ? String(query.get(name)) : '');
  return {
    shelf: SHELVES.find((shelf) => shelf === query.get('show')) ?? 'made',
    text: query.get('text') ?? '',
    model: query.get('model') ?? '',
    workflow: query.get('workflow') ?? '',
    owner: query.get('owner') ?? undefined,
    from: day('from'),
    to: day('to'),
    job: query.get('job') ?? '',
  };
}

/** The address of the gallery with these filters; with `picture` it shows that one, large. */
export function galleryLink(filters: Partial<Filters>, picture = ''): string {
  const { shelf, ...rest } = { ...NO_FILTERS, ...filters };
  const query = new URLSearchParams();
  if (shelf !== 'made') query.set('show', shelf);
  for (const [name, value] of Object.entries(rest)) {
    if (value || (name === 'owner' && value !== undefined)) query.set(name, String(value));
  }
  if (picture) query.set('picture', picture);
  return `#/gallery${query.size ? `?${query}` : ''}`;
}

/** How many filters narrow what is shown, the search left out. */
export function countFilters(filters: Filters): number {
  const { model, workflow, owner, from, to, job } = filters;
  return [model, workflow, owner !== undefined, from, to, job].filter(Boolean).length;
}

/** What to ask the server for. Days are those of this machine's time zone. */
export function requestOf(filters: Filters): Sent<ListAssetsRequest> {
  const request: Sent<ListAssetsRequest> = { pictures: true };
  if (filters.shelf === 'made') request.origin = 'ASSET_ORIGIN_OUTPUT';
  if (filters.shelf === 'uploads') request.origin = 'ASSET_ORIGIN_UPLOAD';
  if (filters.shelf === 'favorites') request.favorites = true;
  if (filters.shelf === 'deleted') request.deleted = true;
  if (filters.text.trim()) request.text = filters.text.trim();
  if (filters.model) request.model = filters.model;
  if (filters.workflow) request.workflow_id = filters.workflow;
  if (filters.owner !== undefined) request.owner = filters.owner;
  if (filters.job) request.job_id = filters.job;
  if (filters.from) request.created_after = midnight(filters.from, 0);
  if (filters.to) request.created_before = midnight(filters.to, 1);
  return request;
}

/** When a day begins, or the one that is so many days later. */
function midnight(day: string, later: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
