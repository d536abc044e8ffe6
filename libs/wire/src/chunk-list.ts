/** Pieces smaller than this are gathered: each of their own would cost more than it holds. */
const smallBytes = 4 * 1024;
const gatherBytes = 16 * 1024;
/** What a piece costs besides its bytes. */
const pieceOverheadBytes = 128;

/** Bytes that arrived before they were wanted, in the pieces in which they came: nothing is copied twice. */
export class ChunkList {
  private pieces: Buffer[] = [];
  private first = 0;
  private held = 0;
  /** Storage of the last piece while there is room behind it; what is written is never overwritten. */
  private gathering: Buffer | undefined;
  private gathered = 0;

  /** Of memory, roughly. */
  get bytes(): number {
    return this.held;
  }

  get contentBytes(): number {
    return this.held - (this.pieces.length - this.first) * pieceOverheadBytes;
  }

  get isEmpty(): boolean {
    return this.first === this.pieces.length;
  }

  push(piece: Buffer): void {
    this.held += piece.length;
    if (piece.length >= smallBytes) {
      this.gathering = undefined;
      this.add(piece);
      return;
    }
    if (!this.gathering || gatherBytes - this.gathered < piece.length) {
      this.gathering = Buffer.allocUnsafeSlow(gatherBytes);
      this.gathered = 0;
      this.add(this.gathering.subarray(0, 0));
    }
    piece.copy(this.gathering, this.gathered);
    this.gathered += piece.length;
    this.pieces[this.pieces.length - 1] = this.gathering.subarray(0, this.gathered);
  }

  /** The oldest piece; `undefined` when there is none. */
  shift(): Buffer | undefined {
    const piece = this.pieces[this.first];
    if (!piece) return undefined;
    this.first++;
    this.held -= piece.length + pieceOverheadBytes;
    if (this.isEmpty) this.clear();
    else if (this.first > 1024) {
      this.pieces = this.pieces.slice(this.first);
      this.first = 0;
    }
    return piece;
  }

  clear(): void {
    this.pieces = [];
    this.first = 0;
    this.held = 0;
    this.gathering = undefined;
  }

  private add(piece: Buffer): void {
    this.held += pieceOverheadBytes;
    this.pieces.push(piece);
  }
}
