// @vitest-environment jsdom
import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import Combobox from './Combobox.svelte';
import { found, placeAfter } from './combobox';

const OPTIONS = [
  { value: '', label: 'The server chooses' },
  { value: 'sdxl/base', label: 'base', group: 'Checkpoints', detail: 'big, small' },
  { value: 'sdxl/turbo', label: 'turbo', group: 'Checkpoints' },
];

function shown(value = '') {
  const onchange = vi.fn();
  render(Combobox, { attributes: { 'aria-label': 'Model' }, options: OPTIONS, value, onchange });
  return { onchange, box: screen.getByRole('combobox', { name: 'Model' }) };
}

describe('Combobox', () => {
  it('finds by typing and takes with Enter', async () => {
    const { onchange, box } = shown();
    await userEvent.type(box, 'sdxl tur');
    expect(screen.getAllByRole('option').map((option) => option.textContent?.trim())).toEqual(['turbo']);
    await userEvent.keyboard('{Enter}');
    expect(onchange).toHaveBeenCalledExactlyOnceWith('sdxl/turbo');
    expect(box).toHaveAttribute('aria-expanded', 'false');
  });

  it('begins at what is chosen, and leaves it with Escape', async () => {
    const { onchange, box } = shown('sdxl/base');
    expect(box).toHaveValue('base');
    box.focus();
    await userEvent.keyboard('{ArrowDown}');
    expect(document.getElementById(box.getAttribute('aria-activedescendant') ?? '')).toHaveTextContent('base');
    await userEvent.keyboard('{ArrowDown}{Escape}');
    expect(onchange).not.toHaveBeenCalled();
    expect(box).toHaveValue('base');
  });

  it('shows a value that is not offered as it is', () => expect(shown('gone').box).toHaveValue('gone'));
});

it('shows no more than a person reads', () => {
  const many = Array.from({ length: 250 }, (_, index) => ({ value: `m${index}`, label: `m${index}` }));
  expect([found(many, '').shown.length, found(many, '').more, found(many, 'm24').more]).toEqual([100, 150, 0]);
});

it.each([
  ['ArrowDown', 2, 3, 0],
  ['ArrowUp', 0, 3, 2],
  ['PageDown', 0, 3, 2],
  ['ArrowDown', 0, 0, undefined],
  ['a', 0, 3, undefined],
] as const)('%s leads from %i of %i to %s', (key, place, length, next) =>
  expect(placeAfter(key, place, length)).toBe(next),
);
