import { Failure, failureCode } from '@levee/kernel';
import type { Portal } from './portal';

const activeMs = 20_000;
const deletedMs = 10_000;

/** Waits for namespaces to become what a command has asked for. */
export class NamespaceWaits {
  constructor(private readonly portal: Portal) {}

  /** Resolves when the deletion is finished, or with what is left to do when that takes long. */
  async untilDeleted(name: string): Promise<{ name: string; state: 'deleted' | 'deleting' }> {
    const gone = (): true | undefined => {
      const state = this.portal.view.state.namespace(name)?.state;
      return state === 'deleting' ? undefined : true;
    };
    try {
      await this.portal.view.until(gone, deletedMs, `namespace ${name} being deleted`);
      return { name, state: 'deleted' };
    } catch (error) {
      if (failureCode(error) !== 'DEADLINE') throw error;
      return { name, state: 'deleting' };
    }
  }

  async untilActive(name: string): Promise<void> {
    const { view, store } = this.portal;
    const look = (): true | undefined => {
      const state = view.state.namespace(name)?.state;
      return state !== undefined && state !== 'creating' ? true : undefined;
    };
    await view.until(look, activeMs, `namespace ${name} becoming active`);
    const made = view.state.namespace(name);
    if (made?.state === 'deleted' && made.sourceProblem !== null)
      throw new Failure('SOURCE_UNFIT', `${name} cannot be bound to ${made.binlog}: ${made.sourceProblem}`);
    store.refreshNow();
  }
}
