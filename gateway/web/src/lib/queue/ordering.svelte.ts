/** Moving a job by dragging it, with mouse, pen or finger. */

/** Where a dragged row would go: before the row with this place; the number of rows: to the end. */
export function placeAt(y: number, middles: readonly number[]): number {
  const place = middles.findIndex((middle) => y < middle);
  return place < 0 ? middles.length : place;
}

export class Ordering {
  /** The job that is being dragged. */
  dragged = $state('');
  /** Where it would go; undefined: nothing is dragged. */
  place: number | undefined = $state();

  /** `list` has the rows as its children; `move` is called with the place, when one is let go. */
  constructor(
    private readonly list: () => HTMLElement | undefined,
    private readonly move: (jobId: string, place: number) => void,
  ) {}

  /** To be put on a handle. */
  handle(jobId: string) {
    return (handle: HTMLElement) => {
      const over = new AbortController();
      const on = (name: string, listener: (event: PointerEvent) => void) =>
        handle.addEventListener(name, listener as EventListener, { signal: over.signal });
      on('pointerdown', (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        handle.setPointerCapture(event.pointerId);
        this.dragged = jobId;
      });
      on('pointermove', (event) => {
        if (this.dragged === jobId) this.place = placeAt(event.clientY, this.#middles());
      });
      on('pointerup', () => this.#drop(true));
      on('pointercancel', () => this.#drop(false));
      on('keydown', () => this.#drop(false));
      return () => over.abort();
    };
  }

  #middles(): number[] {
    return [...(this.list()?.children ?? [])].map((row) => {
      const { top, height } = row.getBoundingClientRect();
      return top + height / 2;
    });
  }

  #drop(isMeant: boolean): void {
    const { dragged, place } = this;
    this.dragged = '';
    this.place = undefined;
    if (isMeant && dragged && place !== undefined) this.move(dragged, place);
  }
}
