/** Who is signed in, and what that person may do. */
import { fetchJson } from '$lib/api/call';

export interface Session {
  keys_needed: boolean;
  signed_in: boolean;
  key: string;
  owner: string;
  role: 'admin' | 'user';
}

/** The cookie is of all tabs: who signs in or out in one does so in all. */
const otherTabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('imagegen.session') : undefined;

class SessionState {
  /** Undefined until the gateway has answered. */
  value: Session | undefined = $state.raw();

  constructor() {
    // Whoever does not reach the gateway now is told by its stream.
    otherTabs?.addEventListener('message', () => void this.refresh().catch(() => undefined));
  }

  get isAdmin(): boolean {
    return this.value?.role === 'admin';
  }

  get isLockedOut(): boolean {
    return this.value !== undefined && this.value.keys_needed && !this.value.signed_in;
  }

  /** Asks the gateway. Throws as `call`. */
  async refresh(): Promise<void> {
    this.value = await fetchJson<Session>('/session');
  }

  /** Throws ApiError 401 for a wrong key. */
  async signIn(key: string): Promise<void> {
    const headers = { 'Content-Type': 'application/json' };
    await fetchJson('/session', { method: 'POST', headers, body: JSON.stringify({ key }) });
    await this.#changed();
  }

  async signOut(): Promise<void> {
    await fetchJson('/session', { method: 'DELETE' });
    await this.#changed();
  }

  async #changed(): Promise<void> {
    otherTabs?.postMessage('changed');
    await this.refresh();
  }
}

export const session = new SessionState();
