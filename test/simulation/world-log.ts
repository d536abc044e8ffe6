import type { Logger, LogFields } from '@levee/kernel';
import { messageOf } from '@levee/kernel';

const linesMax = 4_000;

/** What every process of a run said, with the time and its name; for whoever looks at a failed run. */
export class WorldLog {
  private readonly lines: string[] = [];
  private dropped = 0;

  constructor(private readonly nowMs: () => number) {}

  of(process: string): Logger {
    const at =
      (level: string) =>
      (fields: LogFields, message: string): void =>
        this.say(`${process} ${level} ${message}${textOf(fields)}`);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  say(text: string): void {
    if (this.lines.push(`${this.nowMs().toFixed(3).padStart(10)} ${text}`) <= linesMax * 2) return;
    this.dropped += this.lines.splice(0, linesMax).length;
  }

  text(): string {
    return `${this.dropped > 0 ? `(${this.dropped} lines before)\n` : ''}${this.lines.join('\n')}`;
  }
}

function textOf(fields: LogFields): string {
  const shown = JSON.stringify(fields, (_name, value: unknown) => (value instanceof Error ? messageOf(value) : value));
  return shown === '{}' ? '' : ` ${shown.slice(0, 400)}`;
}
