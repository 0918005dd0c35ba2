/** Backends, the queue in numbers, and what has to be read again: what the service tells beside jobs. Pure. */
import type { Backend, Queue, Topic } from '$lib/api/contract';

export type Changing = 'settings' | 'workflows' | 'models' | 'assets' | 'keys' | 'jobs';

export interface SystemState {
  /** By name, in the order in which they were told. */
  backends: ReadonlyMap<string, Backend>;
  /** Undefined until it was told. */
  queue: Queue | undefined;
  /** Whether all that there is has been told. */
  isReady: boolean;
  /** How often each was changed. Who shows it reads it again when the number is another. */
  changes: Readonly<Record<Changing, number>>;
  /** Backends told since the stream began; undefined once all have been. */
  told: ReadonlySet<string> | undefined;
}

export type SystemEvent =
  | { kind: 'backend'; backend: Backend }
  | { kind: 'backend_removed'; name: string }
  | { kind: 'queue'; queue: Queue }
  | { kind: 'changed'; topic: Topic }
  | { kind: 'ready' }
  /** The stream begins: all that there is comes next. */
  | { kind: 'began' }
  /** Another tab, which has the stream, says what it knows. */
  | { kind: 'handed_over'; state: SystemState };

export const initial: SystemState = {
  backends: new Map(),
  queue: undefined,
  isReady: false,
  changes: { settings: 0, workflows: 0, models: 0, assets: 0, keys: 0, jobs: 0 },
  told: undefined,
};

export function fold(state: SystemState, event: SystemEvent): SystemState {
  switch (event.kind) {
    case 'backend': {
      const backends = new Map(state.backends).set(event.backend.name, event.backend);
      return { ...state, backends, told: state.told && new Set(state.told).add(event.backend.name) };
    }
    case 'backend_removed': {
      const backends = new Map(state.backends);
      return backends.delete(event.name) ? { ...state, backends } : state;
    }
    case 'queue':
      return { ...state, queue: event.queue };
    case 'changed':
      return { ...state, changes: changed(state.changes, event.topic) };
    case 'began':
      return { ...state, told: new Set() };
    case 'ready':
      return ready(state);
    case 'handed_over':
      return { ...event.state, changes: state.changes };
  }
}

function changed(changes: SystemState['changes'], topic: Topic): SystemState['changes'] {
  const name = topic.replace('TOPIC_', '').toLowerCase();
  return name in changes ? { ...changes, [name]: changes[name as Changing] + 1 } : changes;
}

/** Changes are not told again after an interruption, and neither are backends that went in it. */
function ready(state: SystemState): SystemState {
  const { told } = state;
  const changes = state.isReady ? allChanged(state.changes) : state.changes;
  // Without a beginning it was the gateway that was interrupted, which tells itself of backends that went.
  const backends = told ? new Map([...state.backends].filter(([name]) => told.has(name))) : state.backends;
  return { ...state, backends, changes, isReady: true, told: undefined };
}

function allChanged(changes: SystemState['changes']): SystemState['changes'] {
  const all = Object.entries(changes).map(([name, times]) => [name, times + 1]);
  return Object.fromEntries(all) as SystemState['changes'];
}
