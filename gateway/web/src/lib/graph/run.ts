/** What a graph shows while a job runs it. Pure. */

export interface RunView {
  isRunning: boolean;
  /** The node at work; empty: none. */
  at: string;
  /** How far that node is, 0..1; undefined: it does not say. */
  fraction?: number;
  done: ReadonlySet<string>;
  cached: ReadonlySet<string>;
  /** Where the job failed; empty: nowhere. */
  failed: string;
  /** The newest preview, and the node that made it. */
  preview?: { node_id: string; url: string };
}
