import { describe, expect, it } from 'vitest';
import { parseJson, writeJson } from './json';

describe('numbers of graphs', () => {
  it.each([
    '18446744073709551615',
    '-9223372036854775808',
    '[9007199254740993,9007199254740991,0.1234567890123456789012]',
    '{"a":"18446744073709551615","whole:":"whole:18446744073709551615"}',
    '"a \\"9007199254740993\\" \\\\"',
    '1e+21',
  ])('come back as they were: %s', (text) => {
    const again = writeJson(parseJson(text));
    expect(again).toBe(text === '1e+21' ? '1e+21' : text.replace('0.1234567890123456789012', '0.12345678901234568'));
  });

  it('are whole beyond 2^53, and plain below', () => {
    expect(parseJson('[18446744073709551615, 9007199254740991, -0.5]')).toEqual([
      18446744073709551615n,
      9007199254740991,
      -0.5,
    ]);
  });

  it('says of what is no JSON that it is none', () => {
    expect(() => parseJson('{"a": 18446744073709551615')).toThrow(SyntaxError);
  });

  it('are written with an indent where one is asked for', () => {
    expect(writeJson({ seed: 18446744073709551615n }, 1)).toBe('{\n "seed": 18446744073709551615\n}');
  });
});
