import { SilenceWindow } from './silence-window';

const limits = { silenceMs: 1_200, gapMsMax: 600 };

/** at | what the observer sees | proven silence after it */
test.each<[string, [number, 'end' | 'heard' | 'behind', number][]]>([
  [
    'silence adds up while standing at the end',
    [
      [0, 'end', 0],
      [400, 'end', 400],
      [800, 'end', 800],
      [1_200, 'end', 1_200],
    ],
  ],
  [
    'a sign of life begins anew',
    [
      [0, 'end', 0],
      [500, 'end', 500],
      [600, 'heard', 0],
      [700, 'end', 0],
      [900, 'end', 200],
    ],
  ],
  [
    'a pause of the observer proves nothing',
    [
      [0, 'end', 0],
      [300, 'end', 300],
      [9_000, 'end', 300],
      [9_400, 'end', 700],
    ],
  ],
  [
    'catching up proves nothing',
    [
      [0, 'end', 0],
      [300, 'end', 300],
      [400, 'behind', 300],
      [500, 'end', 300],
      [700, 'end', 500],
    ],
  ],
])('%s', (_name, steps) => {
  const window = new SilenceWindow(limits);
  for (const [atMs, what, silentMs] of steps) {
    if (what === 'end') window.atEnd(atMs);
    else if (what === 'heard') window.heard();
    else window.behind();
    expect(window.silentMs).toBe(silentMs);
  }
});

test('the backoff comes on top of the silence', () => {
  const window = new SilenceWindow(limits);
  for (let atMs = 0; atMs <= 1_500; atMs += 500) window.atEnd(atMs);
  expect(window.isOver(0)).toBe(true);
  expect(window.isOver(400)).toBe(false);
});
