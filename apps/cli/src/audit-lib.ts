/** Loaded when a command needs it: `require` finds a file beside it in the built program, and no library by its name. */
export {
  auditReport,
  creationOf,
  diffFolders,
  exportManifest,
  RebuiltFolder,
  rehearseJournal,
  reportPage,
  verifyExport,
} from '@levee/audit';
