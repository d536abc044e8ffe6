import type { Claim } from '@levee/events';
import { Listeners, type Logger } from '@levee/kernel';
import type { Adopted } from './fold/journal-fold';
import type { ForeignRecord } from './record/foreign-record';

/** Who hears of what a view of the journal reads. */
export class ViewListeners {
  readonly decisions: Listeners<Adopted>;
  readonly claims: Listeners<Claim>;
  readonly foreign: Listeners<ForeignRecord>;
  readonly losses: Listeners<string>;

  constructor(logger: Logger) {
    this.decisions = new Listeners(logger, 'decisions');
    this.claims = new Listeners(logger, 'claims');
    this.foreign = new Listeners(logger, 'foreign records');
    this.losses = new Listeners(logger, 'the loss of the journal');
  }
}
