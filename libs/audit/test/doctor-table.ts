import { doctorLogTable } from './doctor-log-table';
import { doctorNodeTable } from './doctor-node-table';
import { doctorProofTable } from './doctor-proof-table';
import type { DoctorRow } from './doctor-row';

/** Every rule of the doctor, at least once. */
export const doctorTable: readonly DoctorRow[] = [...doctorLogTable, ...doctorNodeTable, ...doctorProofTable];
