/** Which view is shown: `#/gallery?model=x`. The address keeps it, so that a reload and a link show the same. */

export const VIEWS = ['generate', 'queue', 'gallery', 'workflows', 'backends', 'settings'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** What follows the view's name, as the id of a workflow; empty: nothing. */
  id: string;
  query: URLSearchParams;
}

/** The route that an address names; the form where it names none. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name = '', ...rest] = path.split('/');
  const view = VIEWS.find((one) => one === name) ?? 'generate';
  return { view, id: decode(rest.join('/')), query: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class Router {
  #route: Route = $state.raw(parseRoute(location.hash));

  constructor() {
    addEventListener('hashchange', () => (this.#route = parseRoute(location.hash)));
  }

  get route(): Route {
    return this.#route;
  }

  /** Shows another view; with `replace` the browser's back button forgets this one. */
  go(hash: string, { replace = false } = {}): void {
    if (replace) {
      history.replaceState(null, '', hash);
      this.#route = parseRoute(hash);
    } else {
      location.hash = hash;
    }
  }
}

export const router = new Router();
