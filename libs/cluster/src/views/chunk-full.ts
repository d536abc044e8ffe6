/** Share of a namespace's chunkCapacityBytes from which portals refuse writes to a chunk as LVFULL, and doctor says so. */
export const chunkFullShare = 0.9;
