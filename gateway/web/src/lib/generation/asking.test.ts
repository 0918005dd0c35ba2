import { describe, expect, it } from 'vitest';
import { ApiError, Unreachable } from '$lib/api/errors';
import { refusalOf } from './asking';

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
