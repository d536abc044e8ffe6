import type { DoctorFacts } from '../src/doctor/facts';

/** rule | facts that differ from the healthy ones | what it says | what to type */
export type DoctorRow = readonly [string, Partial<DoctorFacts>, RegExp, RegExp];
