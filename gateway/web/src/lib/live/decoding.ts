/** What the stream tells, as events of our stores. Pure, but for the addresses of pictures. */
import type { Backend, BackendRemoved, Changed, JobEvent, Queue } from '$lib/api/contract';
import type { IncomingEvent } from '$lib/state/queue';
import type { SystemEvent } from '$lib/state/system';
import type { SentPreview } from './frames';
import type { Told } from './sse';

export interface Decoded {
  jobs: IncomingEvent[];
  system: SystemEvent[];
  /** Jobs that are no more. */
  forgotten: string[];
  /** Whether the gateway has lost the server, as it said last; undefined: it said nothing. */
  isAway: boolean | undefined;
}

type SentEvent = Omit<JobEvent, 'preview'> & { preview?: SentPreview };
type UrlOf = (jobId: string, preview: SentPreview) => string;

/** What was told together. Of a job's previews only the last is made a picture of. */
export function decode(told: readonly Told[], urlOf: UrlOf): Decoded {
  const decoded: Decoded = { jobs: [], system: [], forgotten: [], isAway: undefined };
  const previews = new Map<string, SentEvent>();
  for (const { name, data } of told) {
    const body: unknown = JSON.parse(data);
    const system = systemEvent(name, body);
    if (name === 'away' || name === 'ready') decoded.isAway = name === 'away';
    if (system) decoded.system.push(system);
    else if (name === 'preview') previews.set((body as SentEvent).job_id, body as SentEvent);
    else decoded.jobs.push(body as IncomingEvent);
    if (name === 'changed') decoded.forgotten.push(...forgotten(body as Changed));
  }
  for (const event of previews.values()) decoded.jobs.push(withPicture(event, urlOf));
  return decoded;
}

function withPicture(event: SentEvent, urlOf: UrlOf): IncomingEvent {
  if (!event.preview) return event as IncomingEvent;
  const { data: _, ...frame } = event.preview;
  return { ...event, preview: { ...frame, url: urlOf(event.job_id, event.preview) } };
}

function systemEvent(name: string, body: unknown): SystemEvent | undefined {
  switch (name) {
    case 'backend':
      return { kind: 'backend', backend: body as Backend };
    case 'backend_removed':
      return { kind: 'backend_removed', name: (body as BackendRemoved).name };
    case 'queue':
      return { kind: 'queue', queue: body as Queue };
    case 'changed':
      return { kind: 'changed', topic: (body as Changed).topic };
    case 'ready':
      return { kind: 'ready' };
    default:
      return undefined;
  }
}

function forgotten({ topic, id }: Changed): string[] {
  return topic === 'TOPIC_JOBS' && id ? [id] : [];
}
