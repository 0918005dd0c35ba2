/** What the service tells by itself: jobs, backends, and whether we hear it. */
import type { Job } from '$lib/api/contract';
import type { ConnectionEvent } from '$lib/state/connection';
import { appearance } from '$lib/state/appearance.svelte';
import { keep, kept } from '$lib/state/keeping';
import { session } from '$lib/state/session.svelte';
import { keepConnected } from './connection';
import { Inbox } from './inbox';
import { isOffline, readUnfinished } from './reading';
import type { Told } from './sse';
import { connection, queue, system } from './stores.svelte';
import { otherTabs, PATIENCE_MS, takeTurn, type Message } from './tabs';

export { connection, queue, system } from './stores.svelte';

const KEY = 'imagegen.live';
const KEEP_EVERY_MS = 3000;
/** Of an older absence nothing is told: the gallery shows what was made. */
const MAX_AWAY_MS = 24 * 3600 * 1000;

/** What this browser heard last, and when. */
interface Mark {
  who: string;
  token: string;
  at: number;
}

/** Whose jobs are this page's. */
export function myOwner(): string {
  return session.value?.owner || appearance.value.owner;
}

/** Listens to the service until the function that it gives is called. */
export function startLive(): () => void {
  const who = session.value?.key ?? '';
  const stop = new AbortController();
  const { signal } = stop;
  const inbox = new Inbox((job: Job) => job.owner === myOwner(), signal);
  let token = '';
  let isLeader = false;
  let isAnswered = true;
  let isReading = false;

  function take(told: Told): void {
    token = told.id || token;
    inbox.take(told);
  }
  function change(event: ConnectionEvent): void {
    inbox.flush();
    connection.send(event);
    if (event.kind !== 'opened') return;
    system.send({ kind: 'began' });
    void readAll();
  }
  function hear(message: Message): void {
    if (message.kind === 'told') take(message.told);
    else if (message.kind === 'changed') change(message.event);
    else if (message.kind === 'hello' && isLeader) {
      inbox.flush();
      tabs.say({ kind: 'welcome', system: system.state, connection: connection.state, token });
    } else if (message.kind === 'welcome' && !isLeader) {
      isAnswered = true;
      token = message.token;
      inbox.flush(); // what was passed on before is older
      system.send({ kind: 'handed_over', state: message.system });
      connection.send({ kind: 'handed_over', state: message.connection });
    }
  }
  const tabs = otherTabs(who, hear);

  /** Once; what fails is tried again when the stream is there. */
  async function readAll(): Promise<void> {
    if (queue.state.isReady || isReading) return;
    isReading = true;
    await readUnfinished(signal)
      .catch((error: unknown) => {
        if (!isOffline(error)) throw error;
      })
      .finally(() => (isReading = false));
  }

  async function lead(turn: AbortSignal): Promise<void> {
    isLeader = isAnswered = true;
    const mark = kept<Mark>(KEY);
    if (!token && mark?.who === who && Date.now() - mark.at < MAX_AWAY_MS) {
      token = mark.token;
      connection.send({ kind: 'left', at: mark.at });
    }
    const remember = () => token && connection.state.phase === 'live' && keep(KEY, { who, token, at: Date.now() });
    const timer = setInterval(remember, KEEP_EVERY_MS);
    addEventListener('pagehide', remember, { signal: turn });
    const listener = {
      told: (told: Told) => (tabs.say({ kind: 'told', told }), take(told)),
      changed: (event: ConnectionEvent) => (tabs.say({ kind: 'changed', event }), change(event)),
      lockedOut: () => void session.refresh().catch(() => undefined),
    };
    await keepConnected(listener, token, turn);
    clearInterval(timer);
    isLeader = false;
  }

  /** A tab that its phone has put to sleep holds the lock and passes on nothing. */
  function takePlaceOfSleeper(): void {
    if (document.visibilityState !== 'visible' || isLeader) return;
    isAnswered = false;
    tabs.say({ kind: 'hello' });
    setTimeout(() => {
      if (!isAnswered && !signal.aborted) void takeTurn(who, lead, signal, true);
    }, PATIENCE_MS);
  }

  tabs.say({ kind: 'hello' });
  document.addEventListener('visibilitychange', takePlaceOfSleeper, { signal });
  void takeTurn(who, lead, signal);
  void readAll();

  return () => {
    stop.abort();
    tabs.close();
    inbox.clear();
    queue.send({ kind: 'signed_out' });
  };
}
