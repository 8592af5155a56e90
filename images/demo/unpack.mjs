import { createReadStream } from "node:fs";
import { lstat, mkdir, readdir, realpath, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { Parser, Unpack } from "tar";
import { readImage } from "./image.mjs";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/**
 * Unpacks the layers of an image in OCI layout, lowest first, with their whiteouts. Nothing is written outside of
 * `root`, whatever the layers hold.
 *
 * @param {string} layout the image's directory
 * @param {string} root where its root file system goes; must not exist yet
 */
export async function unpackImage(layout, root) {
  await mkdir(root, { recursive: true });
  const { layers } = await readImage(layout);
  for (const { blob } of layers) {
    await applyWhiteouts(blob, root);
    await unpackLayer(blob, root);
  }
}

/** Deletes what a layer hides of those below it. */
async function applyWhiteouts(blob, root) {
  const whiteouts = [];
  const onReadEntry = (entry) => {
    if (basename(entry.path).startsWith(WHITEOUT)) whiteouts.push(entry.path);
    entry.resume();
  };
  await pipeline(createReadStream(blob), new Parser({ strict: true, onReadEntry }));
  for (const path of whiteouts) {
    const directory = await insideOf(root, dirname(path));
    if (directory === undefined) continue;
    const hidden = basename(path) === OPAQUE ? await readdir(directory) : [basename(path).slice(WHITEOUT.length)];
    for (const name of hidden.filter((name) => !["", ".", ".."].includes(name)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function unpackLayer(blob, root) {
  const absoluteLinks = [];
  const filter = (path, entry) => {
    if (basename(path).startsWith(WHITEOUT)) return false;
    // They are meant to start at the image's root; tar makes relative ones of them.
    if (entry.type === "SymbolicLink" && entry.linkpath.startsWith("/")) {
      absoluteLinks.push({ path, target: entry.linkpath });
      return false;
    }
    return true;
  };
  const refused = [];
  const onwarn = (code, message) => {
    // The lifecycle writes paths with a leading slash: to take it off is no more than information.
    if (code !== "TAR_ENTRY_INFO") refused.push(message);
  };
  const options = { cwd: root, filter, onwarn, preserveOwner: process.getuid() === 0 };
  await pipeline(createReadStream(blob), new Unpack(options));
  if (refused.length > 0) throw new Error(`${blob}: ${refused[0]}`);
  for (const { path, target } of absoluteLinks) {
    const directory = await insideOf(root, dirname(path), { create: true });
    if (directory === undefined) throw new Error(`${blob}: ${path} lies outside of the image`);
    await rm(join(directory, basename(path)), { recursive: true, force: true });
    await symlink(target, join(directory, basename(path)));
  }
}

/** The real path of a directory of the image; undefined when there is none, or when it leads out of the root. */
async function insideOf(root, path, { create = false } = {}) {
  const base = await realpath(root);
  let real = base;
  for (const name of resolve("/", path).split("/").filter(Boolean)) {
    const next = join(real, name);
    const found = await lstat(next).catch(() => undefined);
    if (found === undefined && create) await mkdir(next);
    else if (found === undefined) return undefined;
    real = await realpath(next);
    if (real !== base && !real.startsWith(`${base}/`)) return undefined;
  }
  return real;
}
