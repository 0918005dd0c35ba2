/** Editors that were left with something in them that is not stored: it waits until one comes back. */
import type { Editing } from './editing.svelte';

const drafts = new Map<string, Editing>();

/** The editor that was left; undefined: there was nothing to keep. */
export function draftOf(workflow_id: string): Editing | undefined {
  return drafts.get(workflow_id);
}

/** Keeps an editor that is left, if it is worth it. */
export function keepDraft(editing: Editing): void {
  if (editing.revision) return; // an old revision is only looked at
  if (editing.isDirty && !editing.isReadonly) drafts.set(editing.workflow_id, editing);
  else drafts.delete(editing.workflow_id);
}

addEventListener('beforeunload', (event) => drafts.size && event.preventDefault());
