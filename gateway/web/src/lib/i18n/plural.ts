/** `count` with the right form of a word: plural(1, 'job', 'jobs') is "1 job". For English catalogues. */
export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
