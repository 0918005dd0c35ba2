/** What a graph shows while a job runs it. Pure. */
import { assetUrl } from '$lib/api/call';
import type { Job, Output, Plan, Preview, Progress } from '$lib/api/contract';

export interface RunView {
  isRunning: boolean;
  /** The node at work; empty: none. */
  at: string;
  /** How far that node is, 0..1; undefined: it does not say. */
  fraction?: number;
  done: ReadonlySet<string>;
  /** It succeeded, and nobody knows any more which nodes it ran. */
  isAllDone: boolean;
  cached: ReadonlySet<string>;
  /** Where the job failed; empty: nowhere. */
  failed: string;
  /** The newest preview, and the node that made it. */
  preview?: { node_id: string; url: string };
  /** Addresses of what nodes have made: of each its last picture. */
  pictures: ReadonlyMap<string, string>;
}

const OVER = new Set<Job['state']>(['JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED']);

/** What is known of a job now. `preview` has the address of its picture. */
export function runView(
  state: Job['state'],
  plan: Plan | undefined,
  progress: Pick<Progress, 'node_id' | 'step' | 'steps'> | undefined,
  preview?: Pick<Preview, 'node_id'> & { url: string },
  failed = '',
  outputs: readonly Output[] = [],
): RunView {
  const isRunning = state === 'JOB_STATE_RUNNING';
  const at = isRunning ? (progress?.node_id ?? '') : '';
  const nodes = plan?.nodes ?? [];
  const place = nodes.findIndex((node) => node.node_id === at);
  // The plan is in the order of execution: what stands before the node at work is done.
  const before = state === 'JOB_STATE_SUCCEEDED' ? nodes : nodes.slice(0, Math.max(0, place));
  const done = new Set(before.map((node) => node.node_id));
  done.delete(failed);
  return {
    isRunning,
    at,
    ...(progress && progress.steps > 0 && at && { fraction: progress.step / progress.steps }),
    done,
    isAllDone: state === 'JOB_STATE_SUCCEEDED' && !nodes.length,
    cached: new Set(nodes.filter((node) => node.cached).map((node) => node.node_id)),
    failed: OVER.has(state) ? failed : '',
    ...(preview && preview.node_id && { preview: { node_id: preview.node_id, url: preview.url } }),
    pictures: new Map(outputs.flatMap(({ node_id, asset }) => (asset ? [[node_id, assetUrl(asset.digest, 512)]] : []))),
  };
}
