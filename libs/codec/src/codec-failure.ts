import { Failure } from '@levee/kernel';

/**
 * Why bytes are no record.
 * TRUNCATED: they end too early. BAD_FRAME: they do not begin like a single-object encoded record.
 * UNKNOWN_SCHEMA: framed well, but by a fingerprint unknown here (`details.fingerprint`): perhaps a newer version's.
 * MALFORMED: the body contradicts its schema. WRONG_RECORD: a good record of another name than was asked for.
 * TOO_MUCH: what it says is larger than anybody here reads. BAD_SCHEMA: the schema itself cannot be read.
 */
export type CodecFailureCode =
  'TRUNCATED' | 'BAD_FRAME' | 'UNKNOWN_SCHEMA' | 'MALFORMED' | 'WRONG_RECORD' | 'TOO_MUCH' | 'BAD_SCHEMA';

export class CodecFailure extends Failure<CodecFailureCode> {
  override readonly name = 'CodecFailure';
}
