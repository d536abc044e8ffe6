import {
  copyNextCommand,
  copyOpenCommand,
  encodeCopyFrame,
  encodeCopyOpened,
  FrameFailure,
  parseCopyCommand,
  parseCopyFrame,
  parseCopyOpened,
} from '@levee/wire';

const received = (args: readonly (string | Buffer)[]): Buffer[] => args.map((arg) => Buffer.from(arg));
const seal = expect.any(Number) as number;

describe('LV.COPY frames', () => {
  it('commands arrive as they were meant', () => {
    const open = {
      namespace: 'shop',
      chunkId: 'shop#1/c00003',
      slotStart: 5,
      slotEnd: 9,
      after: Buffer.from([0, 255]),
    };
    expect(parseCopyCommand(received(copyOpenCommand(open)))).toEqual({ what: 'open', ...open, seal });
    const next = { what: 'next', copyId: 'i-1', sequence: 7, bytesMax: 1024 };
    expect(parseCopyCommand(received(copyNextCommand('i-1', 7, 1024)))).toEqual({ ...next, seal });
  });

  it('positions keep unknown epochs and large offsets', () => {
    const positions = [
      { partition: 3, nextOffset: 2 ** 40 + 1, leaderEpoch: -1, completeAtMs: 1_700_000_000_000 },
      { partition: 4, nextOffset: 0, leaderEpoch: 12, completeAtMs: 0 },
    ];
    const opened = { copyId: 'i-1', positions, bytesEstimate: 2 ** 35 };
    expect(parseCopyOpened(encodeCopyOpened(opened))).toEqual(opened);
  });

  it('a block with any bit flipped, or in the place of another, is refused', () => {
    const frame = { sequence: 3, last: true, block: Buffer.from('entries') };
    const bytes = encodeCopyFrame(frame);
    expect(parseCopyFrame(bytes, 3)).toEqual(frame);
    expect(() => parseCopyFrame(bytes, 2)).toThrow('block 3 of a copy came in place of 2');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bent = Buffer.from(bytes);
      bent[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => parseCopyFrame(bent, 3)).toThrow(FrameFailure);
    }
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseCopyFrame(bytes.subarray(0, length), 3)).toThrow(FrameFailure);
  });
});
