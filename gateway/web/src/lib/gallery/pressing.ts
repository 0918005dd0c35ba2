/** A long press, which on phones stands for what a mark or a key does elsewhere. */

const LONG_MS = 500;
const STILL_PX = 10;

/** Attaches to an element: calls `onpress` after a long press by touch, and keeps the click and the menu after it. */
export function pressedLong(onpress: () => void): (element: HTMLElement) => () => void {
  return (element) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let start = { x: 0, y: 0 };
    let wasLong = false;
    let isTouched = false;
    const stop = () => clearTimeout(timer);
    const listeners: Partial<{ [Name in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[Name]) => void }> = {
      pointerdown: (event) => {
        wasLong = false;
        isTouched = event.pointerType === 'touch';
        if (!isTouched) return;
        start = { x: event.clientX, y: event.clientY };
        timer = setTimeout(() => {
          wasLong = true;
          onpress();
        }, LONG_MS);
      },
      pointermove: (event) => {
        if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > STILL_PX) stop();
      },
      pointerup: stop,
      pointercancel: stop,
      contextmenu: (event) => {
        if (isTouched) event.preventDefault(); // it may come a moment before the press counts as long
      },
      click: (event) => {
        if (!wasLong) return;
        wasLong = false;
        event.preventDefault();
        event.stopImmediatePropagation();
      },
    };
    for (const [name, listener] of Object.entries(listeners)) {
      element.addEventListener(name, listener as EventListener, { capture: true });
    }
    return () => {
      stop();
      for (const [name, listener] of Object.entries(listeners)) {
        element.removeEventListener(name, listener as EventListener, { capture: true });
      }
    };
  };
}
