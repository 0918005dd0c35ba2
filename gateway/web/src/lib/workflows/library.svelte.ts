/** The workflows that there are, and what is asked about each of them only when it is seen. */
import { call } from '$lib/api/call';
import type { Asset, BackendVerdict, Workflow } from '$lib/api/contract';
import { rereading } from '$lib/api/rereading';
import { search } from '$lib/ui/words';

export class Library {
  /** Built-in ones first, then by title, without graphs; undefined: not read yet. */
  workflows: Workflow[] | undefined = $state.raw();
  /** Why the list could not be read. */
  problem: unknown = $state.raw();
  /** What backends say, by "id@revision". */
  #verdicts: Readonly<Record<string, BackendVerdict[]>> = $state.raw({});
  /** The last picture, by id; null: there is none. */
  #pictures: Readonly<Record<string, Asset | null>> = $state.raw({});
  readonly #asked = new Set<string>();

  /** Reads the list again. Does not throw: `problem` says why there is none. */
  readonly refresh = rereading(async () => {
    try {
      this.workflows = (await call('ListWorkflows')).workflows;
      this.problem = undefined;
    } catch (error) {
      this.problem = error;
    }
  });

  /** Backends or their files changed: what they said no longer counts. */
  forgetVerdicts(): void {
    this.#asked.clear();
    this.#verdicts = {};
  }

  verdicts(workflow: Workflow): BackendVerdict[] | undefined {
    return this.#verdicts[keyOf(workflow)];
  }

  /** Undefined: not known yet; null: there is none. */
  picture(workflow: Workflow): Asset | null | undefined {
    return this.#pictures[workflow.workflow_id];
  }

  /** Asks for what a card shows beside the workflow, once. What cannot be found out is left out. */
  async look(workflow: Workflow): Promise<void> {
    const key = keyOf(workflow);
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    const { workflow_id, revision } = workflow;
    const [judged, made] = await Promise.allSettled([
      call('ValidateWorkflow', { workflow: { workflow_id, revision } }),
      call('ListAssets', { workflow_id, pictures: true, page_size: 1 }),
    ]);
    if (judged.status === 'fulfilled') this.#verdicts = { ...this.#verdicts, [key]: judged.value.verdicts };
    else this.#asked.delete(key); // asked again when it is seen again
    if (made.status === 'fulfilled') {
      this.#pictures = { ...this.#pictures, [workflow_id]: made.value.assets[0] ?? null };
    }
  }
}

export const library = new Library();

/** Those with each word of `text` in their id, title or description. */
export function matching(workflows: Workflow[], text: string): Workflow[] {
  const isMeant = search(text);
  return workflows.filter(({ workflow_id, title, description }) => isMeant(`${workflow_id} ${title} ${description}`));
}

/** What people call it. */
export function nameOf({ title, workflow_id }: Pick<Workflow, 'title' | 'workflow_id'>): string {
  return title || workflow_id;
}

function keyOf({ workflow_id, revision }: Workflow): string {
  return `${workflow_id}@${revision}`;
}
