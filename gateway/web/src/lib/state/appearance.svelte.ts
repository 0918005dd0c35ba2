/** How the page looks to this browser's user. Kept in the browser only. */
import { caller } from '$lib/api/call';
import { keep, kept } from './keeping';

export interface Appearance {
  theme: 'system' | 'light' | 'dark';
  language: string;
  /** Whether pictures may move and fade; "system" asks the machine. */
  motion: 'system' | 'less';
  /** Whose jobs these are, where no keys are needed; empty: nobody in particular. */
  owner: string;
}

const KEY = 'imagegen.appearance';
const DEFAULT: Appearance = { theme: 'system', language: '', motion: 'system', owner: '' };
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

class AppearanceState {
  #value: Appearance = $state.raw({ ...DEFAULT, ...kept<Partial<Appearance>>(KEY) });

  constructor() {
    systemIsDark.addEventListener('change', () => this.#apply());
    addEventListener('storage', (event) => {
      if (event.key === KEY) this.#take({ ...DEFAULT, ...kept<Partial<Appearance>>(KEY) }); // another tab changed it
    });
    this.#apply();
  }

  get value(): Appearance {
    return this.#value;
  }

  get isDark(): boolean {
    return this.#value.theme === 'dark' || (this.#value.theme === 'system' && systemIsDark.matches);
  }

  change(part: Partial<Appearance>): void {
    this.#take({ ...this.#value, ...part });
    keep(KEY, this.#value);
  }

  #take(value: Appearance): void {
    this.#value = value;
    this.#apply();
  }

  #apply(): void {
    document.documentElement.classList.toggle('dark', this.isDark);
    document.documentElement.classList.toggle('less-motion', this.#value.motion === 'less');
    caller.owner = this.#value.owner;
  }
}

export const appearance = new AppearanceState();
