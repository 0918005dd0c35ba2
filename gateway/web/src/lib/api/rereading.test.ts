import { expect, it } from 'vitest';
import { rereading } from './rereading';

it('reads once more for all who ask while an answer is on its way', async () => {
  let truth = 0;
  const read: number[] = [];
  const refresh = rereading(async () => {
    const answer = truth;
    await Promise.resolve();
    read.push(answer);
  });
  const first = refresh();
  truth = 1;
  await Promise.all([first, refresh(), refresh()]);
  expect(read).toEqual([0, 1]);
  await refresh();
  expect(read).toEqual([0, 1, 1]);
});

it('reads again after a failure', async () => {
  let isAway = true;
  const refresh = rereading(async () => {
    if (isAway) throw new Error('away');
  });
  await expect(refresh()).rejects.toThrow('away');
  isAway = false;
  await refresh();
});
