/** One workflow in the editor: reads it, judges the draft, stores it, and settles with what others stored meanwhile. */
import { call } from '$lib/api/call';
import type { BackendVerdict, Json, Sent, UpdateWorkflowRequest, Workflow } from '$lib/api/contract';
import { ApiError, fieldErrors, messageOf } from '$lib/api/errors';
import type { Content } from '$lib/graph/content';
import { NO_DEFINITIONS, type Definitions } from '$lib/graph/definitions';
import { loadDefinitions } from '$lib/graph/loading';
import { readContent } from '$lib/graph/reading';
import { writeGraph, writeUi } from '$lib/graph/writing';
import { Store } from '$lib/state/store.svelte';
import { fold, initial, isDirty, type WorkflowEvent, type WorkflowState } from '$lib/state/workflow';
import { fetchWorkflow } from './changing';
import type { Comparable } from './differences';

export class Editing {
  readonly store = new Store<WorkflowState, WorkflowEvent>(initial, fold);
  /** As it is stored in the revision that is shown; undefined: not read yet. */
  stored: Workflow | undefined = $state.raw();
  /** What a style is one of. */
  base: Workflow | undefined = $state.raw();
  definitions: Definitions = $state.raw(NO_DEFINITIONS);
  /** The number of the newest revision. */
  newest = $state(0);
  /** Why it could not be read. */
  problem: unknown = $state.raw();
  /** What backends say of the draft; undefined: they are asked. */
  verdicts: BackendVerdict[] | undefined = $state.raw();
  isSaving = $state(false);
  /** What is wrong with the draft, in the server's words: by field, "" is about all of it. */
  errors: Readonly<Record<string, string>> = $state.raw({});
  /** What somebody else stored since this was opened. */
  theirs: Workflow | undefined = $state.raw();
  #asked = 0;
  /** The end of what is being stored. */
  #storing: Promise<unknown> = Promise.resolve();

  constructor(
    readonly workflow_id: string,
    /** 0: the newest. */
    readonly revision: number,
  ) {}

  get isReadonly(): boolean {
    return this.stored === undefined || this.stored.built_in || this.stored.revision !== this.newest;
  }

  get isStyle(): boolean {
    return Boolean(this.stored?.base);
  }

  get isDirty(): boolean {
    return isDirty(this.store.state);
  }

  /** The draft as revisions are compared. */
  get draft(): Comparable {
    return comparable(this.store.state.content);
  }

  /** Reads it. Does not throw: `problem` says why it cannot be shown. */
  async open(): Promise<void> {
    try {
      const stored = await fetchWorkflow(this.workflow_id, this.revision);
      const newest = this.revision ? await fetchWorkflow(this.workflow_id) : stored;
      if (stored.base) this.base = await fetchWorkflow(stored.base);
      if (stored.graph_json) this.definitions = await loadDefinitions().catch(() => NO_DEFINITIONS);
      this.newest = newest.revision;
      this.problem = undefined;
      this.#take(stored);
    } catch (error) {
      this.problem = error;
    }
  }

  /** Asks each backend about the draft as it is now. Only the last question counts. */
  async judge(): Promise<void> {
    const number = ++this.#asked;
    this.verdicts = undefined;
    const answer = await call('ValidateWorkflow', this.#question()).catch(() => ({ verdicts: [] }));
    if (number === this.#asked) this.verdicts = answer.verdicts;
  }

  /**
   * Stores the draft as a new revision, after what is being stored already. `expected`: the one that it is a change of.
   * Whether it is stored.
   */
  save(expected?: number): Promise<boolean> {
    const done = this.#storing.then(() => this.#save(expected));
    this.#storing = done;
    return done;
  }

  /** Gives the draft up for what somebody else stored. It can be brought back by undoing. */
  takeTheirs(): void {
    const { theirs } = this;
    if (!theirs) return;
    const content = readContent(theirs, this.definitions);
    [this.stored, this.newest, this.theirs] = [theirs, theirs.revision, undefined];
    this.store.send(
      { kind: 'replaced', content },
      { kind: 'saved', workflow_id: theirs.workflow_id, revision: theirs.revision, content },
    );
  }

  /** Stores the draft although somebody else stored something meanwhile. */
  keepMine(): Promise<boolean> {
    return this.save(this.theirs?.revision ?? 0);
  }

  /** Takes the draft back to what is stored. It can be brought back by undoing. */
  discard(): void {
    this.store.send({ kind: 'replaced', content: this.store.state.saved });
  }

  /** Does not throw. */
  async #save(given: number | undefined): Promise<boolean> {
    const { content, revision } = this.store.state;
    if (given === undefined && !this.isDirty) return true;
    this.isSaving = true;
    this.errors = {};
    try {
      const { workflow } = await call('UpdateWorkflow', {
        ...this.#sent(content),
        expected_revision: given ?? revision,
      });
      if (!workflow) return false;
      [this.stored, this.newest, this.theirs] = [workflow, workflow.revision, undefined];
      this.store.send({ kind: 'saved', workflow_id: workflow.workflow_id, revision: workflow.revision, content });
      return true;
    } catch (error) {
      await this.#refused(error);
      return false;
    } finally {
      this.isSaving = false;
    }
  }

  #take(stored: Workflow): void {
    const content = readContent(stored, this.definitions);
    this.stored = stored;
    this.store.send({ kind: 'opened', workflow_id: stored.workflow_id, revision: stored.revision, content });
  }

  #sent(content: Content): Sent<UpdateWorkflowRequest> {
    const { title, description, labels, inputs } = content;
    const about = {
      workflow_id: this.workflow_id,
      title,
      description,
      labels: { labels },
      inputs: { inputs: [...inputs] },
    };
    if (this.isStyle) return about;
    // Without definitions the values of a graph in UI format would have no order: what is stored of it stays.
    const isKnown = this.definitions.names.length > 0;
    const ui = isKnown ? { ui_json: writeUi(content, this.definitions) } : {};
    return { ...about, graph_json: writeGraph(content), ...ui };
  }

  #question(): Parameters<typeof call<'ValidateWorkflow'>>[1] {
    const { content } = this.store.state;
    if (this.stored?.graph_json) return { graph_json: writeGraph(content) };
    const given = content.inputs.filter((input) => input.default_value !== undefined);
    const inputs = Object.fromEntries(given.map(({ name, default_value }) => [name, default_value as Json]));
    return { workflow: { workflow_id: this.stored?.base || this.workflow_id, inputs } };
  }

  async #refused(error: unknown): Promise<void> {
    if (error instanceof ApiError && error.reason === 'CHANGED_MEANWHILE') {
      this.theirs = await fetchWorkflow(this.workflow_id).catch(() => undefined);
      if (this.theirs) return;
    }
    this.errors = { ...fieldErrors(error), '': messageOf(error) };
  }
}

/** What of a draft is compared with revisions. */
function comparable(content: Content): Comparable {
  const { title, description, labels, inputs } = content;
  return { title, description, labels: { ...labels }, inputs: [...inputs], graph_json: writeGraph(content) };
}
