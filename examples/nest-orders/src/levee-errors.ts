import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CodecError, type FailureKind, LeveeError, UnreadableError } from '@levee/client';

interface Answer {
  readonly status: number;
  readonly advice: string;
}

const answers: Readonly<Record<FailureKind, Answer>> = {
  definite: { status: 503, advice: 'it did not happen: try again' },
  indefinite: { status: 503, advice: 'it may have happened: send the same again, with the same id' },
  pending: { status: 202, advice: 'it is in the log and will be seen soon: do not send it again' },
};
const unreadable: Answer = { status: 500, advice: 'what is stored there is no order: write it anew' };

/** What a caller learns when Levee fails: above all, whether it happened. */
@Catch(LeveeError)
export class LeveeErrors implements ExceptionFilter<LeveeError> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: LeveeError, context: ArgumentsHost): void {
    const { kind, code, message } = error;
    const isUnreadable = error instanceof CodecError || error instanceof UnreadableError;
    const { status, advice } = isUnreadable ? unreadable : answers[kind];
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), { kind, code, message, advice }, status);
  }
}
