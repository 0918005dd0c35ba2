/** Files for whoever looks at the page. */
import type { Asset } from '$lib/api/contract';
import { downloadUrl, fileName, type Metadata } from './files';

const PAUSE_MS = 250;

/** Downloads pictures, one after another: browsers drop what comes at once. */
export async function downloadAll(assets: readonly Asset[], metadata: Metadata = 'keep'): Promise<void> {
  for (const asset of assets) {
    const link = document.createElement('a');
    link.href = downloadUrl(asset, metadata);
    link.download = fileName(asset);
    link.click();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
