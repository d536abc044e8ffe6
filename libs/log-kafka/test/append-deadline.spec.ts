import { eventually } from '../../../test/support/deadline';
import { append, outcome, placesOf, StandInCluster } from './stand-in-cluster';

const appendDeadlineMs = 20_000;

/**
 * Who was silent for long is taken for gone, and a freeze is confirmed without it: that rests on this, that nothing of a
 * call leaves its process after the call's deadline, wherever it, or its machine, stood still meanwhile.
 */
describe('after its deadline nothing of an append is sent', () => {
  let cluster: StandInCluster;
  beforeEach(() => void (cluster = new StandInCluster(1, { limits: { appendDeadlineMs, connectMs: 5_000 } })));

  it('by a process that stood still while its connection was opened', async () => {
    let opening = 0;
    let open = (): void => undefined;
    const broker = cluster.broker(1);
    const connect = broker.connect.bind(broker);
    const appender = cluster.appender();
    // Only what appends is held: who takes the identity has been there before.
    expect(await outcome(append(appender, 'before'))).toBe('stored at 0');
    broker.connect = () => {
      const connection = connect();
      const connected = connection.connect.bind(connection);
      connection.connect = async () => {
        opening++;
        await new Promise<void>((resolve) => (open = resolve));
        return connected();
      };
      return connection;
    };
    broker.breakConnections();
    const appended = outcome(append(appender, 'late'));
    await eventually('the connection is being opened', () => opening > 0, 5_000, 1);
    cluster.skip(2 * appendDeadlineMs);
    open();
    expect(await appended).toBe('LOG_UNAVAILABLE');
    expect(placesOf(cluster.log, 'late')).toEqual([]);
    const next = outcome(append(appender, 'next'));
    const keep = setInterval(() => open(), 1);
    expect(await next).toBe('stored at 1');
    clearInterval(keep);
    await appender.close(0);
    expect(placesOf(cluster.log, 'late')).toEqual([]);
  });

  it.each(['its machine', 'the process'])('by %s, which stood still between two attempts', async (what) => {
    const appender = cluster.appender();
    expect(await outcome(append(appender, 'before'))).toBe('stored at 0');
    let attempts = 0;
    cluster.broker(1).onProduce = ({ store }) => {
      if (++attempts > 1) return store();
      if (what === 'its machine') cluster.sleep(3_600_000);
      else cluster.skip(3_600_000);
      return 'reset';
    };
    expect(await outcome(append(appender, 'late'))).toBe('OUTCOME_UNKNOWN');
    expect(await outcome(append(appender, 'next'))).toBe('stored at 1');
    expect([attempts, placesOf(cluster.log, 'late')]).toEqual([2, []]);
    await appender.close(0);
  });
});
