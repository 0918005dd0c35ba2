/** Which key does what on the canvas. Pure. */

export type Action =
  'undo' | 'redo' | 'select_all' | 'duplicate' | 'remove' | 'find' | 'add' | 'rename' | 'group' | 'fit';

interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

/** Undefined: the key is for somebody else. */
export function actionOf({ key, ctrlKey, metaKey, shiftKey, altKey }: Press): Action | undefined {
  if (altKey) return undefined;
  const name = key.length === 1 ? key.toLowerCase() : key;
  if (ctrlKey || metaKey) {
    switch (name) {
      case 'z':
        return shiftKey ? 'redo' : 'undo';
      case 'y':
        return 'redo';
      case 'a':
        return 'select_all';
      case 'd':
        return 'duplicate';
      case 'f':
        return 'find';
      case 'g':
        return 'group';
      default:
        return undefined;
    }
  }
  switch (name) {
    case 'Delete':
    case 'Backspace':
      return 'remove';
    case ' ':
      return 'add';
    case 'F2':
      return 'rename';
    case '.':
      return 'fit';
    default:
      return undefined;
  }
}

/** Whether keys are meant for a field. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('textarea, select, input:not([type="checkbox"])');
}
