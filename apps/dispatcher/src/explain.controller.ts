import { Controller, Get, Query } from '@nestjs/common';
import { Failure } from '@levee/kernel';
import { Dispatcher, type DispatcherAnswer } from '@levee/dispatch';

const newestNotes = 200;

/** Why the dispatcher did something, or did nothing. */
@Controller('v1')
export class ExplainController {
  constructor(private readonly dispatcher: Dispatcher) {}

  /** About `subject`, or `chunk`, `node`, `plan`, which say the same; without any, the newest notes. */
  @Get('explain')
  explain(
    @Query() query: Readonly<Record<string, unknown>>,
  ): DispatcherAnswer | { readonly reasons: DispatcherAnswer['reasons'] } {
    const named = ['subject', 'chunk', 'node', 'plan'].flatMap((name) =>
      query[name] === undefined ? [] : [query[name]],
    );
    if (named.length === 0) return { reasons: this.dispatcher.latest(newestNotes) };
    const [subject] = named;
    if (named.length > 1 || typeof subject !== 'string' || subject === '' || subject.length > 1_000)
      throw new Failure('BAD_REQUEST', 'name one chunk (default#1/c00001), node (n1) or plan (p42) as subject');
    return this.dispatcher.explain(subject);
  }
}
