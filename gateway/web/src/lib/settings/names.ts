/** Names that settings can hold, as the server lists them now. */
import { call } from '$lib/api/call';

export interface Names {
  workflows: string[];
  models: string[];
  samplers: string[];
  schedulers: string[];
}

/** All lists. Throws as `call`. */
export async function loadNames(): Promise<Names> {
  const [{ models }, { workflows }] = await Promise.all([call('ListModels'), call('ListWorkflows')]);
  const named = (...types: string[]) => models.filter(({ type }) => types.includes(type)).map(({ name }) => name);
  return {
    workflows: workflows.map(({ workflow_id }) => workflow_id),
    models: named('MODEL_TYPE_CHECKPOINT', 'MODEL_TYPE_DIFFUSION_MODEL'),
    samplers: named('MODEL_TYPE_SAMPLER'),
    schedulers: named('MODEL_TYPE_SCHEDULER'),
  };
}

/** How many names match one of the patterns, in which * is any text and ? any letter. Pure. */
export function countMatches(patterns: readonly string[], names: readonly string[]): number {
  const rules = patterns.map((pattern) => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
  });
  return names.filter((name) => rules.some((rule) => rule.test(name))).length;
}
