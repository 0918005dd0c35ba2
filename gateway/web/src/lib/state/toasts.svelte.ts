/** Short messages in the corner: what was done, and a way to undo it. Errors belong to their field, not here. */

export interface Toast {
  id: number;
  text: string;
  kind: 'done' | 'problem';
  action?: { label: string; run: () => void } | undefined;
}

const MAX_TOASTS = 4;
const LASTS_MS = 6000;
const WITH_ACTION_LASTS_MS = 12_000;

class Toasts {
  list: Toast[] = $state.raw([]);
  #next = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** Shows a message for a while; the oldest goes where there are too many. */
  show(text: string, options: { kind?: Toast['kind']; action?: Toast['action'] } = {}): void {
    const toast: Toast = { id: this.#next++, text, kind: options.kind ?? 'done', action: options.action };
    this.list = [...this.list.slice(1 - MAX_TOASTS), toast];
    this.release(toast);
  }

  /** Keeps a message while somebody is about to press something on it. */
  hold(toast: Toast): void {
    clearTimeout(this.#timers.get(toast.id));
  }

  /** Lets a message go after its time. */
  release(toast: Toast): void {
    this.hold(toast);
    const lasts = toast.action ? WITH_ACTION_LASTS_MS : LASTS_MS;
    this.#timers.set(
      toast.id,
      setTimeout(() => this.dismiss(toast.id), lasts),
    );
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
