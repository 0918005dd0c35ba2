import { describe, expect, it } from 'vitest';
import { countFilters, galleryLink, NO_FILTERS, parseFilters, requestOf, type Filters } from './filters';

function reread(link: string): Filters {
  return parseFilters(new URLSearchParams(link.split('?')[1] ?? ''));
}

describe('the address', () => {
  it.each<Partial<Filters>>([
    {},
    { shelf: 'deleted' },
    { text: 'a & b = 100%', model: 'sd/xl.safetensors', workflow: 'text-to-image' },
    { owner: '' },
    { owner: 'anna', from: '2026-08-01', to: '2026-08-31', job: 'j' },
  ])('says %o, and is read as the same', (filters) => {
    expect(reread(galleryLink(filters, 'abc'))).toEqual({ ...NO_FILTERS, ...filters });
  });

  it('that was written by hand wrongly is no filter', () => {
    expect(parseFilters(new URLSearchParams('show=all&from=yesterday'))).toEqual(NO_FILTERS);
  });
});

describe('requestOf', () => {
  it('asks for pictures that were made', () => {
    expect(requestOf(NO_FILTERS)).toEqual({ pictures: true, origin: 'ASSET_ORIGIN_OUTPUT' });
  });

  it('asks for what is wanted, days with their last hour', () => {
    const filters = { ...NO_FILTERS, text: ' fox ', owner: '', from: '2026-08-01', to: '2026-08-31' };
    expect(requestOf({ ...filters, shelf: 'favorites' })).toEqual({
      pictures: true,
      favorites: true,
      text: 'fox',
      owner: '',
      created_after: new Date(2026, 7, 1).toISOString(),
      created_before: new Date(2026, 8, 1).toISOString(),
    });
  });
});

it('counts filters without the search', () => {
  expect(countFilters({ ...NO_FILTERS, text: 'fox', shelf: 'deleted', owner: '', model: 'm' })).toBe(2);
});
