/** What the parts of a graph on the screen share: the workflow that is edited, and what can be done to it. */
import { getContext, setContext } from 'svelte';
import type { WorkflowProblem } from '$lib/api/contract';
import type { Store } from '$lib/state/store.svelte';
import type { WorkflowEvent, WorkflowState } from '$lib/state/workflow';
import { freeIds, linkTo, newNode, type Connection, type End } from './connecting';
import { exposedAt, type Content, type Place } from './content';
import { partOf, placed, readPart, writePart } from './copying';
import type { Definitions } from './definitions';
import { usedOutputs } from './drawing';
import { exposureOf } from './exposing';
import type { Value } from './json';
import { arranged, frameAround, isIn, membersOf, sizesOf, type Size } from './layout';
import type { RunView } from './run';

export interface Given {
  editor: Store<WorkflowState, WorkflowEvent>;
  definitions: Definitions;
  /** Look, but do not touch. */
  readonly?: boolean;
  /** A job that runs this graph. */
  run?: RunView | undefined;
  /** Shown at their nodes. */
  problems?: readonly WorkflowProblem[];
}

const KEY = Symbol('graph editor');

export class GraphEditor {
  readonly #given: () => Given;

  constructor(given: () => Given) {
    this.#given = given;
  }

  /** The node or group whose title is being written; empty: none. */
  renaming = $state('');

  readonly used = $derived.by(() => usedOutputs(this.content.nodes));
  readonly #problems = $derived.by(() => byNode(this.#given().problems ?? []));

  get state(): WorkflowState {
    return this.#given().editor.state;
  }
  get content(): Content {
    return this.state.content;
  }
  get definitions(): Definitions {
    return this.#given().definitions;
  }
  get readonly(): boolean {
    return this.#given().readonly ?? false;
  }
  get run(): RunView | undefined {
    return this.#given().run;
  }

  problemsOf(node_id: string): readonly WorkflowProblem[] {
    return this.#problems.get(node_id) ?? [];
  }

  titleOf(node_id: string): string {
    const node = this.content.nodes[node_id];
    return node ? node.title || (this.definitions.find(node.class_type)?.displayName ?? node.class_type) : node_id;
  }

  send(...events: WorkflowEvent[]): void {
    if (!this.readonly) this.#given().editor.send(...events);
  }

  /** Also where nothing may be changed. */
  select(ids: readonly string[]): void {
    this.#given().editor.send({ kind: 'selected', ids });
  }

  show(id: string): void {
    this.#given().editor.send({ kind: 'shown', id });
  }

  rename(id: string): void {
    if (!this.readonly) this.renaming = id;
  }

  setValue(node_id: string, input: string, value: Value): void {
    this.send({ kind: 'value_set', node_id, input, value });
  }

  settle(): void {
    this.send({ kind: 'settled' });
  }

  toggleExposed(node_id: string, input: string): void {
    const exposed = exposedAt(this.content.inputs, node_id, input);
    if (exposed) {
      this.send({ kind: 'target_removed', name: exposed.name, target: { node_id, input } });
      return;
    }
    const exposure = exposureOf(this.content, this.definitions, node_id, input);
    if (exposure) this.send({ kind: 'exposed', input: exposure });
  }

  connect(link: Connection): void {
    this.send({ kind: 'connected', ...link });
  }

  disconnect(node_id: string, input: string): void {
    this.send({ kind: 'disconnected', node_id, input });
  }

  /** A node of a class, linked to the end that was held. Gives its id. */
  add(className: string, place: Place, end?: End): string | undefined {
    const nodeClass = this.definitions.find(className);
    const [id] = freeIds(this.content.nodes, 1);
    if (!nodeClass || id === undefined) return undefined;
    const node = newNode(nodeClass, id, place);
    const link = end && linkTo(node, nodeClass, this.content, this.definitions, end);
    this.send({ kind: 'added', nodes: [node], ...(link && { links: [link] }) });
    return id;
  }

  addNote(place: Place): void {
    const id = this.#freeId('note', this.content.notes);
    this.send({ kind: 'added', notes: [{ id, text: '', ...place, width: 260, height: 140 }] });
  }

  /** A frame around what is selected. */
  addGroup(sizes: ReadonlyMap<string, Size> = this.sizes()): void {
    const selected = Object.values(this.content.nodes).filter((node) => this.state.selection.has(node.id));
    const frame = frameAround(selected, sizes);
    if (!frame) return;
    const id = this.#freeId('group', this.content.groups);
    this.send({ kind: 'added', groups: [{ id, title: '', ...frame }] });
  }

  remove(ids: Iterable<string> = this.state.selection): void {
    this.send({ kind: 'removed', ids: [...ids] });
  }

  duplicate(ids: ReadonlySet<string> = this.state.selection): void {
    const part = partOf(this.content, ids);
    if (part.nodes.length + part.notes.length) this.send({ kind: 'added', ...placed(part, this.content) });
  }

  /** What is selected, as text; empty: nothing is. */
  copied(): string {
    const part = partOf(this.content, this.state.selection);
    return part.nodes.length + part.notes.length ? writePart(part) : '';
  }

  /** Adds the nodes in a text. Whether there were any. */
  paste(text: string, at?: Place): boolean {
    const part = readPart(text);
    if (part) this.send({ kind: 'added', ...placed(part, this.content, at) });
    return part !== undefined;
  }

  arrange(sizes: ReadonlyMap<string, Size> = this.sizes()): void {
    const { nodes, groups } = arranged(this.content, sizes);
    this.send({ kind: 'replaced', content: { ...this.content, nodes, groups } });
  }

  sizes(): ReadonlyMap<string, Size> {
    return sizesOf(this.content.nodes, this.definitions);
  }

  /** The nodes and notes that move with a group. */
  membersOf(group_id: string, sizes: ReadonlyMap<string, Size>): string[] {
    const group = this.content.groups.find((each) => each.id === group_id);
    if (!group) return [];
    const notes = this.content.notes.filter((note) => isIn(group, note));
    return [...membersOf(group, this.content.nodes, sizes), ...notes].map((each) => each.id);
  }

  #freeId(kind: string, taken: readonly { id: string }[]): string {
    const ids = new Set(taken.map((each) => each.id));
    let number = ids.size;
    while (ids.has(`${kind} ${number}`)) number += 1;
    return `${kind} ${number}`;
  }
}

/** Makes the editor for the components below. */
export function provideEditor(given: () => Given): GraphEditor {
  return setContext(KEY, new GraphEditor(given));
}

export function useEditor(): GraphEditor {
  return getContext<GraphEditor>(KEY);
}

function byNode(problems: readonly WorkflowProblem[]): ReadonlyMap<string, readonly WorkflowProblem[]> {
  const found = new Map<string, WorkflowProblem[]>();
  for (const problem of problems) found.set(problem.node_id, [...(found.get(problem.node_id) ?? []), problem]);
  return found;
}
