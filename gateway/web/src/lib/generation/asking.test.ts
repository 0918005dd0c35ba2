import { describe, expect, it, vi } from 'vitest';
import { ApiError, Unreachable } from '$lib/api/errors';
import { fold, initial, type GenerationEvent, type GenerationState } from '$lib/state/generation';
import { ask, refusalOf } from './asking';
import { readSchema } from './schema';

const at = (field: string) => ({ field, description: `wrong: ${field}` });
const refused = (status: number, fields: string[], retryAfter?: number) =>
  new ApiError(status, 'in short', '', fields.map(at), retryAfter);

describe('refusalOf', () => {
  it.each([
    ['nobody answers', new Unreachable('gone'), [], { kind: 'offline', message: '' }],
    ['it is the form', refused(400, ['spec.workflow.inputs.steps']), ['steps'], { kind: 'refused', message: '' }],
    [
      'it is the form and more',
      refused(400, ['spec.workflow.inputs.loras[0].name', 'spec.priority']),
      ['loras[0].name'],
      { kind: 'refused', message: 'wrong: spec.priority' },
    ],
    ['it is the backend', refused(404, ['spec.backend']), ['spec.backend'], { kind: 'refused', message: '' }],
    ['no field is at fault', refused(500, []), [], { kind: 'refused', message: 'in short' }],
    ['the queue is full', refused(429, [], 12), [], { kind: 'busy', message: 'in short', retryAfter: 12 }],
    ['something broke here', new Error('oh'), [], { kind: 'refused', message: 'oh' }],
  ])('says what is wrong where %s', (_, error, fields, problem) => {
    const refusal = refusalOf(error);
    expect([Object.keys(refusal.errors), refusal.problem]).toEqual([fields, problem]);
  });
});

it('what nobody answered is asked again as the same request, and as another one after an answer', async () => {
  const keys: (string | null)[] = [];
  let isAway = true;
  vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
    keys.push(new Headers(init.headers).get('Idempotency-Key'));
    if (isAway) throw new TypeError('nobody there');
    return new Response(JSON.stringify({ job: { job_id: 'made', state: 'JOB_STATE_QUEUED', sequence: '1' } }));
  });
  const schema = readSchema('{"properties": {"prompt": {"type": "string"}}}');
  let state: GenerationState = { ...initial, workflowId: 'mine', values: { mine: { prompt: 'a fox' } } };
  const send = (event: GenerationEvent) => (state = fold(state, event));
  await ask(state, schema, send);
  expect(state.problem).toEqual({ kind: 'offline', message: '' });
  isAway = false;
  await ask(state, schema, send);
  await ask(state, schema, send);
  expect(state.jobs).toEqual(['made']);
  expect([keys[0] === keys[1], keys[1] === keys[2]]).toEqual([true, false]);
});
