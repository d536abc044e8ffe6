/** Slots of one source chunk. */
export interface CopyPiece {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
}

export function pieceName({ chunkId, slotStart, slotEnd }: CopyPiece): string {
  return `${chunkId}[${slotStart},${slotEnd})`;
}
