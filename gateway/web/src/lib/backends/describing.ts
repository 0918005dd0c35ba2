/** What the views say of a backend, from what the contract says of it. Pure. */
import type { Backend, BackendCapabilities, Device, Model } from '$lib/api/contract';
import { search } from '$lib/ui/words';

/** How it stands, as one word that decides about its colour. */
export type Standing = 'ready' | 'drained' | 'away' | 'unknown';

export function standingOf(backend: Backend): Standing {
  if (backend.health === 'BACKEND_HEALTH_UNHEALTHY') return 'away';
  if (backend.drained) return 'drained';
  return backend.health === 'BACKEND_HEALTH_HEALTHY' ? 'ready' : 'unknown';
}

/** Share of a device's memory that is taken, 0..1; undefined: not known. */
export function memoryTaken(device: Device): number | undefined {
  const total = Number(device.memory_total_bytes);
  return total > 0 ? 1 - Number(device.memory_free_bytes) / total : undefined;
}

/** What a kind of backend can do, by the names of the contract. */
export function abilities<Name extends keyof BackendCapabilities>(
  capabilities: BackendCapabilities | undefined,
  names: readonly Name[],
): Name[] {
  return names.filter((name) => capabilities?.[name]);
}

/** Whether nobody has added a real backend yet. */
export function isFirstRun(backends: readonly Backend[]): boolean {
  return backends.every(({ kind }) => kind === 'demo');
}

/** Models whose name contains each word, letter case ignored, of one type or of all. */
export function matching(models: readonly Model[], text: string, type: string): Model[] {
  const isMeant = search(text);
  return models.filter((model) => (!type || model.type === type) && isMeant(model.name));
}

/** A model's type as the contract's addresses have it: "checkpoint". */
export function typeInAddress(type: Model['type']): string {
  return type.replace('MODEL_TYPE_', '').toLowerCase();
}
