// @vitest-environment jsdom
import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BackendVerdict } from '$lib/api/contract';
import recorded from '$lib/workflows/fixtures/imported.json';
import { bring, importing } from '$lib/workflows/importing.svelte';
import Verdicts from '../Verdicts.svelte';
import ImportView from './ImportView.svelte';

/** What the gateway answers, by the end of the path; what was asked is kept. */
let answers: Record<string, () => Response>;
let asked: { path: string; body: Record<string, unknown> }[];

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });

beforeEach(() => {
  importing.send({ kind: 'begun_anew' });
  asked = [];
  answers = {
    'workflows:import': () => json(recorded.graph.imported),
    'workflows:validate': () => json(recorded.graph.validated),
    workflows: () => json({ workflow: recorded.graph.imported.workflow }, 201),
  };
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    asked.push({ path, body: typeof init.body === 'string' ? JSON.parse(init.body) : {} });
    return answers[path.split('/').at(-1) ?? '']?.() ?? json({}, 404);
  });
});
afterEach(() => vi.unstubAllGlobals());

async function paste(text = 'a graph') {
  const user = userEvent.setup();
  render(ImportView, { digest: '' });
  await user.type(screen.getByLabelText('Or paste text here'), text);
  await user.click(screen.getByRole('button', { name: 'Read it' }));
  return user;
}

const lastAsked = (path: string) => asked.filter((each) => each.path.endsWith(path)).at(-1)?.body;

describe('the import', () => {
  it('shows what was understood, how sure that is, and what is missing', async () => {
    await paste();
    await screen.findByRole('heading', { name: 'This is what was found' });
    expect(screen.getByRole('checkbox', { name: /^Prompt.*sure/ })).toBeChecked();
    expect(screen.getByRole('checkbox', { name: /^Seed.*a guess/ })).not.toBeChecked();
    expect(await screen.findByText('comfyui cannot run it')).toBeVisible();
    expect(screen.getByText(/no such model 'sd.safetensors'/)).toBeVisible();
    expect(screen.getByRole('heading', { name: 'Kinds of nodes that are missing' })).toBeVisible();
  });

  it('takes another model into the graph, asks again, and stores what is wanted', async () => {
    const user = await paste();
    const row = (await screen.findByText(/no such model 'sd.safetensors'/)).closest('li') as HTMLElement;
    await user.click(within(row).getByRole('button', { name: 'fake_sd15.safetensors' }));
    expect(await screen.findByText('ckpt_name was sd.safetensors')).toBeVisible();
    expect(lastAsked('workflows:validate')).toMatchObject({
      graph_json: expect.stringContaining('fake_sd15.safetensors'),
    });

    await user.click(screen.getByRole('checkbox', { name: /^Model/ }));
    await user.clear(screen.getByLabelText('Title'));
    await user.type(screen.getByLabelText('Title'), 'Harbour');
    await user.click(screen.getByRole('button', { name: 'Add to my workflows' }));
    expect(await screen.findByRole('link', { name: 'Make a picture with it' })).toHaveAttribute(
      'href',
      '#/generate?workflow=classic-loras',
    );
    expect(lastAsked('/workflows')).toMatchObject({
      workflow: {
        title: 'Harbour',
        graph_json: expect.stringContaining('fake_sd15.safetensors'),
        inputs: [{ name: 'prompt' }, { name: 'loras' }],
      },
    });
  });

  it('says at the field why it could not be stored, and keeps all', async () => {
    answers['workflows'] = () => json({ reason: 'WORKFLOW_EXISTS', detail: 'there is one already' }, 409);
    const user = await paste();
    await user.click(await screen.findByRole('button', { name: 'Add to my workflows' }));
    expect(await screen.findByLabelText('Name for programs')).toHaveAccessibleDescription(/there is one already/);
    expect(screen.getByLabelText('Title')).toHaveValue('classic_loras');
  });

  it('tells of the file that was brought last, whichever answer comes first', async () => {
    let answer: (response: Response) => void = () => undefined;
    const late = new Promise<Response>((resolve) => (answer = resolve));
    answers['workflows:import'] = () => late as never;
    const first = bring('the first');
    answers['workflows:import'] = () => json({ reason: 'NOT_A_WORKFLOW', detail: 'the second is no JSON' }, 400);
    await bring('the second');
    answer(json(recorded.graph.imported));
    await first;
    expect(importing.state).toMatchObject({ found: undefined, refusal: { message: 'the second is no JSON' } });
  });

  it('says why something could not be read', async () => {
    answers['workflows:import'] = () => json({ reason: 'NOT_A_WORKFLOW', detail: 'the text is no JSON' }, 400);
    await paste('hello');
    expect(await screen.findByRole('alert')).toHaveTextContent('the text is no JSON');
    expect(screen.getByRole('button', { name: 'Choose a file' })).toBeVisible();
  });

  it('offers a picture without a workflow as a beginning', async () => {
    const digest = 'a'.repeat(64);
    answers['workflows:import'] = () => json({ reason: 'NOT_A_WORKFLOW', detail: 'no workflow inside' }, 400);
    render(ImportView, { digest });
    expect(await screen.findByRole('link', { name: 'Start from this picture instead' })).toHaveAttribute(
      'href',
      `#/generate?workflow=image-to-image&i.init_image=${digest}`,
    );
  });
});

it('keeps what the others say for who wants it, where one backend can run it', () => {
  const problem = { code: 'MODEL_MISSING', severity: 'PROBLEM_SEVERITY_ERROR', message: 'no such model', node_id: '4' };
  const verdicts = [
    { backend: 'big', runnable: true, unknown: false, problems: [] },
    { backend: 'demo', runnable: false, unknown: false, problems: [{ ...problem, input: 'x', suggestions: [] }] },
  ] as unknown as BackendVerdict[];
  render(Verdicts, { verdicts });
  expect(screen.getByText('big can run it')).toBeVisible();
  expect(screen.getByText(/no such model/)).not.toBeVisible();
  expect(screen.getByText('Why not everywhere')).toBeVisible();
});
