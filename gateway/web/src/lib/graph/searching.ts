/** Finding a node class to add, or a node in the graph, by some letters of it. Pure. */
import type { Content } from './content';
import type { Definitions, NodeClass } from './definitions';

const MOST_FOUND = 60;

/** The classes that a text means, best first; without a text by name. `allowed` leaves some out. */
export function findClasses(
  definitions: Definitions,
  text: string,
  allowed: (found: NodeClass) => boolean,
): NodeClass[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return definitions.names
    .flatMap((name) => definitions.find(name) ?? [])
    .map((each) => ({ each, score: score(words, [each.displayName, each.name], each.category) }))
    .filter(({ each, score }) => score > 0 && allowed(each))
    .sort((a, b) => b.score - a.score || a.each.displayName.localeCompare(b.each.displayName))
    .slice(0, MOST_FOUND)
    .map(({ each }) => each);
}

export interface FoundNode {
  id: string;
  title: string;
  className: string;
}

/** The nodes whose title, class, id or values hold a text. */
export function findNodes(content: Content, definitions: Definitions, text: string): FoundNode[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return Object.values(content.nodes)
    .map((node) => {
      const className = definitions.find(node.class_type)?.displayName ?? node.class_type;
      const values = Object.values(node.inputs).filter((value) => typeof value === 'string');
      const title = node.title || className;
      const rest = [node.id, ...values].join(' ');
      return { id: node.id, title, className, score: score(words, [title, className, node.class_type], rest) };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST_FOUND)
    .map(({ id, title, className }) => ({ id, title, className }));
}

/** 0: a word is nowhere. What begins with the text counts more than what holds it, and names more than the rest. */
function score(words: readonly string[], names: readonly string[], rest: string): number {
  const lower = names.map((name) => name.toLowerCase());
  const inRest = rest.toLowerCase();
  let sum = 1;
  for (const word of words) {
    if (lower.some((name) => name === word)) sum += 16;
    else if (lower.some((name) => name.startsWith(word))) sum += 8;
    else if (lower.some((name) => name.includes(word))) sum += 4;
    else if (inRest.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}
