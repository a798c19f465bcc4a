import type { StoreFiles } from '../runtime/package-files.ts'

/** Where this store's thread file and migrations are. */
export const FILES: StoreFiles = {
  room: 'postgres',
  here: import.meta.url,
  exported: 'millrace/postgres-thread',
  what: "The files of the store (its thread's, and the migrations) were",
  option: 'openMillrace the option threadFile',
  besideBundle: false,
}
