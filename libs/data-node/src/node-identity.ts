/** Who a node process is: its name, its disk, and this run of it. */
export interface NodeIdentity {
  readonly nodeId: string;
  readonly storeId: string;
  readonly incarnation: string;
}
