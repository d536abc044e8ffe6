import type { UserState } from '@levee/events';
import { evolve, may, mayKnow, type Right } from '../../src';
import { ClusterScript } from '../cluster-script';

const hash = (letter: string): string => `scrypt$15$8$1$${letter.repeat(22)}==$${letter.repeat(43)}=`;
const token = (tokenId: string, letter = tokenId) => ({ tokenId, sha256: letter.repeat(64).slice(0, 64) });
const operator = { name: 'root', tokens: [token('a')], grants: [{ right: 'operate' }] };

function started(): ClusterScript {
  const script = new ClusterScript();
  script.accept('CreateUser', operator);
  return script;
}

const user = (script: ClusterScript, name: string): UserState => script.state.user(name)!;

describe('commands about users', () => {
  type Row = readonly [kind: string, payload: object, answer: string | RegExp];
  test.each<readonly [story: string, rows: readonly Row[]]>([
    [
      'created, altered, deleted',
      [
        ['CreateUser', { name: 'ann', passwordHash: hash('A'), defaultNamespace: 'shop' }, 'accepted'],
        ['CreateUser', { name: 'ann', passwordHash: hash('B') }, /^USER_EXISTS/],
        ['AlterUser', { name: 'ann', passwordHash: hash('B') }, 'accepted'],
        ['AlterUser', { name: 'ann', passwordHash: null, defaultNamespace: null }, 'accepted'],
        ['AlterUser', { name: 'ann', state: 'disabled' }, 'accepted'],
        ['AlterUser', { name: 'ann', state: 'gone' }, /^BAD_COMMAND.*one of active, disabled/],
        ['DeleteUser', { name: 'ann' }, 'accepted'],
        ['DeleteUser', { name: 'ann' }, /^USER_UNKNOWN/],
        ['AlterUser', { name: 'ann', state: 'active' }, /^USER_UNKNOWN/],
      ],
    ],
    [
      'names',
      [
        ['CreateUser', { name: 'a@b' }, /^BAD_NAME/],
        ['CreateUser', { name: 'a:b' }, /^BAD_NAME/],
        ['CreateUser', { name: '.a' }, /^BAD_NAME/],
        ['CreateUser', { name: 'a\nb' }, /^BAD_NAME/],
        ['CreateUser', { name: 'a'.repeat(64) }, /^BAD_NAME/],
        ['CreateUser', { name: '__proto__' }, /^BAD_NAME/],
        ['CreateUser', { name: 'constructor' }, 'accepted'],
        ['CreateUser', { name: '' }, /^BAD_COMMAND/],
        ['CreateUser', { name: 'A.b-c_9' }, 'accepted'],
      ],
    ],
    [
      'rights',
      [
        ['CreateUser', { name: 'ann' }, 'accepted'],
        ['GrantRights', { name: 'ann', grants: [{ right: 'read' }] }, /^BAD_COMMAND.*name them/],
        ['GrantRights', { name: 'ann', grants: [{ right: 'operate', namespaces: '**' }] }, /^BAD_COMMAND.*not about/],
        ['GrantRights', { name: 'ann', grants: [{ right: 'own', namespaces: '**' }] }, /^BAD_COMMAND.*one of read/],
        ['GrantRights', { name: 'ann', grants: [{ right: 'read', namespaces: 'Shop' }] }, /^BAD_QUERY/],
        ['GrantRights', { name: 'ann', grants: [{ right: 'read', namespaces: 'shop', x: 1 }] }, /^BAD_COMMAND.*'x'/],
        ['GrantRights', { name: 'ann', grants: [{ right: 'read', namespaces: 'shop.*' }] }, 'accepted'],
        ['RevokeRights', { name: 'ann', grants: [{ right: 'read', namespaces: 'shop.*' }] }, 'accepted'],
        ['GrantRights', { name: 'bob', grants: [] }, /^USER_UNKNOWN/],
      ],
    ],
    [
      'tokens',
      [
        ['CreateUser', { name: 'ann' }, 'accepted'],
        ['CreateToken', { name: 'ann', ...token('b'), expiresAtMs: 5_000_000_000_000 }, 'accepted'],
        ['CreateToken', { name: 'ann', ...token('b', 'c') }, /^USER_EXISTS/],
        ['CreateUser', { name: 'two', tokens: [token('b'), token('b', 'c')] }, /^BAD_COMMAND: two tokens have one id/],
        ['CreateToken', { name: 'ann', tokenId: 'd', sha256: 'secret' }, /^BAD_COMMAND: sha256 is no SHA-256/],
        ['RevokeToken', { name: 'ann', tokenId: 'x' }, /^TOKEN_UNKNOWN/],
        ['RevokeToken', { name: 'ann', tokenId: 'b' }, 'accepted'],
        ['RevokeToken', { name: 'ann', tokenId: 'b' }, /^TOKEN_UNKNOWN/],
      ],
    ],
    [
      'the last who may operate',
      [
        ['DeleteUser', { name: 'root' }, /^LAST_OPERATOR/],
        ['AlterUser', { name: 'root', state: 'disabled' }, /^LAST_OPERATOR/],
        ['RevokeRights', { name: 'root', grants: [{ right: 'operate' }] }, /^LAST_OPERATOR/],
        ['RevokeToken', { name: 'root', tokenId: 'a' }, /^LAST_OPERATOR/],
        ['CreateUser', { name: 'ann', grants: [{ right: 'operate' }] }, 'accepted'],
        ['DeleteUser', { name: 'root' }, /^LAST_OPERATOR/],
        ['AlterUser', { name: 'ann', passwordHash: hash('A') }, 'accepted'],
        ['DeleteUser', { name: 'root' }, 'accepted'],
        ['AlterUser', { name: 'ann', passwordHash: null }, /^LAST_OPERATOR/],
      ],
    ],
  ])('%s', (_story, rows) => {
    const script = started();
    for (const [kind, payload, answer] of rows) {
      const given = script.answer(kind, payload);
      if (typeof answer === 'string') expect([kind, payload, given]).toEqual([kind, payload, answer]);
      else expect(given).toMatch(answer);
    }
  });

  test.each<readonly [kind: string, payload: object]>([
    ['CreateUser', { name: 'ann', passwordHash: hash('A'), tokens: [token('b')] }],
    ['AlterUser', { name: 'ann', passwordHash: hash('B'), state: 'disabled', defaultNamespace: 'x' }],
    ['GrantRights', { name: 'ann', grants: [{ right: 'audit' }, { right: 'read', namespaces: '**' }] }],
    ['RevokeRights', { name: 'ann', grants: [{ right: 'write', namespaces: 'shop' }] }],
    ['CreateToken', { name: 'ann', ...token('c') }],
  ])('%s a second time changes nothing', (kind, payload) => {
    const script = started();
    if (kind !== 'CreateUser')
      script.accept('CreateUser', { name: 'ann', grants: [{ right: 'write', namespaces: 'shop' }] });
    expect(script.accept(kind, payload)).toHaveLength(1);
    expect(script.accept(kind, payload)).toEqual([]);
  });

  it('has no password, and repeats none that somebody put there by mistake', () => {
    for (const given of ['hunter2', `scrypt$99$8$1$${'A'.repeat(22)}==$${'A'.repeat(43)}=`, 7, ['hunter2']]) {
      const answer = started().answer('CreateUser', { name: 'ann', passwordHash: given });
      expect(answer).toMatch(/^BAD_COMMAND: passwordHash is no hash of scrypt/);
      expect(answer).not.toMatch(/hunter2|99/);
    }
  });

  it('tokens that have expired make room, and there are never too many', () => {
    const script = started();
    script.accept('CreateUser', { name: 'ann' });
    for (let i = 0; i < 32; i++)
      script.accept('CreateToken', {
        name: 'ann',
        ...token(`t${i}`, (i % 10).toString()),
        expiresAtMs: script.nowMs + 1,
      });
    expect(script.answer('CreateToken', { name: 'ann', ...token('one') })).toMatch(/^BAD_COMMAND|^USER_LIMIT/);
    script.nowMs += 1;
    script.accept('CreateToken', { name: 'ann', ...token('e') });
    expect(user(script, 'ann').tokens.map(({ tokenId }) => tokenId)).toEqual(['e']);
  });

  it('I21: whoever is created under the name of somebody gone is somebody else', () => {
    const script = started();
    script.accept('CreateUser', { name: 'ann', grants: [{ right: 'audit' }] });
    const before = user(script, 'ann');
    script.accept('DeleteUser', { name: 'ann' });
    script.accept('CreateUser', { name: 'ann' });
    expect(user(script, 'ann')).toMatchObject({ grants: [], tokens: [] });
    expect(user(script, 'ann').number).toBeGreaterThan(before.number);
    const forged = { ...before, seq: script.journal.length + 1 };
    expect(() => evolve(script.state, { kind: 'user', entity: forged })).toThrow(/I21: ann was user/);
  });

  it('waits until every process reads users', () => {
    const script = started();
    script.node('old', { featureLevel: 3 });
    expect(script.answer('CreateUser', { name: 'ann' })).toMatch(/^NODE_TOO_OLD: node old .* a user needs 4/);
  });
});

describe('may', () => {
  const grants = [
    { right: 'read', namespaces: 'shop.**' },
    { right: 'write', namespaces: 'shop.orders' },
    { right: 'admin', namespaces: '*' },
    { right: 'audit', namespaces: null },
  ] as const;
  test.each<readonly [right: Right, namespace: string | undefined, allowed: boolean]>([
    ['read', 'shop', true],
    ['read', 'shop.orders', true],
    ['read', 'shop.orders.old', true],
    ['read', 'shopping', false],
    ['read', 'default', false],
    ['read', undefined, false],
    ['write', 'shop.orders', true],
    ['write', 'shop.orders.old', false],
    ['write', 'shop', false],
    ['admin', 'default', true],
    ['admin', 'shop.orders', false],
    ['operate', undefined, false],
    ['operate', 'default', false],
    ['audit', undefined, true],
  ])('%s on %s: %s', (right, namespace, allowed) => {
    expect(may({ state: 'active', grants }, right, namespace)).toBe(allowed);
    expect(may({ state: 'disabled', grants }, right, namespace)).toBe(false);
    expect(may({ state: 'active', grants: [] }, right, namespace)).toBe(false);
  });

  describe('what a namespace held before it was rewound', () => {
    const reads = (...queries: string[]) => queries.map((namespaces) => ({ right: 'read' as const, namespaces }));

    it.each<[what: string, grants: ReturnType<typeof reads>, namespace: string, allowed: boolean]>([
      ['who may read what is below shop may not read what shop held', reads('shop.*'), 'shop.before-rewind-1', false],
      ['nor who may read all names of two segments', reads('*.*'), 'shop.before-rewind-1', false],
      ['nor who may read shop as it is now, and nothing else', reads('shop'), 'shop.before-rewind-1', false],
      ['who may read both may', reads('shop.**'), 'shop.before-rewind-1', true],
      ['by two rights as well', reads('shop', 'shop.*'), 'shop.before-rewind-1', true],
      ['who may read everything may', reads('**'), 'shop.before-rewind-1', true],
      ['to whom it was given by its name may', reads('shop.before-rewind-1'), 'shop.before-rewind-1', true],
      ['of that name alone', reads('shop.before-rewind-1'), 'shop.before-rewind-2', false],
      ['or by a query that names such', reads('shop.before-rewind-*'), 'shop.before-rewind-12', true],
      ['of a namespace below shop, who may read that', reads('shop.**'), 'shop.orders.before-rewind-1', true],
      ['and not who may read only what is below it', reads('shop.orders.*'), 'shop.orders.before-rewind-1', false],
      ['of what was rewound itself', reads('shop.*.*'), 'shop.before-rewind-1.before-rewind-2', false],
      ['a name that only looks like it is a name', reads('shop.*'), 'shop.before-rewind-soon', true],
      ['as is one that begins so', reads('*'), 'before-rewind-1', true],
    ])('%s', (_, of, namespace, allowed) => {
      expect(may({ state: 'active', grants: of }, 'read', namespace)).toBe(allowed);
      expect(mayKnow({ state: 'active', grants: of }, namespace)).toBe(allowed);
      expect(may({ state: 'active', grants: of }, 'write', namespace)).toBe(false);
    });

    it('each right counts for itself: to read what is there now is not to change what was', () => {
      const grants = [...reads('shop'), { right: 'admin' as const, namespaces: 'shop.*' }];
      expect(may({ state: 'active', grants }, 'admin', 'shop.before-rewind-1')).toBe(false);
      expect(may({ state: 'active', grants }, 'admin', 'shop.orders')).toBe(true);
    });
  });

  it('knows of namespaces on which it has any right, or all if it operates', () => {
    expect(mayKnow({ state: 'active', grants }, 'shop.orders.old')).toBe(true);
    expect(mayKnow({ state: 'active', grants }, 'other.place')).toBe(false);
    expect(mayKnow({ state: 'active', grants: [{ right: 'operate', namespaces: null }] }, 'other.place')).toBe(true);
    expect(mayKnow({ state: 'active', grants: [{ right: 'audit', namespaces: null }] }, 'other.place')).toBe(false);
  });
});
