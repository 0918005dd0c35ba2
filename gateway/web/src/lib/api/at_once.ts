/** How many requests of one kind are under way together: the browser has six connections to a server. */
const MOST = 6;

/** Does it for each, a few at a time, begun in order. `act` must not throw. */
export async function forEach<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  async function work(): Promise<void> {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  }
  await Promise.all(Array.from({ length: MOST }, work));
}
