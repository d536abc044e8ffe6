import { createLogger, ofPart } from '../src';
import { logText, TextLines } from '../src/log-text';

function written(use: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  use(createLogger({ level: 'debug', part: 'levee', destination: { write: (line) => void lines.push(line) } }));
  return lines;
}

describe('a line of JSON', () => {
  it('has time, level, part, the fields and the message', () => {
    const [line] = written((logger) => logger.warn({ unit: 'u07' }, 'a unit is full'));
    expect(JSON.parse(line!)).toEqual({
      level: 'warn',
      time: expect.any(Number),
      part: 'levee',
      unit: 'u07',
      message: 'a unit is full',
    });
  });

  it('says which part of the process speaks', () => {
    const [line] = written((logger) => ofPart(logger, 'n2').info({}, 'registered'));
    expect(line!.match(/"part"/g)).toHaveLength(1);
    expect(JSON.parse(line!)).toMatchObject({ part: 'n2' });
  });

  it('has no name twice, whatever the fields are called', () => {
    const fields = { message: 'theirs', level: 7, time: 'noon', code: 'X' };
    const [line] = written((logger) => logger.error(fields, 'ours'));
    for (const name of ['message', 'level', 'time', 'part'])
      expect(line!.match(new RegExp(`"${name}":`, 'g'))).toHaveLength(1);
    expect(JSON.parse(line!)).toMatchObject({
      level: 'error',
      message: 'ours',
      code: 'X',
      'field.message': 'theirs',
      'field.level': 7,
      'field.time': 'noon',
    });
  });
});

const at = Date.UTC(2026, 10, 29, 9, 41, 7, 250);
const json = (fields: object): string => JSON.stringify({ time: at, part: 'n2', ...fields });

describe('a line for people', () => {
  it.each([
    [{ level: 'info', message: 'registered' }, '09:41:07.250 info   n2          registered\n'],
    [
      { level: 'warn', message: 'a unit is full', unit: 'u07', why: 'no room left', bytes: 5, at: [1, 2] },
      '09:41:07.250 warn   n2          a unit is full  unit=u07 why="no room left" bytes=5 at=[1,2]\n',
    ],
    [
      {
        level: 'error',
        message: 'it failed',
        error: { kind: 'Failure', code: 'DISK_FULL', message: 'no room', stack: 'x\n at y' },
      },
      '09:41:07.250 error  n2          it failed  error="no room [DISK_FULL]"\n',
    ],
    [
      {
        level: 'error',
        message: 'a bug',
        error: { kind: 'TypeError', message: 'x is no y', stack: 'TypeError: x\n    at f (a.ts:1)' },
      },
      '09:41:07.250 error  n2          a bug  error="x is no y"\n    at f (a.ts:1)\n',
    ],
    [{ level: 'info', message: 'two\nlines \u001b[31m' }, '09:41:07.250 info   n2          two\\nlines \\u001b[31m\n'],
  ])('%j', (fields, text) => {
    expect(logText(json(fields))).toBe(text);
  });

  it('is held back until the greeting, unless it is a warning', () => {
    const out: string[] = [];
    const lines = new TextLines({ write: (text: string) => out.push(text.trim().slice(26)) });
    lines.hold();
    for (const level of ['info', 'warn', 'debug']) lines.write(json({ level, message: `${level} 1` }));
    expect(out).toEqual(['         warn 1'.trim()].map((text) => expect.stringContaining(text)));
    lines.release();
    expect(out.join()).toMatch(/warn 1.*info 1.*debug 1/);
    lines.write(json({ level: 'info', message: 'at once' }));
    expect(out.at(-1)).toContain('at once');
  });
});
