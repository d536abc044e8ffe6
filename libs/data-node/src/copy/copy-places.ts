/** So many copies of one kind at a time; who finds no place looks again later. */
export class CopyPlaces {
  private taken = 0;

  constructor(private readonly max: number) {}

  take(): boolean {
    if (this.taken >= this.max) return false;
    this.taken++;
    return true;
  }

  giveBack(): void {
    this.taken--;
  }
}
