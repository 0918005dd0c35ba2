/** Addresses of the pictures of previews, within this page. */
import type { Preview } from '$lib/api/contract';

/** A preview as the stream has it: with its bytes in base64, or, where it is large, at an address. */
export type SentPreview = Omit<Preview, 'data'> & { data?: string; url?: string };

/** A picture may still be read when the next one comes, so a few of each job are kept. */
const KEPT_OF_A_JOB = 3;
/** The last frame of a job that has ended is shown until its picture is there, or where it got no further. */
const KEPT_JOBS = 40;

export class FrameUrls {
  readonly #kept = new Map<string, string[]>();

  /** Where the picture is. Those of older frames are given up. */
  of(jobId: string, preview: SentPreview): string {
    if (!preview.data) return preview.url ?? '';
    const url = URL.createObjectURL(new Blob([bytesOf(preview.data)], { type: preview.media_type }));
    const urls = this.#kept.get(jobId) ?? [];
    this.#kept.delete(jobId); // and to the end: the order tells which was at work last
    this.#kept.set(jobId, [...urls, url].slice(-KEPT_OF_A_JOB));
    urls.slice(0, 1 - KEPT_OF_A_JOB).forEach((old) => URL.revokeObjectURL(old));
    this.#giveUp(this.#kept.size - KEPT_JOBS);
    return url;
  }

  /** Gives up all of them. */
  clear(): void {
    this.#giveUp(this.#kept.size);
  }

  #giveUp(count: number): void {
    for (const [jobId, urls] of [...this.#kept].slice(0, Math.max(0, count))) {
      urls.forEach((url) => URL.revokeObjectURL(url));
      this.#kept.delete(jobId);
    }
  }
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}
