import { type AttemptEvent, type Attempts, isProvenAbsent, nextAttempts } from './batch-attempts';

const states: readonly Attempts[] = ['clean', 'sending', 'doubtful', 'resending', 'stored'];
const events: readonly AttemptEvent[] = ['handed', 'proof', 'unknown', 'stored'];

const after = (...story: readonly AttemptEvent[]): Attempts => story.reduce<Attempts>(nextAttempts, 'clean');

describe('what all attempts of a batch prove together (I20)', () => {
  it.each<[Attempts, ...Array<Attempts | 'never'>]>([
    // state, then what follows on: handed, proof, unknown, stored
    ['clean', 'sending', 'never', 'never', 'never'],
    ['sending', 'never', 'clean', 'doubtful', 'stored'],
    ['doubtful', 'resending', 'never', 'never', 'never'],
    ['resending', 'never', 'doubtful', 'doubtful', 'stored'],
    ['stored', 'never', 'never', 'never', 'never'],
  ])('%s: handed %s, proof %s, unknown %s, stored %s', (state, ...expected) => {
    const found = events.map((event) => {
      try {
        return nextAttempts(state, event);
      } catch (error) {
        expect((error as Error).message).toContain('I20');
        return 'never';
      }
    });
    expect(found).toEqual(expected);
  });

  it('only a batch of which every attempt was proof is certainly absent', () => {
    expect(states.filter(isProvenAbsent)).toEqual(['clean']);
    expect(after('handed', 'proof', 'handed', 'proof')).toBe('clean');
  });

  it('one unknown attempt outlasts every later proof', () => {
    expect(after('handed', 'proof', 'handed', 'unknown', 'handed', 'proof', 'handed', 'proof')).toBe('doubtful');
  });

  it('a resend that was stored resolves the doubt', () => {
    expect(after('handed', 'unknown', 'handed', 'proof', 'handed', 'stored')).toBe('stored');
  });

  it('what is under way proves nothing yet', () => {
    expect(isProvenAbsent(after('handed'))).toBe(false);
  });
});
