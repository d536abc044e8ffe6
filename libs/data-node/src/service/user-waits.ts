import { nodeLimits } from '../node-limits';

/** Reads of users that wait for a position: so few that processes of the cluster always find a place (I16). */
export class UserWaits {
  private waiting = 0;

  /** False: too many wait already, and this one is answered as things are. */
  take(): boolean {
    if (this.waiting >= nodeLimits.userWaitsMax) return false;
    this.waiting++;
    return true;
  }

  give(): void {
    this.waiting--;
  }
}
