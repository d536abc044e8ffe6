import { logContract } from '@levee/log-contract';
import {
  crashFileStorage,
  crashStorage,
  embeddedNotApplicable,
  folderStorage,
  memoryStorage,
  openEmbedded,
} from './embedded-storage';

const noPower = (what: string): typeof embeddedNotApplicable => ({ ...embeddedNotApplicable, crash: what });

logContract('EmbeddedLog on memory-level', {
  open: () => openEmbedded(memoryStorage()),
  notApplicable: noPower('memory does not outlive the process'),
});

logContract('EmbeddedLog on files', {
  open: () => openEmbedded(folderStorage()),
  notApplicable: noPower('whole processes are killed in the end-to-end tests; power is lost on crash-level'),
});

logContract('EmbeddedLog on crash-level', {
  open: () => openEmbedded(crashStorage()),
  notApplicable: embeddedNotApplicable,
});

logContract('EmbeddedLog on files that lose power', {
  open: () => openEmbedded(crashFileStorage()),
  notApplicable: embeddedNotApplicable,
});
