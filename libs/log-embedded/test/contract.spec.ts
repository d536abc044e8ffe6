import { logContract } from '@levee/log-contract';
import { drawnOne } from '../../../test/support/drawn';
import {
  crashFileStorage,
  crashStorage,
  embeddedNotApplicable,
  folderStorage,
  memoryStorage,
  openEmbedded,
} from './embedded-storage';

const noPower = (what: string): typeof embeddedNotApplicable => ({ ...embeddedNotApplicable, crash: what });

logContract('EmbeddedLog on files', {
  open: () => openEmbedded(folderStorage()),
  notApplicable: noPower('whole processes are killed in the end-to-end tests; power is lost on crash-level'),
});

logContract('EmbeddedLog on files that lose power', {
  open: () => openEmbedded(crashFileStorage()),
  notApplicable: embeddedNotApplicable,
});

// Databases in memory, which only tests use: a quick run has one.
const databases = {
  'memory-level': {
    open: () => openEmbedded(memoryStorage()),
    notApplicable: noPower('memory does not outlive the process'),
  },
  'crash-level': { open: () => openEmbedded(crashStorage()), notApplicable: embeddedNotApplicable },
};
for (const name of drawnOne('the contract of the log', ['memory-level', 'crash-level']))
  logContract(`EmbeddedLog on ${name}`, databases[name]);
