// @vitest-environment jsdom
import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { Store } from '$lib/state/store.svelte';
import { fold, initial, type WorkflowEvent, type WorkflowState } from '$lib/state/workflow';
import NodeOutline from './NodeOutline.svelte';
import { readContent } from './reading';
import { definitions, holding, recording } from './recorded';

const content = readContent(holding(recording('example_image_to_image').api), definitions);
const idOf = (classType: string) =>
  Object.values(content.nodes).find((node) => node.class_type === classType)?.id ?? expect.fail(classType);
const sampler = idOf('KSampler');

function shown(more: Record<string, unknown> = {}): Store<WorkflowState, WorkflowEvent> {
  const opened = fold(initial, { kind: 'opened', workflow_id: 'fox', revision: 1, content });
  const editor = new Store(opened, fold);
  render(NodeOutline, { editor, definitions, ...more });
  return editor;
}
const inputsOf = (editor: Store<WorkflowState, WorkflowEvent>, id: string) => editor.state.content.nodes[id]?.inputs;

describe('the list of nodes', () => {
  it('sets values, each in its way', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    const steps = screen.getByLabelText('steps, KSampler');
    await user.clear(steps);
    await user.type(steps, '12{ArrowUp}');
    await user.selectOptions(screen.getByLabelText('scheduler, KSampler'), 'karras');
    await user.type(screen.getByLabelText('filename_prefix, Save Image'), '!');
    expect(inputsOf(editor, sampler)).toMatchObject({ steps: 13, scheduler: 'karras' });
    expect(inputsOf(editor, idOf('SaveImage'))?.filename_prefix).toBe('ComfyUI!');
  });

  it('does not take what is no number, or too great', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    const steps = screen.getByLabelText('steps, KSampler');
    await user.clear(steps);
    await user.type(steps, '99999999');
    await user.tab();
    expect(inputsOf(editor, sampler)?.steps).toBe(10_000);
    await user.type(steps, 'x');
    await user.tab();
    expect(steps).toHaveValue('10000');
  });

  it('links and unlinks by a choice of what fits', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    const latent = screen.getByLabelText('latent_image, KSampler');
    expect(latent.querySelectorAll('option')).toHaveLength(2);
    await user.selectOptions(latent, 'Not linked');
    expect(inputsOf(editor, sampler)).not.toHaveProperty('latent_image');
    await user.selectOptions(latent, 'VAE Encode: LATENT');
    expect(inputsOf(editor, sampler)?.latent_image).toEqual([idOf('VAEEncode'), 0]);
  });

  it('makes a value an input of the workflow, and takes that back', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    await user.click(screen.getByLabelText('Make cfg an input of the workflow'));
    expect(editor.state.content.inputs.map((input) => input.name)).toEqual(['cfg_scale']);
    await user.click(screen.getByLabelText('Make cfg no input any more'));
    expect(editor.state.content.inputs).toEqual([]);
  });

  it('adds a node that is searched for by keys', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    await user.click(screen.getByLabelText('Add a node'));
    await user.keyboard('upscale latent{ArrowDown}{ArrowUp}{Enter}');
    expect(Object.values(editor.state.content.nodes).map((node) => node.class_type)).toContain('LatentUpscale');
    expect(screen.queryByPlaceholderText('Name or category…')).toBeNull();
  });

  it('goes to a node once, and leaves the focus alone when something is changed then', async () => {
    const editor = shown();
    const user = userEvent.setup({ delay: null });
    editor.send({ kind: 'shown', id: sampler });
    await vi.waitFor(() => expect(document.activeElement).toHaveTextContent('KSampler'));
    const prefix = screen.getByLabelText('filename_prefix, Save Image');
    await user.type(prefix, 'x');
    expect(prefix).toHaveFocus();
  });

  it('says what is wrong with a node, and how it fares', () => {
    const problem = {
      ...{ severity: 'PROBLEM_SEVERITY_ERROR', code: 'MODEL_MISSING', message: 'no such model', node_id: sampler },
      ...{ node_title: 'KSampler', class_type: 'KSampler', input: 'steps', suggestions: [] },
    };
    const run = { isRunning: true, at: sampler, done: new Set([idOf('LoadImage')]), isAllDone: false };
    shown({ problems: [problem], run: { ...run, cached: new Set(), failed: '', pictures: new Map() } });
    expect(screen.getByText('no such model')).toBeInTheDocument();
    expect(screen.getByLabelText('steps, KSampler')).toHaveAttribute('aria-invalid', 'true');
    expect(screen.getByLabelText('At work')).toBeInTheDocument();
    expect(screen.getAllByLabelText('Done')).toHaveLength(1);
  });

  it('can only be looked at where nothing may be changed', () => {
    shown({ readonly: true });
    expect(screen.getByLabelText('steps, KSampler')).toHaveAttribute('readonly');
    expect(screen.getByLabelText('model, KSampler')).toBeDisabled();
    expect(screen.queryByLabelText('Add a node')).toBeNull();
  });
});
