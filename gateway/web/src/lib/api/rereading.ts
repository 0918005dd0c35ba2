/**
 * Reads something anew whenever that is asked for, one time after the other: so the last answer is the newest, and
 * whoever asks while an answer is on its way waits for one that was asked for later. `read` is an async function.
 */
export function rereading(read: () => Promise<void>): () => Promise<void> {
  let isStale = false;
  let reading: Promise<void> | undefined;
  async function readOn(): Promise<void> {
    try {
      while (isStale) {
        isStale = false;
        await read();
      }
    } finally {
      reading = undefined; // in the same turn as the last look at `isStale`: nobody asks in between
    }
  }
  return () => {
    isStale = true;
    return (reading ??= readOn());
  };
}
