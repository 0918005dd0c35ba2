/** Which picture of a job is shown, how large, and what is said about it. Pure. */
import { span } from '$lib/i18n/format';
import type { Job, Output } from '$lib/api/contract';
import { hasEnded, inputOf } from '$lib/state/jobs';
import type { Frame } from '$lib/state/queue';

/** The results, in the order of the job's pictures; what else came out only where there are none. */
export function results(job: Job): Output[] {
  const pictures = job.outputs.filter(({ asset }) => asset?.width);
  const finals = pictures.filter(({ kind }) => kind === 'OUTPUT_KIND_FINAL');
  const shown = finals.length > 0 ? finals : pictures;
  return [...shown].sort((one, other) => one.image_index - other.image_index || one.index - other.index);
}

/** The output to show: the chosen one; else none while it is made, for then the preview is shown; else the first. */
export function shownOutput(job: Job, chosen: number | undefined): Output | undefined {
  const all = results(job);
  return all.find(({ index }) => index === chosen) ?? (hasEnded(job) ? all[0] : undefined);
}

/** Width divided by height, as it will be in the end, so that nothing jumps; a square where nothing is known. */
export function aspect(job: Job, output?: Output, frame?: Frame): number {
  const asset = output?.asset ?? results(job)[0]?.asset;
  const [width, height] = [Number(inputOf(job, 'width')), Number(inputOf(job, 'height'))];
  for (const size of [asset, { width, height }, frame]) {
    if (size && size.width > 0 && size.height > 0) return size.width / size.height;
  }
  return 1;
}

/** The chosen one after a step to the left or right, or an end; the live preview stands behind the last one. */
export function stepped(job: Job, chosen: number | undefined, key: string): number | undefined {
  const places: (number | undefined)[] = results(job).map(({ index }) => index);
  if (!hasEnded(job)) places.push(undefined);
  const shown = chosen ?? (hasEnded(job) ? places[0] : undefined);
  const place = places.indexOf(shown);
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: places.length - 1 }[key] ?? place;
  return places[Math.max(0, Math.min(places.length - 1, to))];
}

/** "3.2 steps a second", or the other way round where a step takes longer. */
export function speed(stepsPerSecond: number): { steps: string } | { seconds: string } {
  return stepsPerSecond >= 1 ? { steps: stepsPerSecond.toFixed(1) } : { seconds: (1 / stepsPerSecond).toFixed(1) };
}

/** What is left of a time that was foreseen; undefined: nothing was, or it is over. */
export function left(eta: string | undefined, toldAt: number | undefined, now: number): string | undefined {
  const seconds = parseFloat(eta ?? '') - (now - (toldAt ?? now)) / 1000;
  return Number.isNaN(seconds) ? undefined : span(Math.max(0, seconds));
}
