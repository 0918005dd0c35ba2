/** What the server says that a workflow takes: its JSON Schema, as rows for people to read. Pure. */
import type { Json, Workflow, WorkflowInput } from '$lib/api/contract';
import { readGraph } from './graph_text';

export interface FormField {
  name: string;
  title: string;
  help: string;
  default: Json | undefined;
}

interface Property {
  title?: string;
  description?: string;
  default?: Json;
}

export function formOf({ input_schema_json }: Pick<Workflow, 'input_schema_json'>): FormField[] {
  if (!input_schema_json) return [];
  const { properties = {} } = JSON.parse(input_schema_json) as { properties?: Record<string, Property> };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    title: property.title ?? name,
    help: property.description ?? '',
    default: property.default,
  }));
}

/** A value in one line, for people. */
export function inWords(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (typeof value === 'object') return Object.values(value).map(inWords).join(' · ');
  return String(value);
}

/** The value that each input has where the caller gives none, in words: the graph counts before what the schema said of it. */
export function defaultsInWords(workflow: Workflow): ReadonlyMap<string, string> {
  const nodes = readGraph(workflow.graph_json);
  const told = new Map(formOf(workflow).map((field) => [field.name, field.default]));
  const ofGraph = ({ type, targets: [target] }: WorkflowInput) =>
    target && type !== 'WORKFLOW_INPUT_TYPE_LORAS' ? nodes.get(target.node_id)?.inputs[target.input] : undefined;
  return new Map(
    workflow.inputs.map((input) => {
      const held = ofGraph(input);
      const plain = typeof held === 'bigint' ? String(held) : (held as Json | undefined);
      return [input.name, inWords(input.default_value ?? plain ?? told.get(input.name))];
    }),
  );
}
