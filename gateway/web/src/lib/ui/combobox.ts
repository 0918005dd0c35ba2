import { search } from './words';

/** What a combobox offers. */
export interface Option {
  value: string;
  label: string;
  /** Beside the label, and searched as it is. */
  detail?: string;
  /** A short word that marks it. */
  badge?: string;
  /** The heading below which it stands. */
  group?: string;
}

/** More are not drawn: nobody reads them, and typing finds the rest. */
const MOST_SHOWN = 100;

/** Those with each word of `text`, and how many more there are than are shown. */
export function found(options: readonly Option[], text: string): { shown: readonly Option[]; more: number } {
  const isMeant = search(text);
  const matching = options.filter(({ value, label, detail = '' }) => isMeant(`${value} ${label} ${detail}`));
  return { shown: matching.slice(0, MOST_SHOWN), more: Math.max(0, matching.length - MOST_SHOWN) };
}

/** The place that a key leads to in a list; undefined: it leads nowhere. */
export function placeAfter(key: string, place: number, length: number): number | undefined {
  if (length === 0) return undefined;
  switch (key) {
    case 'ArrowDown':
      return (place + 1) % length;
    case 'ArrowUp':
      return (place <= 0 ? length : place) - 1;
    case 'PageDown':
      return Math.min(length - 1, place + 8);
    case 'PageUp':
      return Math.max(0, place - 8);
    default:
      return undefined;
  }
}
