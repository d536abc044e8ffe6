import type { Offset, Partition } from '@levee/kernel';
import type { ReadSession } from '@levee/client';
import type { Session } from '@levee/keyspace';
import type { SessionMemory } from '../portal/session-memory';

/** The session of a client as reads of nodes take part in it. What they see a portal is told before it is asked again. */
export class ClientSession implements ReadSession {
  constructor(
    private readonly memory: SessionMemory,
    /** As it was when the read began. */
    private readonly session: Session,
  ) {}

  get clockMs(): number {
    return this.session.clockMs;
  }

  nextOffset(partition: Partition): Offset {
    return this.session.nextOffset(partition);
  }

  observe(partition: Partition, nextOffset: Offset): void {
    this.memory.note(this.session, partition, nextOffset);
  }

  observeClock(clockMs: number): void {
    this.session.observeClock(clockMs);
  }

  letGoOfClock(clockMsMax: number): void {
    this.session.letGoOfClock(clockMsMax);
  }

  /** Portals find out what a log has lost. */
  letGo(): void {}
}
