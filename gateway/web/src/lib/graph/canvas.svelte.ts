/** What lies on the canvas, and what is done to it by hand: the library moves boxes, the editor hears where they end. */
import type { AriaLabelConfig, Connection as Held, Edge, Node, OnConnectEnd } from '@xyflow/svelte';
import { untrack } from 'svelte';
import { text } from '$lib/i18n/index.svelte';
import { canConnect, linkBetween, type Connection, type End } from './connecting';
import type { Place } from './content';
import type { GraphEditor } from './editor.svelte';
import { boxesOf, linesOf, movedBoxes } from './flow';
import type { Size } from './layout';

export class CanvasBoxes {
  boxes = $state.raw<Node[]>([]);
  lines = $state.raw<Edge[]>([]);
  readonly #editor: GraphEditor;
  /** What moves with a group that is dragged, and where each was. */
  #carried: { from: Place; places: Record<string, Place> } | undefined;

  /** Call it while a component is made: it follows the editor as long as that lives. */
  constructor(editor: GraphEditor) {
    this.#editor = editor;
    $effect.pre(() => {
      const { content, selection } = editor.state;
      untrack(() => (this.boxes = boxesOf(content, selection, this.boxes)));
    });
    $effect.pre(() => {
      const { content, definitions } = editor;
      untrack(() => (this.lines = linesOf(content, definitions, this.lines, this.#labelOf)));
    });
  }

  readonly #labelOf = (source: string, target: string) =>
    text.graph.link(this.#editor.titleOf(source), this.#editor.titleOf(target));

  /** Tells the editor what was moved. */
  settle(by?: 'keys'): void {
    this.#carried = undefined;
    const places = movedBoxes(this.boxes);
    if (Object.keys(places).length) this.#editor.send({ kind: 'moved', places, ...(by && { by }) });
  }

  /** Nodes move with their group, but for those that are dragged themselves. */
  carry(group: Node | null, dragged: readonly Node[]): void {
    if (group?.type !== 'group-frame') return;
    const alone = new Set(this.#editor.membersOf(group.id, this.sizes()));
    for (const { id } of dragged) alone.delete(id);
    const members = this.boxes.filter((box) => alone.has(box.id));
    this.#carried = { from: group.position, places: Object.fromEntries(members.map((box) => [box.id, box.position])) };
  }

  follow(group: Node | null): void {
    if (!this.#carried || !group) return;
    const { from, places } = this.#carried;
    const [dx, dy] = [group.position.x - from.x, group.position.y - from.y];
    this.boxes = this.boxes.map((box) => {
      const place = places[box.id];
      return place ? { ...box, position: { x: place.x + dx, y: place.y + dy } } : box;
    });
  }

  /** As they are drawn; those that never were, as they are about to be. */
  readonly sizes = (): ReadonlyMap<string, Size> => {
    const drawn = this.boxes.flatMap(({ id, measured }): [string, Size][] => {
      const { width, height } = measured ?? {};
      return width && height ? [[id, { width, height }]] : [];
    });
    return new Map([...this.#editor.sizes(), ...drawn]);
  };

  readonly isPossible = (held: Held | Edge): boolean =>
    canConnect(this.#editor.content, this.#editor.definitions, asConnection(held));

  /** The editor makes the line: what the library would add is left out. */
  readonly connect = (held: Held): void => this.#editor.connect(asConnection(held));

  /** A link was let go beside a socket: on a node it goes to one that fits; gives where else it lies, and its end. */
  drop(...[event, { isValid, fromHandle }]: Parameters<OnConnectEnd>): { at: Place; end: End } | undefined {
    const point = 'changedTouches' in event ? event.changedTouches[0] : event;
    if (isValid || !fromHandle || !point || this.#editor.readonly) return undefined;
    const { nodeId: node_id, id, type } = fromHandle;
    const end: End = type === 'source' ? { node_id, slot: Number(id) } : { node_id, input: id ?? '' };
    const at = { x: point.clientX, y: point.clientY };
    const on = document.elementFromPoint(at.x, at.y)?.closest<HTMLElement>('.svelte-flow__node')?.dataset.id;
    if (on === undefined) return { at, end };
    const link = linkBetween(end, on, this.#editor.content, this.#editor.definitions);
    if (link) this.#editor.connect(link);
    return undefined;
  }

  select(nodes: readonly Node[]): void {
    const { selection } = this.#editor.state;
    if (nodes.length === selection.size && nodes.every(({ id }) => selection.has(id))) return;
    this.#editor.select(nodes.map(({ id }) => id));
  }

  selectAll(): void {
    this.#editor.select(this.boxes.map((box) => box.id));
  }

  /** Removes what is selected, nodes and links. */
  remove(): void {
    for (const { target, targetHandle } of this.lines.filter((line) => line.selected)) {
      this.#editor.disconnect(target, targetHandle ?? '');
    }
    if (this.#editor.state.selection.size) this.#editor.remove();
  }
}

function asConnection({ source, sourceHandle, target, targetHandle }: Held | Edge): Connection {
  return { source, slot: Number(sourceHandle), target, input: targetHandle ?? '' };
}

/** What the library says by itself to screen readers, in our words. */
export function ariaLabels(): Partial<AriaLabelConfig> {
  return {
    'node.a11yDescription.default': text.graph.nodeHelp,
    'edge.a11yDescription.default': text.graph.linkHelp,
    'node.a11yDescription.ariaLiveMessage': ({ x, y }) => text.graph.movedTo(x, y),
    'controls.ariaLabel': text.graph.zoomControls,
    'controls.zoomIn.ariaLabel': text.graph.zoomIn,
    'controls.zoomOut.ariaLabel': text.graph.zoomOut,
    'controls.fitView.ariaLabel': text.graph.fit,
    'handle.ariaLabel': text.graph.handle,
  };
}
