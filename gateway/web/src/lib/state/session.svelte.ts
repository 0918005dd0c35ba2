/** Who is signed in, and what that person may do. */
import { fetchJson } from '$lib/api/call';

export interface Session {
  keys_needed: boolean;
  signed_in: boolean;
  key: string;
  owner: string;
  role: 'admin' | 'user';
}

class SessionState {
  /** Undefined until the gateway has answered. */
  value: Session | undefined = $state.raw();

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
    await this.refresh();
  }

  async signOut(): Promise<void> {
    await fetchJson('/session', { method: 'DELETE' });
    await this.refresh();
  }
}

export const session = new SessionState();
