import { decodeSessionToken } from '@levee/keyspace';
import { connect, PendingError, utf8, type Client, type Namespace } from '@levee/sdk';
import { found, ScriptedPortal } from './scripted-portal';

jest.setTimeout(60_000);

const closing: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function opened(script: ScriptedPortal['script']): Promise<[ScriptedPortal, Namespace<string>, Client]> {
  const portal = await ScriptedPortal.start(script);
  const client = await connect({
    portals: [portal.name],
    user: 'ann',
    password: 'x',
    deadlineMs: 4_000,
    limits: { probeMs: 100 },
  });
  closing.push(portal, client);
  return [portal, client.namespace('shop.orders').typed(utf8), client];
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error: unknown) => error,
  );

describe('the session of a client', () => {
  it('has what was logged, and not applied everywhere in time, and tells the portal that said so', async () => {
    const [portal, orders] = await opened(() => '-LVPENDING 3:17 logged; not applied by n2 yet\r\n');
    expect(await failureOf(orders.put('a', 'x'))).toBeInstanceOf(PendingError);
    portal.script = () => found('v', '3:1');
    await orders.get('a');
    for (const token of [orders.session(), portal.joins.at(-1)])
      expect(decodeSessionToken(String(token))).toMatchObject({ positions: [{ partition: 3, nextOffset: 17 }] });
  });
});
