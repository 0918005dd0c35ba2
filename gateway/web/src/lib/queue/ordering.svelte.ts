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
      const begin = (event: PointerEvent) => {
        if (event.button !== 0) return;
        event.preventDefault();
        this.#begin(jobId);
      };
      handle.addEventListener('pointerdown', begin);
      return () => handle.removeEventListener('pointerdown', begin);
    };
  }

  /** Listens to the document until the job is let go: the queue may put its row elsewhere meanwhile. */
  #begin(jobId: string): void {
    const over = new AbortController();
    const on = (name: string, listener: (event: PointerEvent) => void) =>
      document.addEventListener(name, listener as EventListener, { signal: over.signal });
    const end = (isMeant: boolean) => {
      over.abort();
      this.#drop(isMeant);
    };
    this.dragged = jobId;
    const point = ({ clientY }: PointerEvent) => (this.place = placeAt(clientY, this.#middles()));
    on('pointermove', point);
    on('pointerup', (event) => {
      if (this.place !== undefined) point(event); // rows may have come or gone since the last move
      end(true);
    });
    on('pointercancel', () => end(false));
    on('keydown', () => end(false));
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
