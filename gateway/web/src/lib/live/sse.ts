/** The text of server-sent events, taken apart. Pure. */

export interface Told {
  /** The kind of event. */
  name: string;
  data: string;
  /** Token of this event; empty: it has none. */
  id: string;
}

/** What is told in `text`, and the rest, which is not complete yet. Comments, as the gateway's pings, tell nothing. */
export function parse(text: string): { told: Told[]; rest: string } {
  const blocks = text.split('\n\n');
  const rest = blocks.pop() ?? '';
  return { told: blocks.map(parseBlock).filter((told) => told.name !== ''), rest };
}

function parseBlock(block: string): Told {
  const told = { name: '', data: '', id: '' };
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) told.name = line.slice(7);
    else if (line.startsWith('data: ')) told.data = line.slice(6);
    else if (line.startsWith('id: ')) told.id = line.slice(4);
  }
  return told;
}
