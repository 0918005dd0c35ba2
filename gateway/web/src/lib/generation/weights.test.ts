import { describe, expect, it } from 'vitest';
import { weighed } from './weights';

/** The text with its selection between [ and ]. */
function marked(text: string) {
  const start = text.indexOf('[');
  return { text: text.replace(/[[\]]/g, ''), start, end: text.indexOf(']') - 1 };
}

describe('weighed', () => {
  it.each([
    ['the word at the cursor', 'a re[]d fox', 1, 'a [(red:1.05)] fox'],
    ['what is selected, without blanks at its ends', 'a[ red fox ]there', 1, 'a [(red fox:1.05)] there'],
    ['less', 'a [red] fox', -1, 'a [(red:0.95)] fox'],
    ['more again, by what it selected itself', 'a [(red:1.05)] fox', 1, 'a [(red:1.1)] fox'],
    ['more again, by the word within', 'a (r[]ed:1.05) fox', 1, 'a [(red:1.1)] fox'],
    ['back to no weight at all', 'a [(red:1.05)] fox', -1, 'a [red] fox'],
    ['nothing where there is no word', 'a , [], fox', 1, 'a , [], fox'],
    ['below zero', '[(red:0)]', -1, '[(red:-0.05)]'],
  ])('weighs %s', (_, before, steps, after) => expect(weighed(marked(before), steps)).toEqual(marked(after)));
});
