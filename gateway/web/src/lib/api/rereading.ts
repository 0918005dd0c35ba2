/**
 * Reads something anew whenever that is asked for, one time after the other: so the last answer is the newest, and
 * whoever asks while an answer is on its way waits for one that was asked for later.
 */
export function rereading(read: () => Promise<void>): () => Promise<void> {
  let isStale = false;
  let reading: Promise<void> | undefined;
  async function readOn(): Promise<void> {
    while (isStale) {
      isStale = false;
      await read();
    }
  }
  return () => {
    isStale = true;
    return (reading ??= readOn().finally(() => (reading = undefined)));
  };
}
