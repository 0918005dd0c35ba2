/** Moves the focus from a row that is about to go to the one beside it, or to the view. */
export function leave(button: EventTarget | null): void {
  const row = (button as HTMLElement | null)?.closest('li');
  const beside = row?.nextElementSibling ?? row?.previousElementSibling;
  const target =
    beside?.querySelector<HTMLElement>('a:not([tabindex])') ?? document.querySelector<HTMLElement>('#main');
  target?.focus();
}
