/** What the gateway's errors say (RFC 9457), in the server's words. */

/** One field that is at fault. */
export interface FieldError {
  /** Its path in the request, as "spec.workflow.inputs.steps". */
  field: string;
  /** What is wrong with it, for a person. */
  description: string;
}

/** The server refused. */
export class ApiError extends Error {
  override name = 'ApiError';
  constructor(
    readonly status: number,
    message: string,
    /** A value of ErrorReason without its prefix; empty: none was given. */
    readonly reason = '',
    readonly errors: FieldError[] = [],
    /** When to try again, in seconds; absent: the server does not say. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Nobody answered: offline is a state, not a fault. */
export class Unreachable extends Error {
  override name = 'Unreachable';
}

/** The error in an answer. */
export async function readError(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => ({}));
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const errors = Array.isArray(problem.errors) ? (problem.errors as FieldError[]) : [];
  const message = String(problem.detail ?? problem.title ?? `${response.status} ${response.statusText}`);
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return new ApiError(
    response.status,
    message,
    String(problem.reason ?? ''),
    errors,
    ...(Number.isFinite(seconds) ? [seconds] : []),
  );
}

/** What to show a person of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is wrong with each field below `prefix`, by the rest of its path. */
export function fieldErrors(error: unknown, prefix = ''): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  const below = error.errors.filter(({ field }) => field.startsWith(prefix));
  return Object.fromEntries(below.map(({ field, description }) => [field.slice(prefix.length), description]));
}
