import { type ComparedPartition, judgeChunk, replicaKey } from '../src/continuous/judge-chunk';

const named = (nodeId: string) => ({ nodeId, storeId: `s-${nodeId}`, unitId: `${nodeId}/u00`, generation: 1 });

/** `log: replica...` of one partition each: equal letters are equal digests, `-` = nothing told, `?` = not provable. */
function compared(lines: readonly string[]): { of: ReturnType<typeof named>[]; partitions: ComparedPartition[] } {
  const width = Math.max(...lines.map((line) => line.split(' ').length - 1));
  const of = Array.from({ length: width }, (_, i) => named(`n${i + 1}`));
  const partitions = lines.map((line, partition): ComparedPartition => {
    const [log = '?', ...told] = line.split(' ');
    const replicas = told.flatMap((digest, i) =>
      digest === '-' ? [] : [[replicaKey(of[i]!), { digest, keys: 3, incarnation: 'i' }] as const],
    );
    const said = log === '?' ? undefined : { digest: log, keys: 3 };
    const about = { proofId: 'p', doubt: '', why: 'a hole' };
    return { partition, barrierOffset: 9, log: said, ...about, replicas: new Map(replicas) };
  });
  return { of, partitions };
}

describe('what a comparison of replicas and log means', () => {
  it.each<[string, readonly string[], string, string, string]>([
    // what | log and replicas, by partition | verdict | what each holds | who is blamed
    ['all agree', ['a a a a'], 'proved', 'same same same', ''],
    ['one replica, and it agrees', ['a a'], 'proved', 'same', ''],
    ['one differs', ['a a b a'], 'replicaDiffers', 'same other same', 'n2'],
    ['one differs in its second partition', ['a a a', 'c c d'], 'replicaDiffers', 'same other', 'n2'],
    ['two of three differ alike', ['a b b a'], 'replicaDiffers', 'other other same', 'n1 n2'],
    ['two of three differ, each otherwise', ['a b c a'], 'replicaDiffers', 'other other same', 'n1 n2'],
    ['the log alone differs', ['a b b b'], 'logDiffers', 'other other other', ''],
    ['the log alone differs, and one did not answer', ['a b b -'], 'logDiffers', 'other other unknown', ''],
    ['the only replica differs', ['a b'], 'undecided', 'other', ''],
    ['the only one that answered differs', ['a b -'], 'undecided', 'other unknown', ''],
    ['everybody says something else', ['a b c d'], 'undecided', 'other other other', ''],
    ['one is behind in answering', ['a a - a'], 'incomplete', 'same unknown same', ''],
    ['one told half', ['a a a', 'c c -'], 'incomplete', 'same unknown', ''],
    ['the log says nothing', ['? a a'], 'notProvable', 'unknown unknown', ''],
    ['the log says nothing, and replicas differ', ['? a b'], 'undecided', 'unknown unknown', ''],
    ['nobody answered', ['? - -'], 'notProvable', 'unknown unknown', ''],
    // [safety] Who is built anew holds what the log says in every partition.
    ['one differs, the log alone in another partition', ['a b a', 'c d d'], 'logDiffers', 'other other', ''],
    ['one differs, another partition is not provable', ['a b a', '? d d'], 'undecided', 'other unknown', ''],
    ['each differs in another partition', ['a b a', 'c c d'], 'undecided', 'other other', ''],
    [
      'one differs, and who agrees there did not answer elsewhere',
      ['a b a', 'c c -'],
      'undecided',
      'other unknown',
      '',
    ],
  ])('%s', (_, lines, verdict, holds, blamed) => {
    const { of, partitions } = compared(lines);
    const judged = judgeChunk('shop#1/c00001', of, partitions);
    expect(judged.verdict).toBe(verdict);
    expect(judged.replicas.map((each) => each.holds).join(' ')).toBe(holds);
    expect(judged.blamed.map(({ replica }) => replica.nodeId).join(' ')).toBe(blamed);
    for (const { replica, agrees, at } of judged.blamed) {
      const [one, other] = [at.replicas.get(replicaKey(replica)), at.replicas.get(replicaKey(agrees))];
      expect(one?.digest).not.toBe(at.log?.digest);
      expect(other?.digest).toBe(at.log?.digest);
    }
    expect(judged.message === '').toBe(verdict === 'proved');
  });

  it('[safety] nobody is blamed where there is another reason for a difference', () => {
    const { of, partitions } = compared(['a a b a', 'c c c c']);
    const doubted = partitions.map((each, i) => (i === 1 ? { ...each, doubt: 'it may have been cut' } : each));
    const judged = judgeChunk('shop#1/c00001', of, doubted);
    expect([judged.verdict, judged.blamed]).toEqual(['undecided', []]);
    expect(judged.message).toMatch(/n2 holds 3 keys with digest b.*; it may have been cut$/);
    const agreed = compared(['a a a a']).partitions.map((each) => ({ ...each, doubt: 'it may have been cut' }));
    expect(judgeChunk('shop#1/c00001', of, agreed).verdict).toBe('proved');
  });

  it('says who holds what', () => {
    const { of, partitions } = compared(['a a b']);
    expect(judgeChunk('shop#1/c00001', of, partitions).message).toBe(
      'shop#1/c00001, partition 0 before offset 9: the log says 3 keys with digest a, n1/u00 on n1 holds 3 keys with ' +
        'digest a, n2/u00 on n2 holds 3 keys with digest b',
    );
  });
});
