/** Where the tiles of a grid are, of which only those in sight exist. Pure. */

export interface Layout {
  columns: number;
  /** The side of a tile. */
  tile: number;
  /** From one row to the next. */
  pitch: number;
  rows: number;
}

export const GAP = 8;

/** Tiles of about the wished side that fill the width, two in a row at least. */
export function layoutOf(width: number, wished: number, places: number): Layout {
  const columns = Math.max(2, Math.round((width + GAP) / (wished + GAP)));
  const tile = Math.max(1, (width - (columns - 1) * GAP) / columns);
  return { columns, tile, pitch: tile + GAP, rows: Math.ceil(places / columns) };
}

/** The rows in sight and a few around them, from the first up to the end. */
export function visibleRows(
  scrollTop: number,
  height: number,
  { pitch, rows }: Pick<Layout, 'pitch' | 'rows'>,
  around = 2,
): { first: number; end: number } {
  const first = Math.floor(scrollTop / pitch) - around;
  const end = Math.ceil((scrollTop + height) / pitch) + around;
  return { first: clamp(first, 0, rows), end: clamp(end, 0, rows) };
}

/** Where to scroll so that a row is wholly in sight; the same where it is. */
export function scrolledTo(row: number, scrollTop: number, height: number, pitch: number): number {
  const top = row * pitch;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + pitch - height);
}

/** Where a key leads from a place; undefined: it is no such key. */
export function movedBy(key: string, place: number, places: number, columns: number, page: number): number | undefined {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * page,
    PageDown: columns * page,
    Home: -places,
    End: places,
  };
  const step = steps[key];
  if (step === undefined) return undefined;
  if (Math.abs(step) === columns && (place + step < 0 || place + step >= places)) return place; // there is no row above, or below
  return clamp(place + step, 0, Math.max(0, places - 1));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Widths in which the gateway makes thumbnails. */
const WIDTHS = [64, 128, 256, 512, 1024] as const;

/** The thumbnail that fills a square tile: the narrowest that is sharp, given the device's pixels per CSS pixel. */
export function thumbnailWidth(tile: number, density: number, width: number, height: number): number {
  const wide = width > height && height > 0 ? Math.min(width / height, 3) : 1;
  const needed = tile * Math.min(density, 2) * wide * 0.9; // a tenth is not seen, and saves half of the bytes
  return WIDTHS.find((one) => one >= needed) ?? 1024;
}
