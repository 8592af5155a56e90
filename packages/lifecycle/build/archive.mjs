import { create } from "tar";

/** The time of every entry, as in the reference's archives. */
const ENTRY_TIME = new Date("1980-01-01T00:00:01Z");

/**
 * Packs `entries` of `dir`, in that order, into a gzipped tar whose bytes depend on their names, modes and contents
 * alone: owned by root (0:0), all of one time, symlinks as they stand.
 */
export async function writeArchive(file, dir, entries) {
  await create(
    {
      file,
      cwd: dir,
      gzip: { level: 6, portable: true },
      portable: true,
      noPax: true,
      noDirRecurse: true,
      mtime: ENTRY_TIME,
      strict: true,
      // `portable` leaves a folder without a time.
      onWriteEntry: (entry) => {
        entry.noMtime = false;
        entry.mtime = ENTRY_TIME;
      },
    },
    entries,
  );
}
