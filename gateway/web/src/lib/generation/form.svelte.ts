/** The form of this tab. It outlives the view, so that whoever comes back finds it as it was left. */
import { call } from '$lib/api/call';
import type { GenerationDefaults, Json } from '$lib/api/contract';
import { queue } from '$lib/live/stores.svelte';
import { fold, initial } from '$lib/state/generation';
import { recalled, remembered } from '$lib/state/generation_memory';
import { keep, kept } from '$lib/state/keeping';
import { Store } from '$lib/state/store.svelte';
import { library } from '$lib/workflows/library.svelte';
import { catalog } from './catalog.svelte';
import { drawingOf } from './drawings';
import { modelTakenAt } from './offers';
import { isDrawn, readSchema, type FormSchema, type Values } from './schema';

const KEY = 'imagegen.form';
const RECENT_JOBS = 24;
const FIRST_WORKFLOW = 'text-to-image';

export const generation = new Store(initial, fold);

const memory = recalled(kept(KEY), (value) => !isDrawn(value) || drawingOf(value) !== undefined);
if (memory) generation.send({ kind: 'restored', ...memory });

/** Writes down what was entered. */
export function remember(): void {
  keep(KEY, remembered(generation.state));
}

class Surroundings {
  /** What the settings say of what is left open. */
  defaults: GenerationDefaults = $state.raw({});
  /** Why the form could not be made. */
  problem: unknown = $state.raw();

  readonly workflow = $derived(
    library.workflows?.find(({ workflow_id }) => workflow_id === generation.state.workflowId),
  );
  readonly schema: FormSchema = $derived(readSchema(this.workflow?.input_schema_json ?? ''));
  /** What the server would take; the settings, until it was asked. */
  readonly standard: Values = $derived({
    ...valuesOf(modelTakenAt(generation.state.foreseen?.backend ?? '', this.schema, catalog.models ?? [])),
    ...this.defaults,
    ...generation.state.foreseen?.defaults,
  } as Record<string, Json>);

  /** Reads what the form is made of; again whenever that changed. Does not throw. */
  async read(): Promise<void> {
    const settings = call('GetSettings').then(
      ({ effective }) => void (this.defaults = effective?.defaults ?? {}),
      (error: unknown) => void (this.problem = error),
    );
    await Promise.all([settings, library.refresh(), catalog.refresh()]);
    if (library.problem || generation.state.workflowId) return;
    generation.send({ kind: 'workflow_chosen', workflowId: this.defaults.workflow_id ?? FIRST_WORKFLOW });
  }
}

function valuesOf(model: string | undefined): Values {
  return model ? { model } : {};
}

export const surroundings = new Surroundings();

/** Takes in the newest jobs, for the strip. Does not throw: the stream tells of new ones anyway. */
export async function readRecentJobs(owner: string): Promise<void> {
  const answer = await call('ListJobs', { page_size: RECENT_JOBS, owner }).catch(() => undefined);
  if (answer) queue.send({ kind: 'answered', jobs: answer.jobs, at: Date.now() });
}
