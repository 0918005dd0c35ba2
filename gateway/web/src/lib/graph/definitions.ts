/** What node classes take and give, out of ComfyUI's `/object_info`. Pure. */
import { parseJson, type Value } from './json';

/** One input of a class. */
export interface InputKind {
  name: string;
  /** "MODEL", "INT", …; "COMBO" for a choice; "INT,FLOAT" for either; "*" for anything. */
  type: string;
  isRequired: boolean;
  /** What a choice allows; undefined: it is none, or it is made elsewhere. */
  options?: readonly (string | number | boolean)[];
  /** What a new node begins with. */
  default?: Value;
  minimum?: number | bigint;
  maximum?: number | bigint;
  step?: number;
  isMultiline: boolean;
  tooltip: string;
  /** Kind of file that can be uploaded for it, as "image"; empty: none. */
  upload: string;
  isMultiselect: boolean;
  /** The page keeps one more value after it, as "randomize". */
  hasSeedControl: boolean;
  /** ComfyUI's page takes one of {several|texts} each time. */
  hasDynamicPrompts: boolean;
  /** Only links, although the type is that of a value. */
  forceInput: boolean;
  /** Only values. */
  isSocketless: boolean;
  /** Of what stands for inputs that are made as they are needed ("images" for images.image0, …): how each is made. */
  growing?: Growing;
  /** Of a choice that brings inputs of its own: those by option. */
  branches: Readonly<Record<string, readonly InputKind[]>>;
}

export interface Growing {
  type: string;
  /** What the names begin with; empty: `names` has them all. */
  prefix: string;
  names: readonly string[];
  most: number;
}

export interface OutputKind {
  name: string;
  type: string;
  isList: boolean;
}

export interface NodeClass {
  name: string;
  displayName: string;
  category: string;
  description: string;
  /** Required ones, then optional ones. */
  inputs: readonly InputKind[];
  outputs: readonly OutputKind[];
  isOutput: boolean;
  isDeprecated: boolean;
  isExperimental: boolean;
}

/** Every class that the backends have. */
export interface Definitions {
  readonly names: readonly string[];
  /** Undefined: nobody knows the class. */
  find(name: string): NodeClass | undefined;
}

type Fields = { readonly [name: string]: Value };

const BRANCH_DEPTH = 4;
const MOST_GROWN = 100;

export const NO_DEFINITIONS: Definitions = { names: [], find: () => undefined };

/** The definitions in an answer of GetNodeDefinitions. Odd classes are left out. Throws SyntaxError. */
export function readDefinitions(json: string): Definitions {
  const answer = fields(parseJson(json));
  const entries = new Map(Object.entries(answer).filter(([, entry]) => isFields(fields(entry).input)));
  const read = new Map<string, NodeClass>();
  return {
    names: [...entries.keys()],
    find(name) {
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      // Each when it is asked for: servers with many extensions have thousands.
      if (!read.has(name)) read.set(name, readClass(name, fields(entry)));
      return read.get(name);
    },
  };
}

function readClass(name: string, entry: Fields): NodeClass {
  const order = fields(entry.input_order);
  return {
    name,
    displayName: text(entry.display_name) || name,
    category: text(entry.category),
    description: text(entry.description),
    inputs: readSections(fields(entry.input), order, BRANCH_DEPTH),
    outputs: readOutputs(entry),
    isOutput: entry.output_node === true,
    isDeprecated: entry.deprecated === true,
    isExperimental: entry.experimental === true,
  };
}

function readSections(sections: Fields, order: Fields, depth: number): InputKind[] {
  return ['required', 'optional'].flatMap((section) =>
    inOrder(fields(sections[section]), list(order[section])).flatMap(([name, spec]) =>
      Array.isArray(spec) && spec.length ? [readInput(name, spec, section === 'required', depth)] : [],
    ),
  );
}

/** JSON objects of some servers are sorted by name, so the order stands beside them. */
function inOrder(inputs: Fields, order: readonly Value[]): [string, Value][] {
  const names = new Set([
    ...order.filter((name) => typeof name === 'string' && name in inputs),
    ...Object.keys(inputs),
  ]);
  return [...names].map((name) => [name as string, inputs[name as string] ?? null]);
}

function readInput(name: string, spec: readonly Value[], isRequired: boolean, depth: number): InputKind {
  const [kind] = spec;
  const settings = fields(spec[1]);
  // A choice is ["COMBO", {"options": […]}] since nodes of API version 3, and [[…], {…}] before and beside.
  const isListed = Array.isArray(kind);
  const type = isListed ? 'COMBO' : String(kind);
  const options = scalars(isListed ? kind : kind === 'COMBO' ? settings.options : undefined);
  const upload = Object.keys(settings).find((key) => key.endsWith('_upload') && settings[key] === true);
  const [minimum, maximum, step] = [number(settings.min), number(settings.max), number(settings.step)];
  return {
    name,
    type,
    isRequired,
    ...(options && { options }),
    ...(settings.default !== undefined && { default: settings.default }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(step !== undefined && { step: Number(step) }),
    isMultiline: settings.multiline === true,
    tooltip: text(settings.tooltip),
    upload: upload?.slice(0, -'_upload'.length) ?? '',
    isMultiselect: Boolean(settings.multiselect ?? settings.multi_select),
    hasSeedControl: Boolean(settings.control_after_generate),
    hasDynamicPrompts: settings.dynamicPrompts === true,
    forceInput: settings.forceInput === true,
    isSocketless: settings.socketless === true,
    ...(isGrowing(type) && { growing: readGrowing(settings) }),
    branches: depth ? readBranches(list(settings.options), depth - 1) : {},
  };
}

function isGrowing(type: string): boolean {
  return type.startsWith('COMFY_AUTOGROW') || type.startsWith('COMFY_DYNAMICSLOT');
}

function readGrowing(settings: Fields): Growing {
  const template = fields(settings.template);
  const [first] = readSections(fields(template.input), {}, 0);
  return {
    type: first?.type ?? '*',
    prefix: text(template.prefix),
    names: list(template.names).filter((name) => typeof name === 'string'),
    most: Math.min(Number(number(template.max) ?? MOST_GROWN), MOST_GROWN),
  };
}

function readBranches(options: readonly Value[], depth: number): InputKind['branches'] {
  return Object.fromEntries(
    options
      .filter((option) => isFields(fields(option).inputs))
      .map((option) => [String(fields(option).key), readSections(fields(fields(option).inputs), {}, depth)]),
  );
}

function readOutputs(entry: Fields): OutputKind[] {
  const [names, lists] = [list(entry.output_name), list(entry.output_is_list)];
  return list(entry.output).map((given, slot) => {
    const type = Array.isArray(given) ? 'COMBO' : String(given);
    return { type, name: text(names[slot]) || type, isList: lists[slot] === true };
  });
}

function scalars(choices: Value | undefined): InputKind['options'] {
  if (!Array.isArray(choices)) return undefined;
  const isScalar = (choice: Value) => ['string', 'number', 'boolean'].includes(typeof choice);
  return choices.every(isScalar) ? (choices as (string | number | boolean)[]) : undefined;
}

function fields(value: Value | undefined): Fields {
  return isFields(value) ? value : {};
}

function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

function number(value: Value | undefined): number | bigint | undefined {
  return typeof value === 'bigint' || Number.isFinite(value) ? (value as number | bigint) : undefined;
}

function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}
