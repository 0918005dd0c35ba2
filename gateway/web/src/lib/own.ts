/** What a record holds under a name that somebody else chose: "constructor" is no value of all records. Pure. */
export function own<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
