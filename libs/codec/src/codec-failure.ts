import { Failure } from '@levee/kernel';

/**
 * Why bytes are no record.
 * TRUNCATED: they end too early. BAD_FRAME: they do not begin like a single-object encoded record.
 * UNKNOWN_SCHEMA: framed well, but by a fingerprint unknown here (`details.fingerprint`): perhaps a newer version's.
 * MALFORMED: the body contradicts its schema. WRONG_RECORD: a good record of another name than was asked for.
 */
export type CodecFailureCode = 'TRUNCATED' | 'BAD_FRAME' | 'UNKNOWN_SCHEMA' | 'MALFORMED' | 'WRONG_RECORD';

export class CodecFailure extends Failure<CodecFailureCode> {
  override readonly name = 'CodecFailure';
}
