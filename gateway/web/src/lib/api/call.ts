/** One function for every rpc of the contract, over its REST address. */
import { ROUTES, type Asset, type Rpcs, type Sent } from './contract';
import { ApiError, readError, Unreachable } from './errors';

export interface CallOptions {
  signal?: AbortSignal;
  /** Makes a call that may be repeated safely. */
  idempotencyKey?: string;
}

/** Whose jobs are made where no keys are needed; set from the appearance settings. */
export const caller = { owner: '' };

/** Calls an rpc. Throws ApiError when it is refused, Unreachable when nobody answers, AbortError when told to. */
export async function call<Name extends keyof Rpcs>(
  name: Name,
  request: Sent<Rpcs[Name][0]> = {} as Sent<Rpcs[Name][0]>,
  options: CallOptions = {},
): Promise<Rpcs[Name][1]> {
  const [method, template] = ROUTES[name];
  const { path, rest } = fill(template, request as Record<string, unknown>);
  const headers: Record<string, string> = {};
  if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey;
  const init: RequestInit = { method, headers };
  if (options.signal) init.signal = options.signal;
  if (method === 'GET' || method === 'DELETE') return fetchJson(path + toQuery(rest), init);
  headers['Content-Type'] = 'application/json';
  return fetchJson(path, { ...init, body: JSON.stringify(rest) });
}

/** Stores a file. */
export async function upload(file: Blob, signal?: AbortSignal): Promise<Asset> {
  const headers = { 'Content-Type': file.type.startsWith('image/') ? file.type : 'application/octet-stream' };
  return fetchJson('/api/v1/assets', { method: 'POST', headers, body: file, ...(signal ? { signal } : {}) });
}

/** The JSON of an answer. Throws as `call`. */
export async function fetchJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await answered(path, init);
  if (!response.ok) throw await readError(response);
  return (response.status === 204 ? {} : await orUnreachable(response.json())) as T;
}

async function answered(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (caller.owner) headers.set('Imagegen-Owner', caller.owner);
  return orUnreachable(fetch(path, { ...init, headers }));
}

/** An answer may also break off in the middle. */
async function orUnreachable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Unreachable('the gateway does not answer', { cause: error });
  }
}

/** The path with its variables, and what is left of the request. */
export function fill(
  template: string,
  request: Record<string, unknown>,
): { path: string; rest: Record<string, unknown> } {
  const used = new Set<string>();
  const path = template.replace(/\{([a-z_]+)\}/g, (_, field: string) => {
    used.add(field);
    const value = String(request[field] ?? '');
    // Browsers resolve such parts, and the call would be another one.
    if (/(^|\/)\.\.?(\/|$)/.test(value)) throw new ApiError(404, `nothing is called ${value}`);
    return encodeURIComponent(value).replaceAll('%2F', '/'); // names of models are paths
  });
  return { path, rest: Object.fromEntries(Object.entries(request).filter(([field]) => !used.has(field))) };
}

/** A query with what is set; lists as repeated names. */
export function toQuery(values: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null) query.append(name, String(item));
    }
  }
  return query.size ? `?${query}` : '';
}

/** Where a picture is: whole, or as a thumbnail so many pixels wide. */
export function assetUrl(digest: string, width?: number): string {
  return `/api/v1/assets/${digest}${width ? `?w=${width}` : ''}`;
}
