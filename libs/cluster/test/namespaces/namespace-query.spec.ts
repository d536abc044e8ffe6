import { namespaceQuery } from '../../src/views/namespace-query';

const names = ['shop', 'shop.orders', 'shop.orders.eu', 'shop.items', 'com.shop', 'com.example.orders', 'logs-2026'];

function selected(query: string): string[] | string {
  const matches = namespaceQuery(query);
  return 'code' in matches ? matches.code : names.filter(matches);
}

describe('a query for namespaces', () => {
  it.each<[string, string[] | string]>([
    ['shop', ['shop']],
    ['shop.*', ['shop.orders', 'shop.items']],
    ['shop.**', ['shop', 'shop.orders', 'shop.orders.eu', 'shop.items']],
    ['*', ['shop', 'logs-2026']],
    ['**', names],
    ['**.orders', ['shop.orders', 'com.example.orders']],
    ['**.orders.**', ['shop.orders', 'shop.orders.eu', 'com.example.orders']],
    ['*.orders', ['shop.orders']],
    ['*.*', ['shop.orders', 'shop.items', 'com.shop']],
    ['shop.*.eu', ['shop.orders.eu']],
    ['shop.o*s', ['shop.orders']],
    ['shop.?tems', ['shop.items']],
    ['logs-20*', ['logs-2026']],
    ['**.**', names],
    ['', 'BAD_QUERY'],
    ['shop.', 'BAD_QUERY'],
    ['shop.**x', 'BAD_QUERY'],
    ['Shop', 'BAD_QUERY'],
    ['shop/orders', 'BAD_QUERY'],
    ['a'.repeat(401), 'BAD_QUERY'],
  ])('%s', (query, found) => {
    expect(selected(query)).toEqual(found);
  });

  it('costs little, however wild it is', () => {
    const matches = namespaceQuery(`${'*a'.repeat(90)}*b`);
    if ('code' in matches) throw new Error(matches.message);
    expect(matches('a'.repeat(180))).toBe(false);
    const deep = namespaceQuery(`${'**.a.'.repeat(40)}b`);
    if ('code' in deep) throw new Error(deep.message);
    expect(deep(Array(90).fill('a').join('.'))).toBe(false);
  });
});
