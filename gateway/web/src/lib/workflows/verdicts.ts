/** What backends say of a workflow, put together for people. Pure. */
import type { BackendVerdict, WorkflowProblem } from '$lib/api/contract';

/** One problem, and who has it. */
export interface Finding extends WorkflowProblem {
  backends: string[];
}

/** Kinds that have words of their own, in the order in which they are shown; what else there is comes last. */
export const KINDS = ['NODE_CLASS_MISSING', 'MODEL_MISSING', 'FILE_MISSING', 'NOT_SUPPORTED'] as const;
export type Kind = (typeof KINDS)[number] | 'other';

/** Every problem once, with the backends that have it: errors first, otherwise as they were told. */
export function findingsOf(verdicts: readonly BackendVerdict[]): Finding[] {
  const findings = new Map<string, Finding>();
  for (const { backend, problems } of verdicts) {
    for (const problem of problems) {
      const key = JSON.stringify([problem.code, problem.node_id, problem.input, problem.severity]);
      const known = findings.get(key);
      findings.set(key, known ? joined(known, problem, backend) : { ...problem, backends: [backend] });
    }
  }
  const rank = (finding: Finding) => (isError(finding) ? 0 : 1);
  return [...findings.values()].sort((one, other) => rank(one) - rank(other));
}

/** The findings by kind. */
export function grouped(findings: readonly Finding[]): { kind: Kind; findings: Finding[] }[] {
  const kindOf = ({ code }: Finding): Kind => KINDS.find((kind) => kind === code) ?? 'other';
  return [...KINDS, 'other' as const]
    .map((kind) => ({ kind, findings: findings.filter((finding) => kindOf(finding) === kind) }))
    .filter((group) => group.findings.length > 0);
}

export function isError({ severity }: WorkflowProblem): boolean {
  return severity === 'PROBLEM_SEVERITY_ERROR';
}

/** What to show at the nodes: the problems of the backend that comes nearest to running it. */
export function nearest(verdicts: readonly BackendVerdict[]): WorkflowProblem[] {
  const errors = ({ problems }: BackendVerdict) => problems.filter(isError).length;
  const [best] = [...verdicts].sort(
    (one, other) => Number(other.runnable) - Number(one.runnable) || errors(one) - errors(other),
  );
  return best?.problems ?? [];
}

/** What can be taken instead of a value: only what stands for a value of the graph can be replaced there. */
export function replacementsFor({ code, suggestions }: WorkflowProblem): string[] {
  return ['MODEL_MISSING', 'FILE_MISSING', 'VALUE_NOT_ALLOWED'].includes(code) ? suggestions : [];
}

function joined(known: Finding, problem: WorkflowProblem, backend: string): Finding {
  const backends = known.backends.includes(backend) ? known.backends : [...known.backends, backend];
  return { ...known, backends, suggestions: [...new Set([...known.suggestions, ...problem.suggestions])] };
}
