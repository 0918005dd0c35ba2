/** Emphasis in prompts as A1111 and ComfyUI read it: (word:1.1). Pure. */

/** A text with a selection. */
export interface Selected {
  text: string;
  start: number;
  end: number;
}

const STEP = 0.05;
const WEIGHTED = /^\((.*):(-?\d+(?:\.\d+)?)\)$/s;

/** The text with what is selected, or the word at the cursor, weighed by so many steps more. */
export function weighed(selected: Selected, steps: number): Selected {
  const span = spanOf(selected);
  if (span.start === span.end) return selected;
  const part = selected.text.slice(span.start, span.end);
  const [, inner = part, weight = '1'] = WEIGHTED.exec(part) ?? [];
  const next = Math.round((Number(weight) + steps * STEP) * 100) / 100;
  const written = next === 1 ? inner : `(${inner}:${next})`;
  const text = selected.text.slice(0, span.start) + written + selected.text.slice(span.end);
  return { text, start: span.start, end: span.start + written.length };
}

/** What is meant: the whole of the brackets around it, or the word, without the blanks at its ends. */
function spanOf({ text, start, end }: Selected): { start: number; end: number } {
  let [from, to] = start === end ? wordAt(text, start) : [start, end];
  while (from < to && /\s/.test(text[from] ?? '')) from += 1;
  while (to > from && /\s/.test(text[to - 1] ?? '')) to -= 1;
  const after = /^:-?\d+(?:\.\d+)?\)/.exec(text.slice(to));
  return text[from - 1] === '(' && after ? { start: from - 1, end: to + after[0].length } : { start: from, end: to };
}

function wordAt(text: string, place: number): [number, number] {
  const before = /[^\s,.:()]*$/.exec(text.slice(0, place))?.[0] ?? '';
  const after = /^[^\s,.:()]*/.exec(text.slice(place))?.[0] ?? '';
  return [place - before.length, place + after.length];
}
