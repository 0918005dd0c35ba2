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

it('reads again for whoever asks just when an answer has come', async () => {
  for (let later = 0; later < 8; later += 1) {
    let asked = 0;
    let seen = 0;
    const refresh = rereading(async () => {
      seen = asked;
    });
    const first = refresh();
    for (let turn = 0; turn < later; turn += 1) await Promise.resolve();
    asked = 1;
    await Promise.all([first, refresh()]);
    expect([later, seen]).toEqual([later, 1]);
  }
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
