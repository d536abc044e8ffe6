export { DiskPartitions } from './disk/disk-partitions';
