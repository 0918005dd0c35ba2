// @vitest-environment jsdom
import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { catalog } from './catalog.svelte';
import ParameterControls from './ParameterControls.svelte';
import { readSchema, type Values } from './schema';
import { SCHEMAS } from './testing/schemas';

beforeEach(() => {
  catalog.models = [];
});

function shown(
  workflow: string,
  props: { values?: Values; errors?: Record<string, string>; [more: string]: unknown } = {},
) {
  const onchange = vi.fn();
  const schema = readSchema(SCHEMAS[workflow] ?? '');
  render(ParameterControls, { schema, values: {}, errors: {}, onchange, ...props });
  return { onchange, schema };
}

describe('ParameterControls', () => {
  it.each(['text', 'choice', 'int', 'float', 'model'])('takes an input of any name, as constructor (%s)', (kind) => {
    const input = { title: 'Odd', 'x-type': kind, enum: ['a', 'b'], minimum: 0, maximum: 9 };
    const schema = readSchema(JSON.stringify({ properties: { constructor: input } }));
    render(ParameterControls, { schema, values: {}, errors: {}, onchange: vi.fn() });
    expect(screen.getAllByLabelText('Odd')[0]).not.toHaveDisplayValue(/native code/);
    expect(document.body).not.toHaveTextContent('native code');
  });

  it.each(Object.keys(SCHEMAS))('has a control with a name for every input of %s', (workflow) => {
    const { schema } = shown(workflow);
    for (const { title, kind } of schema.fields) {
      const named =
        kind === 'image' || kind === 'mask' ? screen.queryAllByText(title) : screen.queryAllByLabelText(title);
      expect(named, title).not.toHaveLength(0);
    }
  });

  it('says what is wrong at the input, and opens the section that it is in', () => {
    shown('text-to-image', { errors: { hires_scale: 'must be more than 1', prompt: 'is too long' } });
    expect(screen.getByLabelText('Prompt')).toHaveAccessibleDescription('is too long');
    expect(screen.getByText('must be more than 1')).toBeVisible();
    expect(screen.getByText('must be more than 1').closest('details')).toHaveAttribute('open');
  });

  it('shows what the server would take, and takes a number back', async () => {
    const { onchange } = shown('text-to-image', { values: { cfg_scale: 3 }, defaults: { steps: 20 } });
    expect(screen.getAllByRole('spinbutton', { name: 'Steps' })[0]).toHaveAttribute('placeholder', '20');
    expect(screen.getAllByRole('slider', { name: 'Steps, slider' })[0]).toHaveValue('20');
    await userEvent.click(screen.getByRole('button', { name: 'Leave CFG scale to the server' }));
    expect(onchange).toHaveBeenCalledExactlyOnceWith('cfg_scale', undefined);
  });

  it('sets width and height by a shape, with as many pixels as the server would take', async () => {
    const { onchange } = shown('text-to-image', { defaults: { width: 1024, height: 1024 } });
    await userEvent.click(screen.getByRole('button', { name: '2:3' }));
    expect(onchange.mock.calls).toEqual([
      ['width', 832],
      ['height', 1216],
    ]);
  });

  it('keeps the seed that was used last, with all its digits', async () => {
    const { onchange } = shown('text-to-image', { lastSeed: '18446744073709551615' });
    await userEvent.click(screen.getByRole('button', { name: 'Keep this seed' }));
    expect(onchange).toHaveBeenCalledExactlyOnceWith('seed', '18446744073709551615');
  });

  it('stacks LoRAs, and shows at each what is wrong with it, whatever is off', async () => {
    const loras = [
      { name: 'demo-poster', off: true },
      { name: 'gone', weight: 1 },
    ];
    const { onchange } = shown('text-to-image', {
      values: { loras },
      errors: { 'loras[0].name': "no such LoRA 'gone'" },
    });
    const [off, gone] = within(screen.getByRole('list')).getAllByRole('listitem');
    expect(off).not.toHaveTextContent('no such');
    expect(gone).toHaveTextContent("no such LoRA 'gone'");
    await userEvent.click(screen.getByRole('button', { name: 'Apply gone earlier' }));
    expect(onchange).toHaveBeenLastCalledWith('loras', [loras[1], loras[0]]);
    await userEvent.type(screen.getByRole('combobox', { name: 'LoRAs' }), 'warm{Enter}');
    expect(onchange).toHaveBeenLastCalledWith('loras', [...loras, { name: 'demo-warm-light', weight: 1 }]);
  });

  it('weighs the words that are selected', async () => {
    const { onchange } = shown('text-to-image', { values: { prompt: 'a red fox' } });
    const prompt = screen.getByLabelText<HTMLTextAreaElement>('Prompt');
    prompt.focus();
    prompt.setSelectionRange(2, 5);
    await userEvent.keyboard('{Control>}{ArrowUp}{/Control}');
    expect(onchange).toHaveBeenCalledExactlyOnceWith('prompt', 'a (red:1.05) fox');
  });

  it('offers the models of a backend, and says which is loaded', async () => {
    const model = (name: string, ...backends: string[]) => ({
      ...{ name, backends, resident_backends: backends, description: '', sha256: '', size_bytes: '0', metadata: {} },
      type: 'MODEL_TYPE_CHECKPOINT' as const,
    });
    catalog.models = [model('demo-flow', 'big'), model('demo-nebula', 'small')];
    const { onchange } = shown('text-to-image', { backend: 'small', defaults: { model: 'demo-nebula' } });
    const box = screen.getByRole('combobox', { name: 'Model' });
    expect(box).toHaveValue('The server chooses: demo-nebula');
    await userEvent.click(box);
    const names = screen.getAllByRole('option').map((option) => option.textContent?.trim());
    expect(names).not.toContainEqual(expect.stringContaining('demo-flow'));
    await userEvent.type(box, 'nebula{Enter}');
    expect(onchange).not.toHaveBeenCalled(); // the first one is the server's choice, and stays it
    await userEvent.type(box, 'nebula{ArrowDown}{Enter}');
    expect(onchange).toHaveBeenCalledExactlyOnceWith('model', 'demo-nebula');
  });

  it('takes the picture that was chosen last, whichever is stored first', async () => {
    const answers: ((digest: string) => void)[] = [];
    vi.stubGlobal(
      'fetch',
      () => new Promise((resolve) => answers.push((digest) => resolve(new Response(JSON.stringify({ digest }))))),
    );
    const { onchange } = shown('image-to-image');
    const file = document.querySelector<HTMLInputElement>('input[type="file"]') as HTMLInputElement;
    await userEvent.upload(file, new File(['1'], 'large.png', { type: 'image/png' }));
    await userEvent.upload(file, new File(['2'], 'small.png', { type: 'image/png' }));
    answers[1]?.('small');
    await vi.waitFor(() => expect(onchange).toHaveBeenCalledExactlyOnceWith('init_image', 'small'));
    answers[0]?.('large');
    await new Promise((resolve) => setTimeout(resolve));
    expect(onchange).toHaveBeenCalledOnce();
  });

  it("fills in a workflow's own text, and says that nothing is a text, too", async () => {
    const { onchange } = shown('portrait');
    const prompt = screen.getByLabelText('Prompt');
    expect(prompt).toHaveValue('soft light');
    await userEvent.clear(prompt);
    expect(onchange).toHaveBeenCalledExactlyOnceWith('prompt', '');
  });
});
