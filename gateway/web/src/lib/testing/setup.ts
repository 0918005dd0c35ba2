import { afterEach } from 'vitest';

// Most tests are of what is pure, and need none of this.
if (globalThis.document) {
  await import('@testing-library/jest-dom/vitest');
  const { cleanup } = await import('@testing-library/svelte');
  afterEach(cleanup);
}

// jsdom has no layout and no modal dialogs: what components need of them, and no more.
class NoLayout implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
globalThis.ResizeObserver ??= NoLayout;
globalThis.matchMedia ??= (query: string) =>
  ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }) as unknown as MediaQueryList;
if (globalThis.HTMLDialogElement) {
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
    this.open = false;
    this.dispatchEvent(new Event('close'));
  };
}
