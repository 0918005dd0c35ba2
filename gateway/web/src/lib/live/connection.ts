/** The one stream of everything: opened, kept open, and opened again where it was lost. */
import { decode, JOB_EVENTS, SYSTEM_EVENTS, type Told } from './decoding';

export const STREAM = '/api/v1/events?system=true&previews=inline&max_rate_hz=10';

export interface Listener {
  /** What the stream told since the last time, in order. */
  told(news: Told[]): void;
  /** The stream is there; `again` after a break. */
  opened(again: boolean): void;
  /** The stream is lost, and is being opened again. */
  lost(): void;
  /** How long to wait before the next try, in milliseconds. */
  pauseMs(): number;
}

/** Opens the stream after `token` (empty: from now) and keeps it open; gives what ends it. */
export function connect(listener: Listener, token = ''): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let wasOpen = false;
  const batch = batched(listener.told);

  function open(): void {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(token ? `${STREAM}&last_event_id=${encodeURIComponent(token)}` : STREAM);
    source.onopen = () => {
      listener.opened(wasOpen);
      wasOpen = true;
    };
    source.onerror = () => {
      listener.lost();
      // A browser tries again by itself after a cut, but gives up after an answer that is an error, as of a gateway
      // whose server is being restarted.
      if (source?.readyState === EventSource.CLOSED) retry = setTimeout(open, listener.pauseMs());
    };
    for (const name of [...JOB_EVENTS, ...SYSTEM_EVENTS]) {
      source.addEventListener(name, (event) => {
        token = event.lastEventId || token;
        const news = decode(name, event.data as string);
        if (news) batch(news);
      });
    }
  }

  const openIfClosed = () => {
    if (source?.readyState !== EventSource.OPEN && document.visibilityState === 'visible') open();
  };
  addEventListener('online', openIfClosed);
  document.addEventListener('visibilitychange', openIfClosed);
  open();
  return () => {
    removeEventListener('online', openIfClosed);
    document.removeEventListener('visibilitychange', openIfClosed);
    clearTimeout(retry);
    source?.close();
  };
}

/** Collects what comes within one frame: ten previews a second of several jobs must not render the page fifty times. */
export function batched<Item>(deliver: (items: Item[]) => void): (item: Item) => void {
  let waiting: Item[] = [];
  const flush = () => {
    const items = waiting;
    waiting = [];
    deliver(items);
  };
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    // A tab that nobody sees draws no frames.
    if (document.visibilityState === 'visible') requestAnimationFrame(flush);
    else setTimeout(flush, 100);
  };
}
