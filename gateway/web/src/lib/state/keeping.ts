/** What this browser keeps for itself. A full or forbidden storage is no fault: then nothing is kept. */

export function keep(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full, or forbidden: the page works without
  }
}

/** What was kept; undefined: nothing, or nothing that can be read. */
export function kept<T>(key: string): T | undefined {
  try {
    const text = localStorage.getItem(key);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}
