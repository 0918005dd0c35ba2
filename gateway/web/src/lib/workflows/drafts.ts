/** Editors that were left with something in them that is not stored: it waits until one comes back. */
import type { Editing } from './editing.svelte';

const drafts = new Map<string, Editing>();

/** The editor that was left; undefined: there was nothing to keep, or it was stored since. */
export function draftOf(workflow_id: string): Editing | undefined {
  const left = drafts.get(workflow_id);
  return left?.isDirty ? left : undefined;
}

/** Keeps an editor that is left, if it is worth it. */
export function keepDraft(editing: Editing): void {
  if (editing.revision) return; // an old revision is only looked at
  if (editing.isDirty && !editing.isReadonly) drafts.set(editing.workflow_id, editing);
  else drafts.delete(editing.workflow_id);
}

addEventListener('beforeunload', (event) => [...drafts.keys()].some(draftOf) && event.preventDefault());
